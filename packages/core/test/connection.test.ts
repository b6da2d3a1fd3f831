import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { Socket } from 'node:net';
import { describe, it, mock } from 'node:test';
import type { Connection, ConnectionHandler, OutboundLimits } from '@sluice/core';
import { splitEvery } from '@sluice/testkit';
import { eventually } from './support/eventually.js';
import { echo, Loopback, passTurns, RECEIVE_MODES } from './support/loopback.js';

/** More than the buffers of the system hold between two sockets. */
const MORE_THAN_THE_SYSTEM_TAKES = 64 << 20;

const small: OutboundLimits = { highWaterMarkBytes: 64 << 10, lowWaterMarkBytes: 16 << 10, hardLimitBytes: 1 << 20 };

/** Sends until the system takes no more. @returns bytes sent */
function fill(connection: Connection, piece = Buffer.alloc(16 << 10, 'x')): number {
  let bytes = 0;
  while (bytes < MORE_THAN_THE_SYSTEM_TAKES) {
    const result = connection.send(piece);
    connection.flush();
    assert.notEqual(result, 'refused');
    bytes += piece.length;
    if (connection.queuedBytes > 0) return bytes;
  }
  throw new Error('the system takes everything');
}

/** Counts the writes made on the server's side of a port. */
function countWrites(port: number): { readonly writes: number; stop(): void } {
  const write = Socket.prototype.write;
  let writes = 0;
  const mocked = mock.method(Socket.prototype, 'write', function (this: Socket, ...given: Parameters<typeof write>) {
    if (this.localPort === port) writes += 1;
    return write.apply(this, given);
  });
  return {
    get writes() {
      return writes;
    },
    stop: () => mocked.mock.restore(),
  };
}

