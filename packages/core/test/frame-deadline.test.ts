import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Connection, FrameHandler } from '@sluice/core';
import { eventually } from './support/eventually.js';
import { Loopback, type LoopbackOptions } from './support/loopback.js';
import { frame, type Peer } from './support/peer.js';

const SECOND = 1000;
const HEAD = Buffer.from([0, 16, 0, 0]); // of a frame of 1 MiB

async function open(options: LoopbackOptions = {}, handler: FrameHandler = { onFrame() {} }) {
  const loopback = await Loopback.openFramed(options, () => handler);
  const { peer, connection } = await loopback.connect();
  return { loopback, peer, connection };
}

async function send(peer: Peer, connection: Connection, bytes: Uint8Array): Promise<void> {
  const wanted = connection.receivedBytes + bytes.length;
  peer.send(bytes);
  await eventually('the bytes', () => connection.receivedBytes === wanted || connection.isClosing);
}

/** Sends so many bytes each second. */
async function trickle(
  { loopback, peer, connection }: Awaited<ReturnType<typeof open>>,
  bytes: number,
  seconds: number,
): Promise<void> {
  for (let i = 0; i < seconds && !connection.isClosing; i++) {
    await send(peer, connection, Buffer.alloc(bytes));
    loopback.clock.advance(SECOND);
  }
}

for (const isTakenInPieces of [false, true]) {
  const handler: FrameHandler = { onFrame() {}, onBegun: () => isTakenInPieces, onPiece() {} };
  describe(`the deadline of a frame that is ${isTakenInPieces ? 'taken in pieces' : 'put together'}`, () => {
    it('ends a connection whose frame has begun and does not go on for 30 s, and at most 1 s late', async () => {
      const { loopback, peer, connection } = await open({}, handler);
      await using _ = loopback;
      await send(peer, connection, HEAD);
      loopback.clock.advance(30 * SECOND - 1);
      assert.equal(connection.isClosing, false);
      loopback.clock.advance(SECOND);
      await peer.gone();
      assert.equal((await loopback.ending()).reason, 'frame-timeout');
    });

    it('ends a connection whose frame comes a byte a second, within 32 s', async () => {
      const opened = await open({}, handler);
      await using loopback = opened.loopback;
      await send(opened.peer, opened.connection, HEAD);
      await trickle(opened, 1, 60);
      assert.equal(opened.connection.closeReason, 'frame-timeout');
      assert.ok(loopback.clock.nowMs() <= 32 * SECOND, `after ${loopback.clock.nowMs()} ms`);
    });

    it('lets a slow frame come that keeps to 1 KiB a second, for as long as it takes', async () => {
      const opened = await open({}, handler);
      await using _ = opened.loopback;
      await send(opened.peer, opened.connection, HEAD);
      await trickle(opened, 1100, 300);
      assert.equal(opened.connection.isClosing, false);
      await trickle(opened, 100, 62);
      assert.equal(opened.connection.closeReason, 'frame-timeout');
    });

    it('takes the mean of 30 s: a link that stands still for 20 s and then catches up is slow, not dead', async () => {
      const opened = await open({}, handler);
      await using loopback = opened.loopback;
      await send(opened.peer, opened.connection, HEAD);
      for (let i = 0; i < 10; i++) {
        loopback.clock.advance(20 * SECOND);
        await send(opened.peer, opened.connection, Buffer.alloc(32 << 10));
      }
      assert.equal(opened.connection.isClosing, false);
    });
  });
}

describe('the deadline of a frame', () => {
  it('begins anew with each frame', async () => {
    const { loopback, peer, connection } = await open();
    await using _ = loopback;
    const whole = frame('a frame');
    await send(peer, connection, whole.subarray(0, 5));
    for (let i = 0; i < 5; i++) {
      loopback.clock.advance(29 * SECOND);
      await send(peer, connection, Buffer.concat([whole.subarray(5), whole.subarray(0, 5)]));
    }
    assert.equal(connection.isClosing, false);
    loopback.clock.advance(32 * SECOND);
    assert.equal(connection.closeReason, 'frame-timeout');
  });

  it('does not run between frames', async () => {
    const { loopback, peer, connection } = await open();
    await using _ = loopback;
    await send(peer, connection, frame('a frame'));
    loopback.clock.advance(299 * SECOND);
    assert.equal(connection.isClosing, false);
  });

  it('does not count the time in which the handler works', async () => {
    const done: (() => void)[] = [];
    const { loopback, peer, connection } = await open(
      {},
      { onFrame: () => new Promise((resolve) => done.push(resolve)) },
    );
    await using _ = loopback;
    await send(peer, connection, Buffer.concat([frame('a frame'), HEAD]));
    loopback.clock.advance(200 * SECOND);
    assert.equal(connection.isClosing, false);
    done[0]!();
    await eventually('it is done', () => !connection.handler.isWorking);
    loopback.clock.advance(29 * SECOND);
    assert.equal(connection.isClosing, false);
    loopback.clock.advance(3 * SECOND);
    assert.equal(connection.closeReason, 'frame-timeout');
  });

  it('does not count the time in which we do not read', async () => {
    const { loopback, peer, connection } = await open();
    await using _ = loopback;
    await send(peer, connection, HEAD);
    loopback.clock.advance(20 * SECOND);
    connection.pauseReading();
    loopback.clock.advance(200 * SECOND);
    connection.resumeReading();
    loopback.clock.advance(9 * SECOND);
    assert.equal(connection.isClosing, false);
    loopback.clock.advance(2 * SECOND);
    assert.equal(connection.closeReason, 'frame-timeout');
  });

  for (const options of [{ frameTimeoutMs: 0 }, { minFrameBytesPerSecond: 0 }]) {
    it(`can be switched off: ${Object.keys(options)} 0`, async () => {
      const { loopback, peer, connection } = await open(options);
      await using _ = loopback;
      await send(peer, connection, HEAD);
      loopback.clock.advance(299 * SECOND);
      assert.equal(connection.isClosing, false);
    });
  }

  it('is not waited for when the peer has sent its last byte in the middle of a frame', async () => {
    const { loopback, peer, connection } = await open();
    await using _ = loopback;
    await send(peer, connection, HEAD);
    peer.halfClose();
    assert.equal((await loopback.ending()).reason, 'peer-closed');
  });
});
