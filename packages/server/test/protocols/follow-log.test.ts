import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RawPeer } from '@sluice/testkit';
import {
  decodeCommandText,
  decodeLogLines,
  decodeResponse,
  encodeFollowLogRequest,
  encodePacket,
  type FollowLogRequest,
  type LogLines,
  ProtocolFlag,
} from '@sluice/wire';
import { temporaryDirectory } from '../storage/temporary-directory.js';
import { JournalServer } from '../support/journal-server.js';
import { answer, ask, login, TestServer } from '../support/test-server.js';

const { Control } = ProtocolFlag;

async function follow(peer: RawPeer, request: FollowLogRequest): Promise<void> {
  await peer.send(encodePacket(encodeFollowLogRequest(request)));
  assert.deepEqual(await answer(peer), ['Command=FollowLog', 'Code=0']);
}

async function next(peer: RawPeer): Promise<LogLines> {
  const { text, data } = await peer.nextPacket();
  const bytes = new TextEncoder().encode(text);
  return decodeLogLines(decodeResponse(decodeCommandText(bytes, 0, bytes.length)), Buffer.from(data).toString());
}

/** All lines that there are now, of one event. */
async function history(place: JournalServer, peer: RawPeer, request: FollowLogRequest, event = 'line') {
  await place.opened.log.journal?.settled();
  await follow(peer, { ...request, follows: false });
  const numbers: unknown[] = [];
  let missed = 0;
  for (;;) {
    const page = await next(peer);
    missed += page.missed;
    const records = page.lines.map((line) => JSON.parse(line) as { event: string; i: number });
    numbers.push(...records.filter((record) => record.event === event).map(({ i }) => i));
    if (page.isEnd) return { numbers, missed, cursor: page.cursor };
  }
}

