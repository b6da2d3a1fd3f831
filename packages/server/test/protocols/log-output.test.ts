import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ManualClock, type RawPeer } from '@sluice/testkit';
import { ProtocolFlag } from '@sluice/wire';
import { temporaryDirectory } from '../storage/temporary-directory.js';
import { JournalServer } from '../support/journal-server.js';
import { ask, eventually, TestServer } from '../support/test-server.js';

const FLAG = Uint8Array.of(ProtocolFlag.LogOutput);
const ESC = Uint8Array.of(0x1b);

/** Where a test has read a peer's bytes to. */
const places = new WeakMap<RawPeer, number>();

/** The bytes that have come since the last call, at least one. */
async function nextBytes(peer: RawPeer): Promise<string> {
  const at = places.get(peer) ?? 0;
  const received = await peer.receivedAtLeast(at + 1);
  places.set(peer, received.length);
  return received.toString('utf8', at);
}

/** Reads until the text matches. */
async function read(peer: RawPeer, pattern: RegExp): Promise<string> {
  let text = '';
  while (!pattern.test(text)) text += await nextBytes(peer);
  return text;
}

describe('LogOutput (specification 10)', () => {
  it('begins with a banner that starts with an empty line, then sends every event, its own first', async () => {
    await using directory = await temporaryDirectory();
    await using place = await JournalServer.start(directory.path);
    using reader = await place.server.connect();
    await reader.send(FLAG);
    const text = await read(reader, /protocol chosen.*protocol=LogOutput\r\n/);
    assert.match(text, /^\r\n[\x20-\x7e]+\r\n[\x20-\x7e]*ESC[\x20-\x7e]*\r\n/);
    using other = await place.server.login(ProtocolFlag.Upload);
    await ask(other, 'Nonsense');
    const more = await read(reader, /unknown command.*\r\n/);
    for (const line of more.trimEnd().split('\r\n'))
      assert.match(line, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \[\w+\] (ERROR|WARN |INFO |DEBUG): \S/);
    assert.match(more, /login accepted.*user=admin/);
  });

  for (const [title, parts] of [
    ['in the segment of the flag', [Uint8Array.of(9, 0x1b)]],
    ['in a segment of its own', [FLAG, ESC]],
    ['followed by more', [FLAG, Uint8Array.of(0x1b, 0x41, 0x42)]],
    ['after other input', [FLAG, Uint8Array.of(0x41), ESC]],
  ] as const) {
    it(`is left by ESC ${title} (D42)`, async () => {
      await using directory = await temporaryDirectory();
      await using place = await JournalServer.start(directory.path);
      using reader = await place.server.connect();
      for (const part of parts) {
        await reader.send(part);
        if (part[0] === 9 && part.length === 1) await read(reader, /ESC/);
        if (part[0] === 0x41) await read(reader, /ESC/);
      }
      await reader.waitForClose();
      const { closed } = place.server.server.listener.counters;
      await eventually('it is counted', () => closed.get('log-output-left') === 1);
    });
  }

  it('answers any other input with the banner', async () => {
    await using directory = await temporaryDirectory();
    await using place = await JournalServer.start(directory.path);
    using reader = await place.server.connect();
    await reader.send(FLAG);
    await read(reader, /protocol=LogOutput\r\n/);
    await reader.send(new TextEncoder().encode('help\r\n'));
    assert.match(await read(reader, /ESC/), /^\r\n/);
  });

  it('keeps 16 KiB for a reader that does not read, drops whole lines, and tells their number when there is room', async () => {
    await using directory = await temporaryDirectory();
    await using place = await JournalServer.start(directory.path);
    const { log } = place.opened;
    using reader = await place.server.connect();
    await reader.send(FLAG);
    await read(reader, /protocol=LogOutput\r\n/);
    reader.pause();
    const [connection] = place.server.server.listener.connections;
    let most = 0;
    const filler = 'u'.repeat(300);
    const count = 30_000;
    for (let i = 0; i < count; i += 1) {
      log.info('flood', { i, filler });
      most = Math.max(most, connection!.queuedBytes);
      if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(most <= 16 << 10, `${most} bytes are queued`);
    reader.resume();
    let text = '';
    let lines = 0;
    let dropped = 0;
    while (lines + dropped < count) {
      text += await nextBytes(reader);
      const parts = text.split('\r\n');
      text = parts.pop() ?? '';
      for (const part of parts) {
        const [, number] = /^(\d+) lines dropped$/.exec(part) ?? [];
        if (number !== undefined) dropped += Number(number);
        else if (/ flood i=\d+ filler=u{300}$/.test(part)) lines += 1;
        else assert.fail(`half a line, or another: ${part.slice(0, 100)}`);
      }
    }
    assert.ok(dropped > 0);
  });

  it('is for peers of this machine only, unless it is opened', async () => {
    await using server = await TestServer.start();
    using peer = await server.connect();
    await peer.send(FLAG);
    await peer.waitForClose();
  });

  it('is not idle while lines flow (V13), and is when none do', async () => {
    const clock = new ManualClock();
    await using directory = await temporaryDirectory();
    await using place = await JournalServer.start(directory.path, { clock, idleTimeoutMs: 10_000 });
    using reader = await place.server.connect();
    await reader.send(FLAG);
    await read(reader, /ESC/);
    clock.advance(50); // lines that follow one another leave together
    await read(reader, /protocol=LogOutput\r\n/);
    for (let i = 0; i < 5; i += 1) {
      clock.advance(6000);
      place.opened.log.info('tick', { i });
      await read(reader, new RegExp(`tick i=${i}\r\n`));
    }
    clock.advance(11_000);
    await reader.waitForClose();
  });
});
