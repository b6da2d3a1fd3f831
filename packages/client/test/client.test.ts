import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, it } from 'node:test';
import { type ClientError, connect, type RetryInfo } from '@sluice/client';
import { ManualClock, PlainServer } from '@sluice/testkit';
import { assertSameBytes, Fixture, MIB, someBytes } from './fixture.js';

describe('connect', () => {
  it('fails at once when nobody listens there', async () => {
    await using fixture = await Fixture.make();
    const { url } = fixture.server;
    await fixture.server.close();
    await assert.rejects(connect(url), {
      code: 'ERR_CONNECT',
      retryable: true,
      message: /^cannot connect to 127\.0\.0\.1:[0-9]+: connection refused$/,
    });
  });

  it('says what is missing in an address', async () => {
    await assert.rejects(connect('sluice://host/'), { code: 'ERR_URL', message: /user name/ });
    await assert.rejects(connect('sluice://anna@host/'), { code: 'ERR_URL', message: /password/ });
  });

  it('fails when the login is not answered in time', async () => {
    await using fixture = await Fixture.make();
    fixture.server.faults.ignored = 'Login';
    await assert.rejects(connect(fixture.server.url, { responseTimeoutMs: 50 }), { code: 'ERR_TIMEOUT' });
  });

  it('can be called off', async () => {
    await using fixture = await Fixture.make();
    fixture.server.faults.ignored = 'Login';
    const controller = new AbortController();
    const connecting = connect(fixture.server.url, { signal: controller.signal });
    setImmediate(() => controller.abort(new Error('enough')));
    await assert.rejects(connecting, /enough/);
    assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
  });

  it('refuses options out of range', async () => {
    for (const options of [{ retries: -1 }, { maxConnections: 0 }, { responseTimeoutMs: 0 }]) {
      await assert.rejects(connect('sluice://a:b@127.0.0.1', options), { code: 'ERR_OPTION_RANGE' });
    }
  });
});

describe('Directories', () => {
  it('are made with those above them, listed, and removed with everything in them', async () => {
    await using fixture = await Fixture.make();
    const { client } = fixture;
    await client.makeDirectory('b/c');
    await client.makeDirectory('/a/');
    await client.makeDirectory('');
    await fixture.writeRemote('z', someBytes(3));
    await fixture.writeRemote('b/y', someBytes(2));
    assert.deepEqual(await client.list('/'), [
      { name: 'a', kind: 'directory' },
      { name: 'b', kind: 'directory' },
      { name: 'z', kind: 'file', size: 3 },
    ]);
    await client.removeFile('z');
    await client.removeFile('z');
    await client.removeDirectory('b/');
    assert.deepEqual(await client.list(''), [{ name: 'a', kind: 'directory' }]);
    await assert.rejects(client.removeDirectory(''), { code: 'ERR_URL' });
    await assert.rejects(client.list('nowhere'), { code: 'ERR_REMOTE', resultCode: 0x02000001 });
  });
});

describe('stat', () => {
  it('tells what the lists of an original server say of a name', async () => {
    await using fixture = await Fixture.make();
    const { client } = fixture;
    await client.makeDirectory('dir');
    await fixture.writeRemote('dir/a', someBytes(3));
    assert.deepEqual(await client.stat('dir/a'), { kind: 'file', size: 3 });
    assert.deepEqual(await client.stat('/dir'), { kind: 'directory', size: 0 });
    for (const name of ['none', 'none/a', 'dir/b'])
      await assert.rejects(client.stat(name), { code: 'ERR_REMOTE', resultCode: 9 });
    await assert.rejects(client.stat('/'), { code: 'ERR_URL' });
  });
});

