import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Connection, DEFAULT_OUTBOUND_LIMITS, TlsContexts } from '@sluice/core';
import { CertificateFolder, issueForTest } from '@sluice/testkit';
import { eventually } from './support/eventually.js';
import { echo, Loopback } from './support/loopback.js';
import { SecurePeer } from './support/secure-peer.js';

const SECOND = 1000;
const LARGE = 40 << 20;
const outbound = { ...DEFAULT_OUTBOUND_LIMITS, hardLimitBytes: 64 << 20 };

let folder: CertificateFolder;
let contexts: TlsContexts;

before(async () => {
  folder = await CertificateFolder.make();
  const files = await folder.store('server', issueForTest({ hosts: ['127.0.0.1'] }));
  contexts = await TlsContexts.load({ certificates: [files] });
});

after(() => folder[Symbol.asyncDispose]());

/** A peer that can be made to read so much and no more. */
interface Reader {
  readonly socket: { pause(): unknown; resume(): unknown; write(text: string): unknown };
  readonly receivedBytes: number;
}

async function reads(peer: Reader, count: number): Promise<void> {
  const wanted = peer.receivedBytes + count;
  peer.socket.resume();
  await eventually(`${count} bytes more`, () => peer.receivedBytes >= wanted);
  peer.socket.pause();
}

const KINDS = {
  plain: (loopback: Loopback): Promise<Reader> => loopback.dial(),
  TLS: (loopback: Loopback): Promise<Reader> => SecurePeer.connect(loopback.port),
};

for (const [kind, dial] of Object.entries(KINDS)) {
  /** A connection whose peer has sent a byte and reads nothing. */
  const open = async (): Promise<{ loopback: Loopback; peer: Reader; connection: Connection }> => {
    const loopback = await Loopback.open({ tls: { contexts }, limits: { outbound } }, echo);
    const peer = await dial(loopback);
    peer.socket.write('x');
    await eventually('the echo', () => peer.receivedBytes === 1);
    peer.socket.pause();
    return { loopback, peer, connection: loopback.connections[0]! };
  };

  describe(`a peer that does not take what waits for it, ${kind}`, () => {
    it('is cut after 60 s, and at most 2 s late; what was queued is given back', async () => {
      const { loopback, connection } = await open();
      await using _ = loopback;
      let released = 0;
      connection.sendOwned(Buffer.alloc(LARGE), () => released++);
      await eventually('the system takes no more', () => connection.queuedBytes > 0);
      loopback.clock.advance(60 * SECOND - 1);
      assert.equal(connection.isClosing, false);
      loopback.clock.advance(2 * SECOND);
      assert.equal((await loopback.ending()).reason, 'write-stall');
      assert.deepEqual([released, connection.queuedBytes], [1, 0]);
    });

    it('is not saved by what it sends, nor by more that is sent to it', async () => {
      const { loopback, peer, connection } = await open();
      await using _ = loopback;
      connection.sendOwned(Buffer.alloc(LARGE), () => {});
      for (let i = 0; i < 6; i++) {
        loopback.clock.advance(10 * SECOND);
        peer.socket.write('x');
        await eventually('the byte', () => connection.receivedBytes === i + 2);
      }
      loopback.clock.advance(2 * SECOND);
      assert.equal(connection.closeReason, 'write-stall');
    });

    it('may take as long as it likes while it takes a little, be it of one single write', async () => {
      const { loopback, peer, connection } = await open();
      await using _ = loopback;
      connection.sendOwned(Buffer.alloc(LARGE), () => {});
      for (let i = 0; i < 3; i++) {
        loopback.clock.advance(55 * SECOND);
        await reads(peer, 4 << 20);
        loopback.clock.advance(SECOND);
      }
      assert.equal(connection.isClosing, false);
      assert.ok(connection.queuedBytes > 0);
      loopback.clock.advance(61 * SECOND);
      assert.equal(connection.closeReason, 'write-stall');
    });

    it('is not cut for a time in which nothing waited', async () => {
      const { loopback, connection } = await open();
      await using _ = loopback;
      loopback.clock.advance(200 * SECOND);
      connection.sendOwned(Buffer.alloc(LARGE), () => {});
      await eventually('the system takes no more', () => connection.queuedBytes > 0);
      loopback.clock.advance(59 * SECOND);
      assert.equal(connection.isClosing, false);
      loopback.clock.advance(3 * SECOND);
      assert.equal(connection.closeReason, 'write-stall');
    });
  });
}

it('the deadline of a stalled write can be switched off', async () => {
  await using loopback = await Loopback.open(
    { writeStallTimeoutMs: 0, firstByteTimeoutMs: 0, limits: { outbound } },
    echo,
  );
  const { peer, connection } = await loopback.connect();
  peer.stopReading();
  connection.sendOwned(Buffer.alloc(LARGE), () => {});
  loopback.clock.advance(299 * SECOND);
  assert.equal(connection.isClosing, false);
});
