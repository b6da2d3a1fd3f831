import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { RemoteFile } from '@sluice/client';
import { ManualClock } from '@sluice/testkit';
import fc from 'fast-check';
import { assertSameBytes, Fixture, MIB, someBytes } from './fixture.js';
import { ScriptedServer } from './scripted-server.js';

describe('A remote file on an original server', () => {
  it('is read and written at its position, which every call moves as said', async () => {
    await using fixture = await Fixture.make();
    await using file = await fixture.client.openRemoteFile('/new.bin', { mode: 'write' });
    await file.write(Buffer.from('0123456789'));
    assert.equal(file.position, 10);
    assert.equal(await file.seek(2), 2);
    assert.equal(text(await file.read(3)), '234');
    assert.equal(await file.seek(-1, { from: 'position' }), 4);
    await file.write(Buffer.from('x'));
    assert.equal(await file.seek(-2, { from: 'end' }), 8);
    assert.equal(text(await file.read(100)), '89');
    assert.equal((await file.read(100)).length, 0);
    await file.truncate(5);
    assert.equal(file.position, 5);
    assert.deepEqual(await file.stat(), { size: 5 });
    assert.equal(text(await fixture.readRemote('new.bin')), '0123x');
    await assert.rejects(file.seek(-1), { code: 'ERR_OPTION_RANGE' });
    await assert.rejects(file.sync(), { code: 'ERR_UNSUPPORTED' });
  });

  it('is asked without a login, without an extension, and never for two things at a time', async () => {
    await using fixture = await Fixture.make();
    const content = someBytes(100_000);
    await fixture.writeRemote('a', content);
    const before = fixture.server.texts.length;
    await using file = await fixture.client.openRemoteFile('a');
    const reads = Array.from({ length: 20 }, (_, i) => file.readAt(i * 5_000, 5_000));
    assertSameBytes(Buffer.concat(await Promise.all(reads)), content);
    const requests = fixture.server.texts.slice(before);
    assert.deepEqual(
      [...new Set(requests.map(({ command }) => command))],
      ['FileExists', 'OpenFile', 'Read'], // in order: no place has to be set
    );
    for (const key of ['Tag', 'Handle', 'KeepMs', 'Features'])
      assert.ok(
        requests.every((request) => request.first(key) === undefined),
        key,
      );
  });

  it('is not made by opening it for reading', async () => {
    await using fixture = await Fixture.make();
    await assert.rejects(fixture.client.openRemoteFile('none'), { code: 'ERR_REMOTE', resultCode: 9 });
    assert.equal(existsSync(join(fixture.server.root, 'none')), false);
  });

  it('holds what any sequence of calls has made of it', async () => {
    await using fixture = await Fixture.make();
    let run = 0;
    const step = fc.oneof(
      fc.record({ kind: fc.constant('write' as const), at: fc.nat(300), bytes: fc.uint8Array({ maxLength: 80 }) }),
      fc.record({ kind: fc.constant('read' as const), at: fc.nat(400), count: fc.nat(200) }),
      fc.record({ kind: fc.constant('next' as const), count: fc.nat(100) }),
      fc.record({ kind: fc.constant('truncate' as const), size: fc.nat(400) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        await using file = await fixture.client.openRemoteFile(`f${run++}`, { mode: 'write' });
        let model: Buffer = Buffer.alloc(0);
        let position = 0;
        for (const each of steps) {
          if (each.kind === 'write') {
            const longer = each.bytes.length === 0 ? model : extended(model, each.at + each.bytes.length);
            longer.set(each.bytes, each.bytes.length === 0 ? 0 : each.at);
            model = longer;
            await file.writeAt(each.at, each.bytes);
          } else if (each.kind === 'read') {
            assertSameBytes(await file.readAt(each.at, each.count), model.subarray(each.at, each.at + each.count));
          } else if (each.kind === 'next') {
            const expected = model.subarray(position, position + each.count);
            assertSameBytes(await file.read(each.count), expected);
            position += expected.length;
          } else {
            await file.truncate(each.size);
            model = Buffer.from(extended(model, each.size).subarray(0, each.size));
            position = Math.min(position, each.size);
          }
          assert.equal(file.position, position);
        }
        assertSameBytes(await fixture.readRemote(`f${run - 1}`), model);
      }),
      { numRuns: 25 },
    );
  });

  it('rejects every call once the link is broken, and says so', async () => {
    await using fixture = await Fixture.make();
    await fixture.writeRemote('a', someBytes(10));
    await using file = await fixture.client.openRemoteFile('a');
    const lost = { code: 'ERR_CONNECTION_LOST', retryable: false, message: /the server has not kept a open/ };
    fixture.server.faults.ignored = 'Read';
    const reading = assert.rejects(file.readAt(0, 10), lost);
    await until(() => fixture.server.commands.at(-1) === 'read');
    fixture.server.cutAll();
    await reading;
    await assert.rejects(file.stat(), lost);
  });

  it('is kept open by heartbeats that an original server answers', async () => {
    const clock = new ManualClock();
    await using fixture = await Fixture.make({ clock });
    await fixture.writeRemote('a', someBytes(10));
    await using file = await fixture.client.openRemoteFile('a');
    clock.advance(60_000);
    await until(() => fixture.server.commands.includes('getposition'));
    assert.equal((await file.readAt(0, 10)).length, 10);
  });
});