describe('Retries', () => {
  it('pause longer each time, up to 15 s, cut at random, and stop after the given number in a row', async () => {
    const clock = new ManualClock();
    const retries: RetryInfo[] = [];
    await using fixture = await Fixture.make({
      clock,
      retries: 7,
      retryDelayMs: 500,
      random: () => 0.5,
      onRetry: (info) => {
        retries.push(info);
        queueMicrotask(() => clock.advance(info.delayMs));
      },
    });
    await fixture.server.close();
    await assert.rejects(fixture.client.list(''), { code: 'ERR_CONNECT' });
    assert.deepEqual(
      retries.map(({ delayMs }) => delayMs),
      [375, 750, 1_500, 3_000, 6_000, 11_250, 11_250],
    );
    assert.deepEqual(
      retries.map(({ attempt }) => attempt),
      [1, 2, 3, 4, 5, 6, 7],
    );
    assert.equal(clock.pendingTimers, 1); // the heartbeat
  });

  it('are counted anew when something was brought forward', async () => {
    await using fixture = await Fixture.make({ retries: 1 });
    const content = someBytes(8 * MIB);
    const source = await fixture.writeLocal('a', content);
    const { server, client } = fixture;
    server.faults.cutAfterReceivedBytes = MIB;
    let cuts = 1;
    const result = await client.upload(source, 'a', {
      onProgress: () => {
        if (server.faults.cutAfterReceivedBytes === undefined && cuts < 6) {
          cuts += 1;
          server.faults.cutAfterReceivedBytes = server.receivedDataBytes + MIB;
        }
      },
    });
    assertSameBytes(await fixture.readRemote('a'), content);
    assert(result.attempts > 3, `${result.attempts} attempts`);
  });

  it('wait for a server that is started again', async () => {
    let restarting: Promise<PlainServer> | undefined;
    await using fixture = await Fixture.make({
      retries: 100,
      retryDelayMs: 5,
      onRetry: () => {
        restarting ??= PlainServer.listen({ root: fixture.server.root }, port);
      },
    });
    const port = fixture.server.port;
    const content = someBytes(16 * MIB);
    const source = await fixture.writeLocal('a', content);
    let closing: Promise<void> | undefined;
    await fixture.client.upload(source, 'a', {
      onProgress: ({ bytesDone }) => {
        if (bytesDone > MIB) closing ??= fixture.server.close();
      },
    });
    await closing;
    await using _ = (await restarting)!;
    assertSameBytes(await fixture.readRemote('a'), content);
  });

  it('are not made for what will not change', async () => {
    const retries: RetryInfo[] = [];
    await using fixture = await Fixture.make({ onRetry: (info) => retries.push(info) });
    await assert.rejects(fixture.client.list('nowhere'));
    assert.deepEqual(retries, []);
  });
});

describe('Connections', () => {
  it('are used again by the next call', async () => {
    await using fixture = await Fixture.make();
    for (let i = 0; i < 3; i++) await fixture.client.list('');
    const source = await fixture.writeLocal('a', someBytes(10));
    for (let i = 0; i < 3; i++) await fixture.client.upload(source, 'a');
    for (let i = 0; i < 3; i++) await fixture.client.download('a', fixture.local('b'));
    assert.equal(fixture.server.acceptedConnections, 2); // one for each protocol
  });

  it('are several for several calls, and never more than allowed', async () => {
    await using fixture = await Fixture.make({ maxConnections: 3 });
    const { client, server } = fixture;
    const source = await fixture.writeLocal('a', someBytes(MIB));
    let most = 0;
    const onProgress = () => {
      most = Math.max(most, server.openConnections);
    };
    await Promise.all(Array.from({ length: 20 }, (_, i) => client.upload(source, `f${i}`, { onProgress })));
    await Promise.all(
      Array.from({ length: 20 }, (_, i) => client.download(`f${i}`, fixture.local(`f${i}`), { onProgress })),
    );
    assert.equal(most, 3);
    assert.equal((await client.list('')).length, 20);
  });

  it('survive a refusal', async () => {
    await using fixture = await Fixture.make();
    for (let i = 0; i < 3; i++) await assert.rejects(fixture.client.list('nowhere'));
    for (let i = 0; i < 3; i++) await assert.rejects(fixture.client.download('nothing', fixture.local('b')));
    assert.equal(fixture.server.acceptedConnections, 2);
  });

  it('are replaced without a word when the server has closed them meanwhile', async () => {
    await using fixture = await Fixture.make();
    fixture.server.cutAll();
    assert.deepEqual(await fixture.client.list(''), []);
  });
});