describe('FollowLog (docs/protocol.md, section 17)', () => {
  it('brings history, then lines as they come, each once', async () => {
    await using directory = await temporaryDirectory();
    await using place = await JournalServer.start(directory.path);
    const { log } = place.opened;
    for (let i = 0; i < 10; i += 1) log.info('line', { i });
    using peer = await place.server.login(Control);
    await follow(peer, { lines: 1000 });
    const seen: number[] = [];
    for (let i = 10; seen.length < 500; ) {
      while (i < 500 && i < seen.length + 20) log.info('line', { i: i++ });
      const { lines, missed } = await next(peer);
      assert.equal(missed, 0);
      for (const line of lines) {
        const record = JSON.parse(line) as { event: string; i: number };
        if (record.event === 'line') seen.push(record.i);
      }
    }
    assert.deepEqual(
      seen,
      Array.from({ length: 500 }, (_, i) => i),
    );
  });

  it('goes on behind a cursor, also after the server has started again', async () => {
    await using directory = await temporaryDirectory();
    let cursor: string;
    {
      await using place = await JournalServer.start(directory.path);
      for (let i = 0; i < 5; i += 1) place.opened.log.info('line', { i });
      using peer = await place.server.login(Control);
      const first = await history(place, peer, { lines: 1000 });
      assert.deepEqual(first.numbers, [0, 1, 2, 3, 4]);
      cursor = first.cursor;
      for (let i = 5; i < 8; i += 1) place.opened.log.info('line', { i });
    }
    await using place = await JournalServer.start(directory.path);
    for (let i = 8; i < 10; i += 1) place.opened.log.info('line', { i });
    using peer = await place.server.login(Control);
    const second = await history(place, peer, { cursor });
    assert.deepEqual([second.numbers, second.missed], [[5, 6, 7, 8, 9], 0]);
  });

  it('tells exactly how many lines are not kept any more', async () => {
    await using directory = await temporaryDirectory();
    await using place = await JournalServer.start(directory.path, { maxBytes: 512 << 10 });
    const { log } = place.opened;
    using peer = await place.server.login(Control);
    const { cursor } = await history(place, peer, { lines: 1000 });
    const count = 20_000;
    for (let i = 0; i < count; i += 1) {
      log.info('line', { i, filler: 'x'.repeat(50) });
      if (i % 500 === 0) await log.journal?.settled();
    }
    await log.journal?.settled();
    const { numbers, missed } = await history(place, peer, { cursor });
    assert.ok(missed > 0 && numbers.length > 0);
    assert.equal(numbers[0], count - numbers.length);
    // What else was missed are lines of the connection itself.
    assert.ok(missed - (count - numbers.length) >= 0 && missed - (count - numbers.length) < 10, `${missed}`);
  });

  it('of another journal says that nobody can know what was missed', async () => {
    await using directory = await temporaryDirectory();
    await using place = await JournalServer.start(directory.path);
    place.opened.log.info('line', { i: 0 });
    using peer = await place.server.login(Control);
    const { numbers, missed } = await history(place, peer, { cursor: '0123456789abcdef:5' });
    assert.deepEqual([numbers, missed], [[0], -1]);
  });

  it('leaves out what is less important, and what lacks a field', async () => {
    await using directory = await temporaryDirectory();
    await using place = await JournalServer.start(directory.path);
    const { log } = place.opened;
    log.error('line', { i: 0, user: 'ada' });
    log.info('line', { i: 1, user: 'ada' });
    log.warn('line', { i: 2, user: 'bob' });
    log.warn('line', { i: 3, user: 'ada', name: 'a=b' });
    using peer = await place.server.login(Control);
    assert.deepEqual((await history(place, peer, { lines: 100, level: 'warn' })).numbers, [0, 2, 3]);
    assert.deepEqual((await history(place, peer, { lines: 100, conditions: ['user=ada'] })).numbers, [0, 1, 3]);
    assert.deepEqual((await history(place, peer, { lines: 100, conditions: ['user=ada', 'name=a=b'] })).numbers, [3]);
  });

  it('does not queue more than a packet for a reader that does not read', async () => {
    await using directory = await temporaryDirectory();
    await using place = await JournalServer.start(directory.path, { maxBytes: 64 << 20 });
    const { log } = place.opened;
    using peer = await place.server.login(Control);
    const [connection] = place.server.server.listener.connections;
    await follow(peer, { lines: 0 });
    peer.pause();
    const count = 60_000;
    let most = 0;
    for (let i = 0; i < count; i += 1) {
      log.info('line', { i, filler: 'x'.repeat(200) });
      if (i % 200 === 0) {
        await log.journal?.settled();
        most = Math.max(most, connection!.queuedBytes);
      }
    }
    assert.ok(most > 0 && most < 256 << 10, `${most} bytes are queued`);
    peer.resume();
    let seen = 0;
    for (let page = await next(peer); ; page = await next(peer)) {
      assert.equal(page.missed, 0);
      for (const line of page.lines) if (line.includes('"event":"line"')) seen += 1;
      if (seen === count) break;
    }
  });

  it('needs the role admin, and is unknown where no log is kept', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(Control);
    assert.equal((await ask(peer, 'FollowLog'))[1], 'Code=1');
  });

  for (const fields of [
    [['Count', -1]],
    [['Count', 1_000_001]],
    [['Value', 'loud']],
    [['Item', 'no condition']],
    [['Follow', 'perhaps']],
    [['Cursor', 'x']],
    Array.from({ length: 17 }, () => ['Item', 'a=b'] as const),
  ] as const) {
    it(`refuses ${fields[0]?.join('=')} (${fields.length} times) with code 6`, async () => {
      await using directory = await temporaryDirectory();
      await using place = await JournalServer.start(directory.path);
      using peer = await place.server.login(Control);
      const given = fields.map(([key, value]) => [key, value] as [string, string | number]);
      assert.equal((await ask(peer, 'FollowLog', given))[1], 'Code=6');
      assert.equal((await ask(peer, 'Active'))[1], 'Code=0');
    });
  }

  it('is announced to clients that know extensions', async () => {
    await using directory = await temporaryDirectory();
    await using place = await JournalServer.start(directory.path);
    using peer = await place.server.connect();
    await peer.send(Uint8Array.of(Control), login([['Features', '']]));
    assert.equal((await answer(peer))[2], 'Features=Clients,ServerControl,Explain,Users,Logs,Scram');
  });
});