describe('Streams of a remote file', () => {
  it('bring the bytes of a range, and put bytes into one, larger than what one request may carry', async () => {
    await using fixture = await Fixture.make();
    const content = someBytes(5 * MIB + 11);
    await fixture.writeRemote('a', content);
    await using file = await fixture.client.openRemoteFile('a', { mode: 'write' });
    assertSameBytes(await allOf(file), content);
    const part = await allOf(file, { offset: 1_000, length: 3 * MIB });
    assertSameBytes(part, content.subarray(1_000, 1_000 + 3 * MIB));
    assert.equal((await allOf(file, { offset: content.length })).length, 0);
    assert.equal(file.position, 0);

    const writer = file.writable({ offset: 4 * MIB }).getWriter();
    const chunk = Buffer.alloc(0);
    const reused = Buffer.alloc(700_000);
    for (let i = 0; i < 4; i++) {
      reused.fill(i);
      await writer.write(reused);
      await writer.write(chunk);
    }
    await writer.close();
    const after = await fixture.readRemote('a');
    assert.equal(after.length, 4 * MIB + 4 * 700_000);
    assertSameBytes(after.subarray(0, 4 * MIB), content.subarray(0, 4 * MIB));
    for (let i = 0; i < 4; i++) {
      const from = 4 * MIB + i * 700_000;
      assertSameBytes(after.subarray(from, from + 700_000), Buffer.alloc(700_000, i));
    }
  });

  it('end with the reason of their signal', async () => {
    await using fixture = await Fixture.make();
    await fixture.writeRemote('a', someBytes(MIB));
    await using file = await fixture.client.openRemoteFile('a', { mode: 'write' });
    const { signal } = new AbortController();
    await allOf(file, { signal });
    assert.equal(getEventListeners(signal, 'abort').length, 0);
    const controller = new AbortController();
    controller.abort(new Error('enough'));
    await assert.rejects(allOf(file, { signal: controller.signal }), /enough/);
    const writer = file.writable({ signal: controller.signal }).getWriter();
    writer.closed.catch(() => {});
    await assert.rejects(writer.write(Buffer.from('x')), /enough/);
  });

  it('tell a write that failed', async () => {
    await using fixture = await Fixture.make();
    const file = await fixture.client.openRemoteFile('a', { mode: 'write' });
    const writer = file.writable().getWriter();
    writer.closed.catch(() => {});
    await writer.write(Buffer.from('x'));
    fixture.server.cutAll();
    await assert.rejects(
      (async () => {
        for (;;) await writer.write(Buffer.alloc(MIB));
      })(),
      { code: 'ERR_CONNECTION_LOST' },
    );
  });
});

