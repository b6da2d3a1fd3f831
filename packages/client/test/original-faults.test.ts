import assert from 'node:assert/strict';
import { chmod, stat } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { ClientError, connect } from '@sluice/client';
import { ManualClock } from '@sluice/testkit';
import { Key, ResultCode, resultText } from '@sluice/wire';
import { assertSameBytes, Fixture, MIB, someBytes } from './fixture.js';

describe('Faults of the original client, done right', () => {
  it('C1: reads every answer to its end, however the bytes are split', async () => {
    await using fixture = await Fixture.make();
    fixture.server.faults.splitsAnswers = true;
    const content = someBytes(3_000);
    await fixture.client.upload(await fixture.writeLocal('a', content), 'a');
    await fixture.client.download('a', fixture.local('b'));
    assertSameBytes(await fixture.readLocal('b'), content);
    assert.deepEqual(await fixture.client.list(''), [{ name: 'a', kind: 'file', size: 3_000 }]);
  });

  it('C2: takes exactly the data that stands between command text and end of packet', async () => {
    await using fixture = await Fixture.make();
    for (const size of [1, 4, 5, 256 << 10, (256 << 10) + 1]) {
      const content = someBytes(size);
      await fixture.writeRemote('x', content);
      await fixture.client.download('x', fixture.local('x'));
      assertSameBytes(await fixture.readLocal('x'), content);
    }
  });

  it('C3: a heartbeat that fails drops the connection, and the next call makes a new one', async () => {
    const clock = new ManualClock();
    await using fixture = await Fixture.make({ clock, responseTimeoutMs: 30 });
    const { server, client } = fixture;
    clock.advance(60_000);
    await until(() => server.commands.filter((command) => command === 'active').length === 2);
    assert.equal(server.openConnections, 1);

    server.faults.ignored = 'Active';
    await until(() => {
      clock.advance(60_000); // again and again: one that is still awaited is not sent twice
      return server.openConnections === 0;
    });
    server.faults.ignored = undefined;
    assert.deepEqual(await client.list(''), []);
    assert.equal(server.acceptedConnections, 2);
  });

  it('C4: after a reconnect, time limits hold on the new connection too', async () => {
    const errors: string[] = [];
    await using fixture = await Fixture.make({
      responseTimeoutMs: 50,
      retries: 2,
      onRetry: ({ error }) => errors.push((error as ClientError).code),
    });
    fixture.server.faults.ignored = 'FileList';
    await assert.rejects(fixture.client.list(''), { code: 'ERR_TIMEOUT', retryable: true });
    assert.deepEqual(errors, ['ERR_TIMEOUT', 'ERR_TIMEOUT']);
    assert.equal(fixture.server.acceptedConnections, 3);
  });

  for (const code of [...Object.values(ResultCode).filter((code) => code !== 0), 0x02000004, 777, -1]) {
    it(`C5: code ${code} is an error with a text`, async () => {
      await using fixture = await Fixture.make({ retries: 0 });
      fixture.server.faults.eofCode = code;
      const source = await fixture.writeLocal('a', someBytes(10));
      await assert.rejects(fixture.client.upload(source, 'a'), (error) => {
        assert(error instanceof ClientError);
        const ownCodes: Readonly<Record<number, string>> = { 14: 'ERR_NO_SPACE', 16: 'ERR_EXISTS', 18: 'ERR_NO_SPACE' };
        assert.equal(error.code, ownCodes[code] ?? 'ERR_REMOTE');
        assert.equal(error.retryable, code === ResultCode.Busy);
        const own = resultText(code);
        const [alone, explained] = [own, `${own}: as told by the test`];
        const expected: string[] = code === ResultCode.UnknownError ? ['as told by the test'] : [alone, explained];
        assert.ok(own.length >= 5 && expected.includes(error.message), error.message);
        assert.equal(error.resultCode, code === 0x02000004 ? ResultCode.FileNotExist : code);
        return true;
      });
    });
  }

  it('C6: Eof says the size of the whole file', async () => {
    await using fixture = await Fixture.make();
    await fixture.client.upload(await fixture.writeLocal('a', someBytes(70_000)), 'a');
    const eof = fixture.server.texts.find((text) => text.command === 'Eof');
    assert.equal(eof?.first(Key.FileSize), '70000');
  });

  it('C7: uploads a file that may only be read', async () => {
    await using fixture = await Fixture.make();
    const source = await fixture.writeLocal('a', someBytes(10));
    await chmod(source, 0o400);
    const { mtimeMs } = await stat(source);
    assert.equal((await fixture.client.upload(source, 'a')).bytes, 10);
    assert.equal((await stat(source)).mtimeMs, mtimeMs);
  });

  it('C7: a refused login is an error, at once', async () => {
    await using fixture = await Fixture.make();
    const endpoint = { host: '127.0.0.1', port: fixture.server.port, userName: 'admin', password: 'wrong' };
    await assert.rejects(connect(endpoint), {
      code: 'ERR_LOGIN_REFUSED',
      retryable: false,
      resultCode: ResultCode.UserOrPasswordError,
    });
  });

  it('C8: a longer file on the server is an error, and stays as it is', async () => {
    await using fixture = await Fixture.make();
    await fixture.writeRemote('a', someBytes(101));
    const source = await fixture.writeLocal('a', someBytes(100));
    await assert.rejects(fixture.client.upload(source, 'a'), { code: 'ERR_REMOTE_LONGER', retryable: false });
    assert.equal((await fixture.readRemote('a')).length, 101);
  });

  for (const command of ['Login', 'Upload', 'Eof', 'Download', 'SendFile', 'Data', 'Dir']) {
    it(`C9: an answer to ${command} without a Code is a protocol error`, async () => {
      await using fixture = await Fixture.make();
      const { client, server } = fixture;
      const source = await fixture.writeLocal('a', someBytes(10));
      await fixture.writeRemote('b', someBytes(10));
      server.faults.omitCodeOf = command;
      const call =
        command === 'Login'
          ? connect(server.url)
          : command === 'Dir'
            ? client.list('')
            : command === 'Upload' || command === 'Eof'
              ? client.upload(source, 'a')
              : client.download('b', fixture.local('b'));
      await assert.rejects(call, { code: 'ERR_PROTOCOL', retryable: false });
    });
  }
});