describe('An aborted call', () => {
  type Call = (fixture: Fixture, signal: AbortSignal) => Promise<unknown>;
  const calls: [name: string, commands: readonly string[], call: Call][] = [
    [
      'upload',
      ['Upload', 'Eof'],
      async (fixture, signal) => fixture.client.upload(fixture.local('big'), 'x', { signal }),
    ],
    [
      'download',
      ['Download'],
      async (fixture, signal) => fixture.client.download('big', fixture.local('y'), { signal }),
    ],
    ['list', ['FileList'], async ({ client }, signal) => client.list('', { signal })],
  ];

  for (const [name, commands, call] of calls) {
    it(`rejects with the reason of its signal and leaves no listener: ${name}`, async () => {
      await using fixture = await Fixture.make();
      await fixture.writeLocal('big', someBytes(MIB));
      await fixture.writeRemote('big', someBytes(MIB));
      for (const ignored of commands) {
        fixture.server.faults.ignored = ignored;
        const controller = new AbortController();
        const reason = new Error('enough');
        const running = call(fixture, controller.signal);
        setTimeout(() => controller.abort(reason), 10);
        await assert.rejects(running, (error) => error === reason);
        assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
      }
      fixture.server.faults.ignored = undefined;
      const { signal } = new AbortController();
      await call(fixture, signal);
      assert.equal(getEventListeners(signal, 'abort').length, 0);
      await assert.rejects(call(fixture, AbortSignal.abort(new Error('before'))), /before/);
    });
  }

  it('ends also while it pauses between two attempts, or waits for a connection', async () => {
    await using fixture = await Fixture.make({ retryDelayMs: 100_000, maxConnections: 1 });
    const { client, server } = fixture;
    const pausing = new AbortController();
    const waiting = new AbortController();
    server.faults.ignored = 'FileList';
    const first = client.list('', { signal: pausing.signal });
    const second = client.list('', { signal: waiting.signal });
    setImmediate(() => waiting.abort(new Error('waited enough')));
    await assert.rejects(second, /waited enough/);
    await server.close();
    setTimeout(() => pausing.abort(new Error('paused enough')), 20);
    await assert.rejects(first, /paused enough/);
  });
});

describe('close', () => {
  it('rejects what is going on and everything later, and may be called twice', async () => {
    await using fixture = await Fixture.make();
    const { client, server } = fixture;
    server.faults.ignored = 'FileList';
    const listing = client.list('');
    const listed = assert.rejects(listing, { code: 'ERR_CLOSED', retryable: false });
    await client.close();
    await listed;
    await assert.rejects(client.list(''), { code: 'ERR_CLOSED' } satisfies Partial<ClientError>);
    await client.close();
  });

  it('leaves no socket and no timer', async () => {
    const clock = new ManualClock();
    const before = { sockets: active('TCP').length, timers: active('Timeout').length };
    {
      await using fixture = await Fixture.make({ clock });
      const source = await fixture.writeLocal('a', someBytes(MIB));
      await Promise.all([1, 2, 3].map((i) => fixture.client.upload(source, `${i}`)));
      await fixture.client.download('1', fixture.local('b'));
      await fixture.client.close();
      assert.equal(clock.pendingTimers, 0);
    }
    await new Promise((resolve) => setTimeout(resolve, 20)); // the handles close in the next turns of the loop
    assert.equal(active('TCP').length, before.sockets);
    assert(active('Timeout').length <= before.timers); // those of the test runner come and go
  });
});

function active(kind: string): string[] {
  return process.getActiveResourcesInfo().filter((name) => name.startsWith(kind));
}