describe('Calls of a remote file', () => {
  it('are called off one by one, and leave no listener', async () => {
    await using fixture = await Fixture.make();
    await fixture.writeRemote('a', someBytes(10));
    fixture.server.faults.answerDelayMs = 20;
    await using file = await fixture.client.openRemoteFile('a');
    const controller = new AbortController();
    const reason = new Error('enough');
    const first = file.read(5, { signal: controller.signal });
    const second = file.read(5);
    controller.abort(reason);
    await assert.rejects(first, (error) => error === reason);
    assert.equal((await second).length, 5);
    assert.equal(file.position, 5); // of the second one alone
    assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
    await assert.rejects(file.stat({ signal: controller.signal }), /enough/);
  });

  it('reject with ERR_CLOSED after close, which may be called twice', async () => {
    await using fixture = await Fixture.make();
    await fixture.writeRemote('a', someBytes(10));
    const file = await fixture.client.openRemoteFile('a');
    await Promise.all([file.close(), file.close()]);
    await assert.rejects(file.read(1), { code: 'ERR_CLOSED' });
    assert.throws(() => file.readable(), { code: 'ERR_CLOSED' });
  });

  it('reject with ERR_CLOSED when the client is closed', async () => {
    await using fixture = await Fixture.make();
    await fixture.writeRemote('a', someBytes(10));
    const file = await fixture.client.openRemoteFile('a');
    fixture.server.faults.ignored = 'Read';
    const reading = assert.rejects(file.read(1), { code: 'ERR_CLOSED' });
    await until(() => fixture.server.commands.at(-1) === 'read');
    await fixture.client.close();
    await reading;
    await file.close();
    await assert.rejects(fixture.client.openRemoteFile('a'), { code: 'ERR_CLOSED' });
  });

  it('refuse what is out of range', async () => {
    await using fixture = await Fixture.make();
    await fixture.writeRemote('a', someBytes(10));
    const { client } = fixture;
    await assert.rejects(client.openRemoteFile('a', { keepMs: -1 }), { code: 'ERR_OPTION_RANGE' });
    await assert.rejects(client.openRemoteFile('a', { readAheadBytes: 2 ** 31 }), { code: 'ERR_OPTION_RANGE' });
    await assert.rejects(client.openRemoteFile('a/'), { code: 'ERR_URL' });
    await using file = await client.openRemoteFile('a');
    await assert.rejects(file.readAt(-1, 5), { code: 'ERR_OPTION_RANGE' });
    await assert.rejects(file.readAt(0, 1.5), { code: 'ERR_OPTION_RANGE' });
    await assert.rejects(file.truncate(-1), { code: 'ERR_OPTION_RANGE' });
  });

  it('have a connection of their own for each file, beside those for calls', async () => {
    await using fixture = await Fixture.make({ maxConnections: 1 });
    await fixture.writeRemote('a', someBytes(10));
    const files: RemoteFile[] = [];
    for (let i = 0; i < 3; i++) files.push(await fixture.client.openRemoteFile('a'));
    assert.equal((await fixture.client.list('')).length, 1);
    assert.equal(fixture.server.openConnections, 4);
    await Promise.all(files.map((file) => file.close()));
    await until(() => fixture.server.openConnections <= 1);
  });
});