describe('A peer that does not speak the protocol', () => {
  const head = (...bytes: number[]) => Uint8Array.from([...bytes, ...new Array(40).fill(0x41)]);
  const cases: [what: string, bytes: Uint8Array][] = [
    ['a packet length above the limit', head(1, 0, 160, 0)],
    ['a packet length below 4', head(3, 0, 0, 0)],
    ['a command length outside the packet', head(16, 0, 0, 0, 13, 0, 0, 0)],
    ['a command text of one line', head(16, 0, 0, 0, 12, 0, 0, 0)],
    ['an answer to another request', answerTo('FileList')],
    ['data that nobody asked for', answerTo('Data')],
  ];
  for (const [what, bytes] of cases) {
    it(`is found out by ${what}`, async () => {
      await using fixture = await Fixture.make();
      fixture.server.faults.garbageFor = { command: 'Dir', bytes };
      await assert.rejects(fixture.client.list(''), { code: 'ERR_PROTOCOL', retryable: false });
    });
  }

  it('does not get more data into a file than it has announced', async () => {
    await using fixture = await Fixture.make();
    await fixture.writeRemote('a', someBytes(2 * MIB));
    const announcement = answerTo('SendFile', '\r\nFileSize=300000');
    fixture.server.faults.garbageFor = { command: 'SendFile', bytes: announcement };
    await assert.rejects(fixture.client.download('a', fixture.local('a')), { code: 'ERR_PROTOCOL' });
  });
});

function answerTo(command: string, more = ''): Uint8Array {
  const text = Buffer.from(`[Response]\r\nCommand=${command}\r\nCode=0${more}`);
  const head = Buffer.alloc(8);
  head.writeUInt32LE(text.length + 4, 0);
  head.writeUInt32LE(text.length, 4);
  return Buffer.concat([head, text]);
}

async function until(isTrue: () => boolean): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (!isTrue()) {
    assert(performance.now() < endMs, 'waited for 10 s');
    await new Promise((resolve) => setImmediate(resolve));
  }
}