for (const receiveMode of RECEIVE_MODES) {
  const limits = { closeTimeoutMs: 3000, outbound: small };

  describe(`connection, receive mode ${receiveMode}`, () => {
    for (const size of [1, 7, 1460, 300_000]) {
      it(`hands on what comes, in order, sent ${size} bytes at a time`, async () => {
        const received: Buffer[] = [];
        let bytes = 0;
        await using loopback = await Loopback.open({ receiveMode }, () => ({
          onBytes(source, start, end) {
            received.push(Buffer.from(source.subarray(start, end)));
            bytes += end - start;
          },
        }));
        const { peer, connection } = await loopback.connect();
        const message = randomBytes(Math.min(3_000_000, size * 2000));
        for (const part of splitEvery(message, size)) peer.send(part);
        await eventually('all bytes', () => bytes === message.length);
        assert.ok(Buffer.concat(received).equals(message));
        assert.equal(connection.receivedBytes, message.length);
      });
    }

    it('knows both of its addresses', async () => {
      await using loopback = await Loopback.open({ receiveMode }, echo);
      const { peer, connection } = await loopback.connect();
      assert.deepEqual(
        [connection.localAddress, connection.localPort, connection.remoteAddress, connection.remotePort],
        ['127.0.0.1', loopback.port, '127.0.0.1', peer.socket.localPort],
      );
    });

    it('sends all answers to a chunk in one write', async () => {
      await using loopback = await Loopback.open({ receiveMode }, (connection) => ({
        onBytes() {
          for (let i = 0; i < 100; i++) connection.send(Buffer.from(`${i},`));
        },
      }));
      const { peer, connection } = await loopback.connect();
      const counted = countWrites(loopback.port);
      try {
        peer.send('x');
        await eventually('the answers', () => peer.text.endsWith('99,'));
        assert.equal(counted.writes, 1);
        assert.equal(connection.sentBytes, peer.receivedBytes);
      } finally {
        counted.stop();
      }
    });

    it('sends what is said in one tick of its own in one write, and earlier on flush', async () => {
      await using loopback = await Loopback.open({ receiveMode }, echo);
      const { peer, connection } = await loopback.connect();
      const counted = countWrites(loopback.port);
      try {
        connection.send(Buffer.from('a'));
        connection.send(Buffer.from('b'));
        assert.equal(counted.writes, 0);
        await peer.bytes(2);
        assert.equal(counted.writes, 1);
        connection.send(Buffer.from('c'));
        connection.flush();
        assert.equal(counted.writes, 2);
        await peer.bytes(3);
        assert.equal(peer.text, 'abc');
      } finally {
        counted.stop();
      }
    });

    it('says queued when the peer does not read, refused at the limit, and drained when it has read (D44)', async () => {
      let drained = 0;
      await using loopback = await Loopback.open({ receiveMode, limits }, () => ({
        onBytes() {},
        onDrained: () => drained++,
      }));
      const { peer, connection } = await loopback.connect();
      peer.stopReading();
      let bytes = fill(connection);
      while (connection.send(Buffer.alloc(1000)) === 'sent') bytes += 1000;
      bytes += 1000;
      assert.equal(connection.isAboveHighWaterMark, true);
      while (connection.send(Buffer.alloc(100_000)) === 'queued') bytes += 100_000;
      assert.ok(connection.queuedBytes <= small.hardLimitBytes);
      assert.equal(drained, 0);
      peer.readOn();
      await eventually('all bytes', () => peer.receivedBytes === bytes);
      await eventually('drained', () => drained === 1);
      assert.equal(connection.isAboveHighWaterMark, false);
      assert.equal(connection.queuedBytes, 0);
      assert.equal(connection.sentBytes, bytes);

      assert.equal(connection.send(Buffer.alloc(small.highWaterMarkBytes + 1)), 'sent'); // taken at once
      peer.stopReading();
      fill(connection);
      while (connection.send(Buffer.alloc(1000)) === 'sent');
      peer.readOn();
      await eventually('drained again', () => drained === 2);
    });

    it('gives every buffer back once, when the peer has read, when it closes and when it is destroyed', async () => {
      for (const end of ['read', 'close', 'destroy', 'reset'] as const) {
        await using loopback = await Loopback.open({ receiveMode, limits }, () => ({ onBytes() {} }));
        const { peer, connection } = await loopback.connect();
        peer.stopReading();
        fill(connection);
        const released = [0, 0, 0];
        const release = (i: number) => () => {
          released[i] = released[i]! + 1;
        };
        connection.sendOwned(Buffer.alloc(10_000), release(0));
        connection.sendOwned(Buffer.alloc(10_000), release(1));
        assert.deepEqual(released, [0, 0, 0]);
        if (end === 'read') peer.readOn();
        else if (end === 'close') connection.close('shutdown');
        else if (end === 'destroy') connection.destroy('shutdown');
        else peer.reset();
        if (end === 'close') peer.readOn();
        await eventually(`buffers given back after ${end}`, () => released[1] === 1);
        if (end !== 'read') {
          assert.equal(connection.sendOwned(Buffer.alloc(1), release(2)), 'refused');
          peer.halfClose();
          await loopback.ending();
        }
        assert.deepEqual(released, [1, 1, 0]);
      }
    });

    it('closes after what is queued has left (D43)', async () => {
      await using loopback = await Loopback.open({ receiveMode }, (connection) => ({
        onBytes() {
          connection.send(Buffer.from('last words'));
          connection.close('done');
          assert.equal(connection.send(Buffer.from('more')), 'refused');
        },
      }));
      const { peer } = await loopback.connect();
      peer.send('x');
      await peer.gone();
      assert.equal(peer.text, 'last words');
      assert.equal(peer.hasEnded, true);
      peer.halfClose();
      assert.equal((await loopback.ending()).reason, 'done');
    });

    it('closes after what is queued has left, also while the peer goes on sending', async () => {
      await using loopback = await Loopback.open({ receiveMode }, (connection) => ({
        onBytes() {
          connection.pauseReading(); // bytes left unread would become a reset that overtakes the answer
          connection.send(Buffer.alloc(3_000_000, 'y'));
          connection.close('done');
        },
      }));
      const { peer, connection } = await loopback.connect();
      peer.stopReading();
      peer.send('x');
      for (let i = 0; i < 200; i++) peer.send(Buffer.alloc(10_000));
      await eventually('closing', () => connection.isClosing);
      for (let i = 0; i < 200; i++) peer.send(Buffer.alloc(10_000));
      peer.readOn();
      await eventually('the end', () => peer.isGone);
      assert.equal(peer.receivedBytes, 3_000_000);
      assert.equal(peer.hasEnded, true);
      peer.halfClose();
      const { reason, error } = await loopback.ending();
      assert.deepEqual([reason, error], ['done', undefined]);
      assert.equal(connection.receivedBytes, 4_000_001);
    });

    it('hands nothing on after close or destroy', async () => {
      for (const end of ['close', 'destroy'] as const) {
        let calls = 0;
        await using loopback = await Loopback.open({ receiveMode }, (connection) => ({
          onBytes() {
            calls += 1;
            connection[end]('done');
          },
          onPeerEnd: () => assert.fail('told of the end of what it has closed'),
        }));
        const { peer } = await loopback.connect();
        for (let i = 0; i < 50; i++) peer.send(Buffer.alloc(100_000));
        peer.halfClose();
        await loopback.ending();
        assert.equal(calls, 1);
      }
    });

    it('reads nothing while it is paused, then everything, and the end at last', async () => {
      const received: Buffer[] = [];
      let ends = 0;
      await using loopback = await Loopback.open({ receiveMode }, (connection) => ({
        onBytes(source, start, end) {
          received.push(Buffer.from(source.subarray(start, end)));
          connection.pauseReading();
        },
        onPeerEnd() {
          ends += 1;
          connection.close('peer-closed');
        },
      }));
      await using other = await Loopback.open({ receiveMode }, echo);
      const { peer: bystander } = await other.connect();
      const { peer, connection } = await loopback.connect();
      peer.send('one');
      await eventually('the first bytes', () => received.length === 1);
      peer.send('two');
      peer.halfClose();
      await passTurns(bystander);
      assert.equal(String(Buffer.concat(received)), 'one');
      connection.resumeReading();
      await eventually('the rest', () => received.length === 2);
      connection.resumeReading();
      await loopback.ending();
      assert.equal(String(Buffer.concat(received)), 'onetwo');
      assert.equal(ends, 1);
    });

    it('may be paused and resumed in any order', async () => {
      let bytes = 0;
      await using loopback = await Loopback.open({ receiveMode }, (connection) => ({
        onBytes(_source, start, end) {
          bytes += end - start;
          connection.pauseReading();
          connection.resumeReading();
          connection.pauseReading();
          connection.pauseReading();
          setImmediate(() => {
            connection.resumeReading();
            connection.resumeReading();
          });
        },
      }));
      const { peer } = await loopback.connect();
      for (let i = 0; i < 100; i++) peer.send(Buffer.alloc(10_000));
      await eventually('all bytes', () => bytes === 1_000_000);
    });

    it('is closed when the peer ends, unless its handler has more to say', async () => {
      await using loopback = await Loopback.open({ receiveMode }, () => ({ onBytes() {} }));
      const { peer } = await loopback.connect();
      peer.halfClose();
      assert.equal((await loopback.ending()).reason, 'peer-closed');

      await using talker = await Loopback.open({ receiveMode }, (connection) => ({
        onBytes() {},
        onPeerEnd() {
          setImmediate(() => {
            connection.send(Buffer.from('still here'));
            connection.close('peer-closed');
          });
        },
      }));
      const { peer: listening } = await talker.connect();
      listening.halfClose();
      await listening.gone();
      assert.equal(listening.text, 'still here');
    });

    it('tells once, and with one reason, that the connection is gone', async () => {
      const ends = [
        ['close', 'destroy'],
        ['destroy', 'close'],
        ['close', 'close'],
        ['destroy', 'destroy'],
      ] as const;
      for (const [first, second] of ends) {
        await using loopback = await Loopback.open({ receiveMode }, echo);
        const { peer, connection } = await loopback.connect();
        connection[first]('first');
        connection[second]('second');
        peer.halfClose();
        await eventually('no connection', () => loopback.listener.connections.size === 0);
        assert.deepEqual(
          loopback.endings.map((ending) => ending.reason),
          ['first'],
        );
        assert.equal(connection.closeReason, 'first');
        assert.deepEqual([...loopback.listener.counters.closed], [['first', 1]]);
      }
    });

    it('ends as peer-reset when the peer resets it', async () => {
      await using loopback = await Loopback.open({ receiveMode }, echo);
      const { peer } = await loopback.connect();
      peer.reset();
      const { reason, error } = await loopback.ending();
      assert.equal(reason, 'peer-reset');
      assert.match(String(error), /ECONNRESET/);
      assert.equal(loopback.endings.length, 1);
    });

    it('ends as peer-reset when the peer has gone before it was read', async () => {
      await using loopback = await Loopback.open({ receiveMode, maxConnections: 1 }, echo);
      const { peer } = await loopback.connect();
      const waiting = await loopback.dial();
      await eventually('one waits', () => loopback.listener.waiting === 1);
      waiting.reset();
      await eventually('the reset', () => waiting.isClosed);
      peer.halfClose();
      await eventually('both have ended', () => loopback.endings.length === 2);
      assert.deepEqual(
        loopback.endings.map((ending) => ending.reason),
        ['peer-closed', 'peer-reset'],
      );
      const next = await loopback.dial();
      next.send('hello');
      await next.bytes(5);
    });

    const failing: [string, ConnectionHandler, (peer: { halfClose(): void; send(text: string): void }) => void][] = [
      ['onBytes', { onBytes: () => fail() }, (peer) => peer.send('x')],
      ['onPeerEnd', { onBytes() {}, onPeerEnd: () => fail() }, (peer) => peer.halfClose()],
    ];
    for (const [method, handler, provoke] of failing) {
      it(`ends only its own connection when ${method} throws`, async () => {
        let connections = 0;
        await using loopback = await Loopback.open({ receiveMode }, (connection) =>
          ++connections === 1 ? { ...handler } : echo(connection),
        );
        const { peer } = await loopback.connect();
        const { peer: other } = await loopback.connect();
        provoke(peer);
        const { reason, error } = await loopback.ending();
        assert.equal(reason, 'handler-failed');
        assert.equal(error?.message, 'thrown by the test');
        await passTurns(other);
      });
    }

    it('ends only its own connection when onDrained throws', async () => {
      await using loopback = await Loopback.open({ receiveMode, limits }, () => ({
        onBytes() {},
        onDrained: () => fail(),
      }));
      const { peer, connection } = await loopback.connect();
      peer.stopReading();
      fill(connection);
      while (connection.send(Buffer.alloc(1000)) === 'sent');
      peer.readOn();
      assert.equal((await loopback.ending()).reason, 'handler-failed');
    });

    it('frees the slot and warns when onClosed throws', async () => {
      await using loopback = await Loopback.open({ receiveMode, maxConnections: 1 }, (connection) => ({
        ...echo(connection),
        onClosed: () => fail(),
      }));
      for (let i = 0; i < 3; i++) {
        const { peer } = await loopback.connect();
        peer.halfClose();
        await eventually('the slot is free', () => loopback.listener.connections.size === 0);
      }
      assert.equal(loopback.warnings.length, 3);
      assert.match(loopback.warnings[0]!, /thrown by the test/);
    });

    it('ends only its own connection when setting it up throws, and says so (D9)', async () => {
      let connections = 0;
      await using loopback = await Loopback.open({ receiveMode }, (connection) =>
        ++connections === 1 ? fail() : echo(connection),
      );
      const peer = await loopback.dial();
      await peer.gone();
      const { peer: other } = await loopback.connect();
      await passTurns(other);
      assert.equal(loopback.listener.counters.closed.get('handler-failed'), 1);
      assert.match(loopback.warnings.join(), /thrown by the test/);
    });
  });
}

function fail(): never {
  throw new Error('thrown by the test');
}