describe('Requests with a Tag', () => {
  it('are sent without waiting for one another, and answered in any order', async () => {
    await using server = await ScriptedServer.start();
    await using client = await server.connect();
    const opening = client.openRemoteFile('a');
    await server.answerOpening();
    const file = await opening;
    const reads = [0, 1, 2].map((position) => file.readAt(position, 1));
    const requests = await server.next(3);
    for (const { tag, text: request } of requests.toReversed())
      server.answer(
        'ReadAt',
        [
          ['Tag', tag],
          ['Count', 1],
        ],
        Buffer.from(`${request.first('Position')}`),
      );
    assert.deepEqual((await Promise.all(reads)).map(text), ['0', '1', '2']);
  });

  it('fail alone when the server refuses one', async () => {
    await using server = await ScriptedServer.start();
    await using client = await server.connect();
    const opening = client.openRemoteFile('a');
    await server.answerOpening();
    const file = await opening;
    const [first, second] = [file.readAt(0, 1), file.readAt(1, 1)];
    const refused = assert.rejects(first, { code: 'ERR_REMOTE', resultCode: 11 });
    const [one, two] = await server.next(2);
    server.answer('ReadAt', [
      ['Tag', two!.tag],
      ['Count', 0],
    ]);
    server.refuse('ReadAt', 11, one!.tag);
    await refused;
    assert.equal((await second).length, 0);
  });

  const lies: [what: string, answer: (server: ScriptedServer, tag: number) => void][] = [
    [
      'a Tag that is not awaited',
      (server, tag) =>
        server.answer('ReadAt', [
          ['Tag', tag + 1],
          ['Count', 0],
        ]),
    ],
    [
      'another command',
      (server, tag) =>
        server.answer('WriteAt', [
          ['Tag', tag],
          ['Count', 0],
        ]),
    ],
    ['no Tag', (server) => server.answer('ReadAt', [['Count', 0]])],
    [
      'more than was asked for',
      (server, tag) =>
        server.answer(
          'ReadAt',
          [
            ['Tag', tag],
            ['Count', 9],
          ],
          someBytes(9),
        ),
    ],
    [
      'another Count than data',
      (server, tag) =>
        server.answer(
          'ReadAt',
          [
            ['Tag', tag],
            ['Count', 4],
          ],
          someBytes(3),
        ),
    ],
    ['no Count', (server, tag) => server.answer('ReadAt', [['Tag', tag]])],
  ];
  for (const [what, answer] of lies) {
    it(`end the connection when the answer has ${what}`, async () => {
      await using server = await ScriptedServer.start();
      await using client = await server.connect();
      const opening = client.openRemoteFile('a');
      await server.answerOpening();
      const file = await opening;
      const reading = assert.rejects(file.readAt(0, 4), { code: 'ERR_PROTOCOL' });
      const [request] = await server.next(1);
      answer(server, request!.tag);
      await reading;
      await assert.rejects(file.stat(), { code: 'ERR_PROTOCOL' });
    });
  }

  it('read ahead for who reads in order, more each time up to the bound, and not for others', async () => {
    await using server = await ScriptedServer.start();
    await using client = await server.connect();
    const opening = client.openRemoteFile('a', { readAheadBytes: MIB });
    await server.answerOpening();
    const file = await opening;
    server.serveReads(64 * MIB);
    await file.readAt(0, 100);
    await file.read(1_000);
    await file.seek(5_000);
    await file.read(1_000);
    assert.equal(server.mostAhead, 1_000, 'nothing was read that nobody has asked for');
    for (let i = 0; i < 2_000; i++) await file.read(10_000);
    assert.ok(server.mostAhead > MIB / 2 && server.mostAhead <= MIB, `${server.mostAhead} bytes ahead`);
    assert.ok(server.reads < 200, `${server.reads} requests for 2,000 reads`);
  });
});

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}

function extended(bytes: Buffer, length: number): Buffer {
  const longer = Buffer.alloc(Math.max(bytes.length, length));
  longer.set(bytes);
  return longer;
}

async function allOf(file: RemoteFile, range: Parameters<RemoteFile['readable']>[0] = {}): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of file.readable(range)) parts.push(part);
  return Buffer.concat(parts);
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2));
}
