import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Connection, DEFAULT_OUTBOUND_LIMITS, type FramedConnection, type FrameHandler } from '@sluice/core';
import { FramingError } from '@sluice/framing';
import { splitEvery } from '@sluice/testkit';
import { eventually } from './support/eventually.js';
import { echo, Loopback, passTurns, RECEIVE_MODES } from './support/loopback.js';
import { frame } from './support/peer.js';

/** Answers each frame with itself. */
function echoFrames(connection: Connection): FrameHandler {
  return {
    onFrame(source, start, end) {
      connection.send(source.subarray(start, end));
    },
  };
}

function payload(source: Uint8Array, start: number, end: number): string {
  return Buffer.from(source.subarray(start + 4, end)).toString();
}

/** A promise that the test settles. */
function deferred(): { readonly promise: Promise<void>; resolve(): void; reject(error: Error): void } {
  let resolve = () => {};
  let reject = (_error: Error) => {};
  const promise = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

for (const receiveMode of RECEIVE_MODES) {
  describe(`framed connection, receive mode ${receiveMode}`, () => {
    it('answers three frames of one segment with three answers in one (D15)', async () => {
      await using loopback = await Loopback.openFramed({ receiveMode }, echoFrames);
      const { peer } = await loopback.connect();
      peer.send(frame('one'), frame('two'), frame('three'));
      await peer.bytes(23);
      assert.deepEqual(peer.frameTexts, ['one', 'two', 'three']);
      assert.equal(peer.chunks.length, 1);
    });

    it('answers a frame that comes byte by byte once', async () => {
      let chunks = 0;
      await using loopback = await Loopback.openFramed({ receiveMode }, (connection) => ({
        ...echoFrames(connection),
        onBatchEnd: () => {
          chunks += 1;
        },
      }));
      const { peer, connection } = await loopback.connect();
      let sent = 0;
      for (const byte of splitEvery(frame('byte by byte'), 1)) {
        peer.send(byte);
        sent += 1;
        await eventually('the byte', () => connection.receivedBytes === sent);
      }
      await peer.bytes(16);
      assert.deepEqual(peer.frameTexts, ['byte by byte']);
      assert.equal(chunks, 16);
    });

    it('takes frames of 10 MiB (D13)', async () => {
      const lengths: number[] = [];
      await using loopback = await Loopback.openFramed({ receiveMode }, (connection) => ({
        onFrame(_source, start, end) {
          lengths.push(end - start - 4);
          connection.send(frame('ok'));
        },
      }));
      const { peer } = await loopback.connect();
      const large = frame(Buffer.alloc(10 << 20));
      for (let i = 0; i < 3; i++) peer.send(large);
      await peer.bytes(18);
      assert.deepEqual(lengths, [10 << 20, 10 << 20, 10 << 20]);
    });

    it('holds frames back while a promise is pending, and keeps their order', async () => {
      const seen: string[] = [];
      const waits = [deferred(), deferred()];
      await using loopback = await Loopback.openFramed({ receiveMode }, (connection) => ({
        async onFrame(source, start, end) {
          const text = payload(source, start, end);
          seen.push(text);
          await waits[seen.length - 1]?.promise;
          connection.send(frame(text));
        },
      }));
      const { peer: bystander } = await bystanderOf(loopback, receiveMode);
      const { peer } = await loopback.connect();
      peer.send(frame('a'), frame('b'), frame('c'));
      await eventually('the first frame', () => seen.length === 1);
      peer.send(frame('d'));
      await passTurns(bystander);
      assert.deepEqual(seen, ['a']);
      waits[0]?.resolve();
      await peer.bytes(5);
      await passTurns(bystander);
      assert.deepEqual(seen, ['a', 'b']);
      waits[1]?.resolve();
      await peer.bytes(20);
      assert.deepEqual(peer.frameTexts, ['a', 'b', 'c', 'd']);
    });

    it('learns while a promise is pending that the peer is gone', async () => {
      const wait = deferred();
      await using loopback = await Loopback.openFramed({ receiveMode }, () => ({ onFrame: () => wait.promise }));
      const { peer, connection } = await loopback.connect();
      peer.send(frame('a'));
      await eventually('the frame', () => connection.receivedBytes > 0);
      peer.send(frame('b'));
      await eventually('the frame behind it', () => connection.receivedBytes > 5);
      peer.reset();
      assert.equal((await loopback.ending()).reason, 'peer-reset');
      wait.resolve();
    });

    it('reads little while a promise is pending', async () => {
      const wait = deferred();
      await using loopback = await Loopback.openFramed({ receiveMode }, () => ({ onFrame: () => wait.promise }));
      const { peer: bystander } = await bystanderOf(loopback, receiveMode);
      const { peer, connection } = await loopback.connect();
      peer.send(frame('a'));
      await eventually('the frame', () => connection.receivedBytes > 0);
      for (let i = 0; i < 100; i++) peer.send(frame(Buffer.alloc(10_000)));
      await passTurns(bystander);
      assert.ok(connection.receivedBytes <= 5 + (64 << 10) + (256 << 10), `read ${connection.receivedBytes} bytes`);
      wait.resolve();
      await eventually('all bytes', () => connection.receivedBytes === 5 + 100 * 10_004);
    });

    it('handles so many frames of one connection, and gives the others their turn before it goes on', async () => {
      const order: string[] = [];
      await using loopback = await Loopback.openFramed({ receiveMode }, (connection) => ({
        onFrame(source, start, end) {
          order.push(`${connection.id} ${payload(source, start, end)}`);
          connection.send(source.subarray(start, end));
        },
      }));
      const crowd = [await loopback.connect(), await loopback.connect()];
      const many = Buffer.concat(Array.from({ length: 5000 }, (_, i) => frame(`${i}`)));
      for (const { peer } of crowd) peer.send(many);
      for (const { peer } of crowd) await eventually('all answers', () => peer.receivedBytes === many.length);
      for (const { peer, connection } of crowd) {
        assert.deepEqual(
          order.filter((each) => each.startsWith(`${connection.id} `)),
          Array.from({ length: 5000 }, (_, i) => `${connection.id} ${i}`),
        );
        assert.deepEqual(peer.received, many);
      }
      const turns = order.map((each) => each.split(' ')[0]).filter((id, i, all) => i === 0 || id !== all[i - 1]);
      assert.ok(turns.length >= 8, `${turns.length} turns`);
    });

    it('closes for a peer that ends its side behind a thousand frames, when all are answered', async () => {
      await using loopback = await Loopback.openFramed({ receiveMode }, echoFrames);
      const { peer } = await loopback.connect();
      const many = Buffer.concat(Array.from({ length: 5000 }, (_, i) => frame(`${i}`)));
      peer.send(many);
      peer.halfClose();
      assert.equal((await loopback.ending()).reason, 'peer-closed');
      assert.deepEqual(peer.received, many);
    });

    it('calls onBatchEnd once for each chunk, also when it returns promises', async () => {
      let batches = 0;
      let frames = 0;
      await using loopback = await Loopback.openFramed({ receiveMode }, () => ({
        onFrame() {
          frames += 1;
        },
        async onBatchEnd() {
          batches += 1;
          await nextTurn();
        },
      }));
      const { peer: bystander } = await bystanderOf(loopback, receiveMode);
      const { peer } = await loopback.connect();
      peer.send(frame('a'), frame('b'));
      await eventually('the first batch', () => batches === 1);
      await passTurns(bystander);
      assert.deepEqual([frames, batches], [2, 1]);
      peer.send(frame('c'));
      await eventually('the second batch', () => batches === 2);
      await passTurns(bystander);
      assert.deepEqual([frames, batches], [3, 2]);
    });

    it('keeps the bytes of all frames of a chunk valid until onBatchEnd has returned', async () => {
      const views: Uint8Array[] = [];
      let text = '';
      await using loopback = await Loopback.openFramed({ receiveMode }, () => ({
        onFrame(source, start, end) {
          views.push(source.subarray(start + 4, end));
        },
        onBatchEnd() {
          text += Buffer.concat(views.splice(0)).toString();
        },
      }));
      const { peer, connection } = await loopback.connect();
      const bytes = Buffer.concat(Array.from({ length: 300 }, (_, i) => frame(`message ${i};`)));
      let sent = 0;
      for (const part of splitEvery(bytes, 100)) {
        peer.send(part);
        sent += part.length;
        await eventually('the bytes', () => connection.receivedBytes === sent);
      }
      assert.equal(text, Array.from({ length: 300 }, (_, i) => `message ${i};`).join(''));
    });

    it('hands on a large frame in pieces, and holds them back like frames', async () => {
      let bytes = 0;
      let pending = 0;
      let frames = 0;
      await using loopback = await Loopback.openFramed({ receiveMode }, () => ({
        onFrame: () => assert.fail('the frame was assembled'),
        onBegun(_source, start, end) {
          bytes += end - start;
          return true;
        },
        async onPiece(_source, start, end, isLast) {
          assert.equal(pending, 0, 'a piece came while the one before it was at work');
          pending += 1;
          bytes += end - start;
          await nextTurn();
          pending -= 1;
          if (isLast) frames += 1;
        },
      }));
      const { peer } = await loopback.connect();
      const large = frame(Buffer.alloc(2 << 20));
      peer.send(large.subarray(0, 100));
      await eventually('the beginning', () => bytes === 100);
      peer.send(large.subarray(100));
      await eventually('all pieces', () => frames === 1);
      assert.equal(bytes, large.length);
    });

    it('stops reading while the peer does not read: bounded memory, and others are served meanwhile', async () => {
      const answer = frame(Buffer.alloc(100_000, 'x'));
      const requests = 3000;
      let handled = 0;
      let mostQueued = 0;
      await using loopback = await Loopback.openFramed({ receiveMode }, (connection) => ({
        onFrame() {
          handled += 1;
          assert.notEqual(connection.send(answer), 'refused');
          mostQueued = Math.max(mostQueued, connection.queuedBytes);
        },
      }));
      const { peer: bystander } = await bystanderOf(loopback, receiveMode);
      const { peer, connection } = await loopback.connect();
      peer.stopReading();
      for (let i = 0; i < requests; i++) peer.send(frame('more'));
      await eventually('the high-water mark', () => connection.isAboveHighWaterMark);
      await passTurns(bystander);
      const handledThen = handled;
      await passTurns(bystander);
      assert.equal(handled, handledThen);
      assert.ok(handled < requests, 'the system took everything');
      // The high-water mark, and the answer that went above it.
      assert.ok(
        mostQueued <= DEFAULT_OUTBOUND_LIMITS.highWaterMarkBytes + answer.length,
        `${mostQueued} bytes were queued`,
      );
      peer.readOn();
      await eventually('all answers', () => peer.receivedBytes === requests * answer.length);
      assert.equal(handled, requests);
      assert.ok(
        mostQueued <= DEFAULT_OUTBOUND_LIMITS.highWaterMarkBytes + answer.length,
        `${mostQueued} bytes were queued`,
      );
    });

    it('gives a peer that ends its side the answers first, however long they take', async () => {
      await using loopback = await Loopback.openFramed({ receiveMode }, (connection) => ({
        async onFrame(source, start, end) {
          const text = payload(source, start, end);
          for (let i = 0; i < 5; i++) await nextTurn();
          connection.send(frame(text));
        },
      }));
      const { peer } = await loopback.connect();
      peer.send(frame('a'), frame('b'), frame('c'));
      peer.halfClose();
      await peer.gone();
      assert.deepEqual(peer.frameTexts, ['a', 'b', 'c']);
      assert.equal((await loopback.ending()).reason, 'peer-closed');
    });

    it('gives a peer that ends its side and reads late all answers, above the high-water mark too', async () => {
      const answer = frame(Buffer.alloc(1 << 20));
      await using loopback = await Loopback.openFramed({ receiveMode }, (connection) => ({
        onFrame() {
          connection.send(answer);
        },
      }));
      const { peer, connection } = await loopback.connect();
      peer.stopReading();
      for (let i = 0; i < 20; i++) peer.send(frame('x'));
      peer.halfClose();
      await eventually('the high-water mark', () => connection.isAboveHighWaterMark);
      peer.readOn();
      await peer.gone();
      assert.equal(peer.receivedBytes, 20 * answer.length);
      assert.equal((await loopback.ending()).reason, 'peer-closed');
    });

    it('leaves a peer that has ended its side open while the handler is sending', async () => {
      const handler = { isSending: true as boolean, onFrame() {} } satisfies FrameHandler;
      await using loopback = await Loopback.openFramed({ receiveMode }, () => handler);
      const { peer: bystander } = await bystanderOf(loopback, receiveMode);
      const { peer, connection } = await loopback.connect();
      peer.send(frame('x'));
      peer.halfClose();
      await eventually('the frame', () => connection.receivedBytes === 5);
      await passTurns(bystander);
      assert.equal(connection.isClosing, false);
      connection.send(frame('late'));
      await peer.bytes(8);
      handler.isSending = false;
      (connection.handler as FramedConnection).check();
      await peer.gone();
      assert.deepEqual(peer.frameTexts, ['late']);
    });

    it('answers the frames in front of a bad length, then closes', async () => {
      const failures: unknown[] = [];
      await using loopback = await Loopback.openFramed({ receiveMode }, (connection) => ({
        ...echoFrames(connection),
        onFailed(error) {
          failures.push(error);
          connection.send(frame('that was no frame'));
        },
      }));
      const { peer } = await loopback.connect();
      peer.send(frame('good'), Buffer.from([255, 255, 255, 255]), frame('never seen'));
      await peer.gone();
      assert.deepEqual(peer.frameTexts, ['good', 'that was no frame']);
      peer.halfClose();
      assert.equal((await loopback.ending()).reason, 'framing-error');
      assert.equal(failures.length, 1);
      assert.ok(failures[0] instanceof FramingError);
    });

    it('answers the frames in front of a bad length also when they take their time', async () => {
      await using loopback = await Loopback.openFramed({ receiveMode }, (connection) => ({
        async onFrame(source, start, end) {
          const bytes = Buffer.from(source.subarray(start, end));
          await nextTurn();
          connection.send(bytes);
        },
      }));
      const { peer } = await loopback.connect();
      peer.send(frame('one'), frame('two'), Buffer.from([255, 255, 255, 255]));
      await peer.gone();
      assert.deepEqual(peer.frameTexts, ['one', 'two']);
      assert.equal(loopback.connections[0]?.closeReason, 'framing-error');
    });

    const failing: [string, () => FrameHandler][] = [
      ['onFrame throws', () => ({ onFrame: () => fail() })],
      ['onFrame rejects', () => ({ onFrame: () => Promise.reject(new Error('thrown by the test')) })],
      ['onBegun throws', () => ({ onFrame() {}, onBegun: () => fail() })],
      ['onPiece rejects', () => ({ onFrame() {}, onBegun: () => true, onPiece: async () => fail() })],
      ['onBatchEnd throws', () => ({ onFrame() {}, onBatchEnd: () => fail() })],
      ['onBatchEnd rejects', () => ({ onFrame() {}, onBatchEnd: async () => fail() })],
    ];
    for (const [title, serve] of failing) {
      it(`closes the connection once as handler-failed when ${title}`, async () => {
        const failures: unknown[] = [];
        await using loopback = await Loopback.openFramed({ receiveMode }, (connection) => ({
          ...serve(),
          onFailed(error) {
            failures.push(error);
            connection.send(frame('sorry'));
          },
        }));
        const { peer, connection } = await loopback.connect();
        const bytes = frame('0123456789');
        peer.send(bytes.subarray(0, 8));
        await eventually('the first half', () => connection.receivedBytes === 8);
        peer.send(bytes.subarray(8), bytes);
        await peer.gone();
        peer.halfClose();
        assert.equal((await loopback.ending()).reason, 'handler-failed');
        assert.deepEqual(peer.frameTexts, ['sorry']);
        assert.deepEqual(failures.map(String), ['Error: thrown by the test']);
      });
    }

    it('ends the connection when onFailed fails too', async () => {
      await using loopback = await Loopback.openFramed({ receiveMode }, () => ({
        onFrame: () => Promise.reject(new Error('first')),
        onFailed: () => fail(),
      }));
      const { peer } = await loopback.connect();
      peer.send(frame('x'));
      assert.equal((await loopback.ending()).reason, 'handler-failed');
    });

    it('tells the handler that the queue has drained, and closes when that throws', async () => {
      const failures: unknown[] = [];
      const outbound = { ...DEFAULT_OUTBOUND_LIMITS, highWaterMarkBytes: 1000, lowWaterMarkBytes: 100 };
      await using loopback = await Loopback.openFramed({ receiveMode, limits: { outbound } }, (connection) => ({
        onFrame() {
          assert.equal(connection.send(Buffer.alloc(2000)), 'queued');
        },
        onDrained: () => fail(),
        onFailed: (error) => void failures.push(error),
      }));
      const { peer } = await loopback.connect();
      peer.send(frame('x'));
      await peer.gone();
      assert.equal(failures.length, 1);
      assert.equal(peer.receivedBytes, 2000);
    });

    it('closes at a shutdown once nothing is going on', async () => {
      const wait = deferred();
      const handler = { isBusy: true as boolean, onFrame: () => wait.promise } satisfies FrameHandler;
      await using loopback = await Loopback.openFramed({ receiveMode }, () => handler);
      const { peer, connection } = await loopback.connect();
      const bytes = frame('0123456789');
      peer.send(bytes.subarray(0, 7));
      await eventually('half a frame', () => connection.receivedBytes === 7);
      connection.shutDown();
      assert.equal(connection.isClosing, false, 'a frame has begun');
      peer.send(bytes.subarray(7));
      await eventually('the frame', () => connection.receivedBytes === 14);
      assert.equal(connection.isClosing, false, 'it is at work');
      wait.resolve();
      await nextTurn();
      assert.equal(connection.isClosing, false, 'it is busy');
      handler.isBusy = false;
      (connection.handler as FramedConnection).check();
      assert.equal(connection.closeReason, 'shutdown');
      await peer.gone();
    });
  });
}

/** A connection on a listener of its own, to pass time on. */
async function bystanderOf(owner: Loopback, receiveMode: (typeof RECEIVE_MODES)[number]) {
  const other = await Loopback.open({ receiveMode }, echo);
  owner.alsoCloses(other);
  return other.connect();
}

function fail(): never {
  throw new Error('thrown by the test');
}
