import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Connection, ConnectionHandler } from '@sluice/core';
import { eventually } from './support/eventually.js';
import { echo, Loopback, RECEIVE_MODES } from './support/loopback.js';

const SECOND = 1000;

for (const receiveMode of RECEIVE_MODES) {
  describe(`deadlines, receive mode ${receiveMode}`, () => {
    it('closes a connection whose first byte does not come within 6 s, and at most 1 s late', async () => {
      await using loopback = await Loopback.open({ receiveMode }, echo);
      const { peer, connection } = await loopback.connect();
      loopback.clock.advance(6 * SECOND - 1);
      assert.equal(connection.isClosing, false);
      loopback.clock.advance(SECOND);
      assert.equal(connection.isClosing, true);
      await peer.gone();
      assert.equal(peer.receivedBytes, 0);
      peer.halfClose();
      assert.equal((await loopback.ending()).reason, 'first-byte-timeout');
    });

    it('lets a connection be whose first byte has come', async () => {
      await using loopback = await Loopback.open({ receiveMode }, echo);
      const { peer, connection } = await loopback.connect();
      peer.send('x');
      await peer.bytes(1);
      loopback.clock.advance(60 * SECOND);
      assert.equal(connection.isClosing, false);
    });

    it('counts the time to the first byte from the admission, not from the wait for a place', async () => {
      await using loopback = await Loopback.open({ receiveMode, maxConnections: 1 }, echo);
      const { peer: first } = await loopback.connect();
      first.send('x');
      await first.bytes(1);
      await loopback.dial();
      await eventually('one waits', () => loopback.listener.waiting === 1);
      loopback.clock.advance(59 * SECOND);
      first.halfClose();
      await eventually('the next one', () => loopback.connections.length === 2);
      loopback.clock.advance(5 * SECOND);
      assert.equal(loopback.connections[1]?.isClosing, false);
      loopback.clock.advance(2 * SECOND);
      assert.equal(loopback.connections[1]?.closeReason, 'first-byte-timeout');
    });

    it('closes who has waited 60 s for a place, so that those who have gone away do not keep the places to wait', async () => {
      await using loopback = await Loopback.open({ receiveMode, maxConnections: 1, maxWaiting: 1 }, echo);
      const { peer: first } = await loopback.connect();
      first.send('x');
      await first.bytes(1);
      const second = await loopback.dial();
      await eventually('one waits', () => loopback.listener.waiting === 1);
      loopback.clock.advance(58 * SECOND);
      assert.equal(loopback.listener.waiting, 1);
      loopback.clock.advance(3 * SECOND);
      await second.gone();
      assert.deepEqual([loopback.listener.waiting, loopback.listener.counters.refused], [0, 1]);
    });

    it('has no deadline that is switched off', async () => {
      const options = { receiveMode, firstByteTimeoutMs: 0, idleTimeoutMs: 0 };
      await using loopback = await Loopback.open(options, echo);
      const { peer, connection } = await loopback.connect();
      loopback.clock.advance(3600 * SECOND);
      peer.send('x');
      await peer.bytes(1);
      loopback.clock.advance(3600 * SECOND);
      assert.equal(connection.isClosing, false);
    });

    it('does not take a connection that has just been accepted for an idle one (D2)', async () => {
      await using loopback = await Loopback.open({ receiveMode, firstByteTimeoutMs: 0 }, echo);
      loopback.clock.advance(10_000 * SECOND);
      const { connection } = await loopback.connect();
      assert.equal(connection.lastActivityMs, loopback.clock.nowMs());
      loopback.clock.advance(300 * SECOND - 1);
      assert.equal(connection.isClosing, false);
      loopback.clock.advance(SECOND);
      assert.equal(connection.closeReason, 'idle-timeout');
    });

    it('measures idle time in total, from the last byte on (D1)', async () => {
      await using loopback = await Loopback.open({ receiveMode }, echo);
      const { peer, connection } = await loopback.connect();
      for (let i = 1; i <= 3; i++) {
        peer.send('x');
        await peer.bytes(i);
        await eventually('the activity', () => connection.lastActivityMs === loopback.clock.nowMs());
        loopback.clock.advance(299 * SECOND + 999);
        assert.equal(connection.isClosing, false);
      }
      loopback.clock.advance(SECOND);
      assert.equal(connection.closeReason, 'idle-timeout');
      await peer.gone();
    });

    it('applies the idle timeout also before the first byte, when it is the shorter one', async () => {
      await using loopback = await Loopback.open({ receiveMode, idleTimeoutMs: 2 * SECOND }, echo);
      const { connection } = await loopback.connect();
      loopback.clock.advance(3 * SECOND);
      assert.equal(connection.closeReason, 'idle-timeout');
    });

    it('does not count what it sends by itself: a peer that is gone would be kept by it', async () => {
      await using loopback = await Loopback.open({ receiveMode }, echo);
      const { peer, connection } = await loopback.connect();
      peer.send('x');
      await peer.bytes(1);
      for (let i = 2; i <= 3; i++) {
        loopback.clock.advance(149 * SECOND);
        connection.sendOwned(Buffer.from('y'), () => {});
        await peer.bytes(i);
        await eventually('it is shown as active', () => connection.lastActivityMs === loopback.clock.nowMs());
        assert.equal(connection.isClosing, false);
      }
      loopback.clock.advance(3 * SECOND);
      assert.equal(connection.closeReason, 'idle-timeout');
    });

    it('counts what the peer takes of what its handler sends it on request, also when the system takes it at once', async () => {
      const handler = { isSending: true as boolean, onBytes() {} } satisfies ConnectionHandler;
      await using loopback = await Loopback.open({ receiveMode }, () => handler);
      const { peer, connection } = await loopback.connect();
      peer.send('x');
      await eventually('the byte', () => connection.receivedBytes === 1);
      for (let i = 1; i <= 4; i++) {
        loopback.clock.advance(200 * SECOND);
        connection.sendOwned(Buffer.from('y'), () => {});
        await peer.bytes(i);
        await eventually('the activity', () => connection.lastActivityMs === loopback.clock.nowMs());
      }
      loopback.clock.advance(SECOND);
      handler.isSending = false;
      loopback.clock.advance(297 * SECOND);
      assert.equal(connection.isClosing, false, 'the time begins when the transfer has ended');
      loopback.clock.advance(3 * SECOND);
      assert.equal(connection.closeReason, 'idle-timeout');
    });

    it('counts what the peer takes of an answer so large that some of it always waits', async () => {
      await using loopback = await Loopback.open({ receiveMode, writeStallTimeoutMs: 0 }, echo);
      const { peer, connection } = await loopback.connect();
      peer.stopReading();
      peer.send('x');
      await eventually('the byte', () => connection.receivedBytes === 1);
      connection.sendOwned(Buffer.alloc(20 << 20), () => {}); // one write: nothing is told before its end
      await eventually('some waits', () => connection.queuedBytes > 0);
      loopback.clock.advance(200 * SECOND);
      await peer.reads(8 << 20);
      loopback.clock.advance(299 * SECOND);
      assert.equal(connection.isClosing, false);
      assert.ok(connection.queuedBytes > 0);
      loopback.clock.advance(3 * SECOND);
      assert.equal(connection.closeReason, 'idle-timeout');
    });

    it('does not count the time in which it reads nothing of its own accord', async () => {
      await using loopback = await Loopback.open({ receiveMode }, echo);
      const { peer, connection } = await loopback.connect();
      peer.send('x');
      await peer.bytes(1);
      connection.pauseReading();
      loopback.clock.advance(1000 * SECOND);
      assert.equal(connection.isClosing, false);
      connection.resumeReading();
      loopback.clock.advance(299 * SECOND);
      assert.equal(connection.isClosing, false);
      loopback.clock.advance(2 * SECOND);
      assert.equal(connection.closeReason, 'idle-timeout');
    });

    it('does not take a connection for idle on which its handler works', async () => {
      const handler = { isWorking: true as boolean, onBytes() {} } satisfies ConnectionHandler;
      await using loopback = await Loopback.open({ receiveMode }, () => handler);
      const { peer, connection } = await loopback.connect();
      peer.send('x');
      await eventually('the byte', () => connection.receivedBytes === 1);
      loopback.clock.advance(1000 * SECOND);
      assert.equal(connection.isClosing, false);
      handler.isWorking = false;
      loopback.clock.advance(299 * SECOND);
      assert.equal(connection.isClosing, false);
      loopback.clock.advance(2 * SECOND);
      assert.equal(connection.closeReason, 'idle-timeout');
    });

    it('cuts a closing connection whose peer never ends, after the close deadline; the reason stays', async () => {
      await using loopback = await Loopback.open({ receiveMode }, echo);
      const { peer, connection } = await loopback.connect();
      connection.close('done');
      await peer.gone();
      loopback.clock.advance(2999);
      assert.equal(loopback.endings.length, 0);
      loopback.clock.advance(SECOND);
      assert.equal((await loopback.ending()).reason, 'done');
    });

    it('cuts a closing connection whose peer never reads, after the close deadline', async () => {
      await using loopback = await Loopback.open({ receiveMode }, echo);
      const { peer, connection } = await loopback.connect();
      peer.stopReading();
      let released = 0;
      while (connection.queuedBytes === 0) {
        connection.send(Buffer.alloc(100_000));
        connection.flush();
      }
      connection.sendOwned(Buffer.alloc(10), () => released++);
      connection.close('done');
      loopback.clock.advance(4 * SECOND);
      await loopback.ending();
      assert.equal(released, 1);
      assert.equal(connection.queuedBytes, 0);
    });

    it('lets a closing connection go on as long as its peer takes what is queued', async () => {
      await using loopback = await Loopback.open({ receiveMode }, echo);
      const { peer, connection } = await loopback.connect();
      peer.stopReading();
      let sent = 0;
      while (connection.queuedBytes < 3_000_000) {
        connection.send(Buffer.alloc(100_000));
        connection.flush();
        sent += 100_000;
      }
      connection.close('done');
      loopback.clock.advance(2 * SECOND);
      const stalledAt = connection.queuedBytes;
      peer.readOn();
      await eventually('some is taken', () => connection.queuedBytes < stalledAt);
      loopback.clock.advance(2 * SECOND);
      await eventually('all has come', () => peer.receivedBytes === sent);
      peer.halfClose();
      assert.equal((await loopback.ending()).reason, 'done');
    });

    it('lets a closing connection go on also while its peer takes parts of one large write', async () => {
      await using loopback = await Loopback.open({ receiveMode }, echo);
      const { peer, connection } = await loopback.connect();
      peer.stopReading();
      connection.sendOwned(Buffer.alloc(20 << 20), () => {});
      connection.close('done');
      for (let i = 0; i < 3; i++) {
        loopback.clock.advance(2 * SECOND);
        await peer.reads(4 << 20);
        loopback.clock.advance(SECOND);
      }
      assert.equal(loopback.endings.length, 0);
      loopback.clock.advance(4 * SECOND);
      assert.equal((await loopback.ending()).reason, 'done');
    });

    it('looks often enough for the shortest deadline', async () => {
      const options = { receiveMode, firstByteTimeoutMs: 100, idleTimeoutMs: 200, limits: { closeTimeoutMs: 40 } };
      await using loopback = await Loopback.open(options, echo);
      const { connection } = await loopback.connect();
      loopback.clock.advance(99);
      assert.equal(connection.isClosing, false);
      loopback.clock.advance(21);
      assert.equal(connection.closeReason, 'first-byte-timeout');
    });

    it('needs one timer for all connections, and none when the listener is closed', async () => {
      const loopback = await Loopback.open({ receiveMode }, echo);
      const connections: Connection[] = [];
      for (let i = 0; i < 20; i++) connections.push((await loopback.connect()).connection);
      assert.equal(loopback.clock.pendingTimers, 1);
      await loopback[Symbol.asyncDispose]();
      assert.equal(loopback.clock.pendingTimers, 0);
    });
  });
}
