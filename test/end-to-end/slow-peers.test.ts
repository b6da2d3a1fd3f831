import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import net from 'node:net';
import { describe, it } from 'node:test';
import { RawPeer } from '@sluice/testkit';
import { encodePacket, ProtocolFlag, requestText } from '@sluice/wire';
import { Scratch, ServeCommand, sluice } from './support/command.js';

const SLOW_PEERS = 1000;

/** Far beyond each deadline of these servers, in milliseconds. */
const GONE_WITHIN_MS = 30_000;

/** A packet of 1 MiB with a text of 4 KiB, of which a byte comes now and then. */
const BEGUN = Buffer.from([ProtocolFlag.Upload, 0, 0, 16, 0, 0, 16, 0, 0]);

const LOGIN = encodePacket(
  requestText('Login', [
    ['UserName', 'admin'],
    ['Password', '21232f297a57a5a743894a0e4a801fc3'],
  ]),
);
const DOWNLOAD = encodePacket(
  requestText('Download', [
    ['DirName', ''],
    ['FileName', 'large'],
    ['FileSize', '0'],
    ['PacketSize', '65536'],
  ]),
);

/** So many connections that send a byte every `periodMs` until the server ends them; tells when that was, from their beginning on. */
async function slowloris(port: number, count: number, periodMs: number): Promise<number[]> {
  const ended = Array.from({ length: count }, async () => {
    const startedMs = performance.now();
    const socket = net.connect(port, '127.0.0.1');
    socket.write(BEGUN);
    const timer = setInterval(() => socket.write('x'), periodMs);
    socket.on('error', () => {}); // a reset
    socket.resume();
    await new Promise((resolve) => socket.once('close', resolve));
    clearInterval(timer);
    return performance.now() - startedMs;
  });
  return Promise.all(ended);
}

describe('peers that are slow on purpose', () => {
  for (const [title, options, reason] of [
    ['a packet a byte at a time', ['--frame-timeout', '3s', '--login-timeout', '0'], 'frame-timeout'],
    ['no login', ['--login-timeout', '3s', '--frame-timeout', '0'], 'login-timeout'],
  ] as const) {
    it(`${SLOW_PEERS} that send ${title} are gone by their deadline, and others are served meanwhile`, async () => {
      await using scratch = await Scratch.make();
      await writeFile(scratch.path('source'), Buffer.alloc(4 << 20, 1));
      await using server = await ServeCommand.start(scratch.folder, ['--max-unestablished', '0', ...options]);
      let areGone = false;
      const gone = slowloris(server.port, SLOW_PEERS, 100).finally(() => {
        areGone = true;
      });
      let served = 0;
      while (!areGone) {
        const put = await sluice(['put', scratch.path('source'), `${server.url}copy-${served}`]);
        assert.equal(put.exitCode, 0, put.stderr);
        served += 1;
      }
      const times = await gone;
      assert.ok(served > 0);
      assert.ok(Math.min(...times) >= 3000, `the first after ${Math.min(...times)} ms`);
      assert.ok(Math.max(...times) < GONE_WITHIN_MS, `the last after ${Math.max(...times)} ms`);
      const stats = await sluice(['stats', '--json', server.url]);
      assert.equal(stats.exitCode, 0, stats.stderr);
      const { connections } = JSON.parse(stats.stdout) as {
        connections: { now: number; closed: Record<string, number> };
      };
      assert.equal(connections.closed[reason], SLOW_PEERS, stats.stdout);
      assert.equal(connections.now, 1); // the one that asks
    });
  }

  it('one that takes nothing of its download is gone by the deadline', async () => {
    await using scratch = await Scratch.make();
    await writeFile(scratch.path('large'), Buffer.alloc(64 << 20));
    await using server = await ServeCommand.start(scratch.folder, ['--write-stall-timeout', '500ms']);
    using peer = await RawPeer.connect(server.port);
    peer.pause();
    await peer.send(Uint8Array.of(ProtocolFlag.Download), LOGIN, DOWNLOAD);
    const deadlineMs = performance.now() + GONE_WITHIN_MS;
    for (;;) {
      const stats = await sluice(['stats', '--json', server.url]);
      assert.equal(stats.exitCode, 0, stats.stderr);
      const { connections } = JSON.parse(stats.stdout) as { connections: { closed: Record<string, number> } };
      if (connections.closed['write-stall'] === 1) break;
      assert.ok(performance.now() < deadlineMs, stats.stdout);
    }
  });
});
