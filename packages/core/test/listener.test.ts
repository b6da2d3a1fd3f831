import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type Connection,
  DEFAULT_OUTBOUND_LIMITS,
  descriptorLimit,
  type FramedConnection,
  type FrameHandler,
  Listener,
  type ListenerOptions,
} from '@sluice/core';
import { OptionsError } from '@sluice/framing';
import { eventually } from './support/eventually.js';
import { echo, Loopback, passTurns, RECEIVE_MODES } from './support/loopback.js';
import { frame, Peer } from './support/peer.js';

/** Descriptors of this process, where the system tells. */
function descriptors(): number {
  return process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0;
}

/** Sockets, servers and timers that Node holds. */
function resources(): number {
  return process.getActiveResourcesInfo().filter((name) => /TCP|Timeout/.test(name)).length;
}

/** Closes a peer's connection from the server's side. */
function closeFor(peer: Peer, { listener }: Loopback): void {
  for (const connection of listener.connections)
    if (connection.remotePort === peer.socket.localPort) connection.close('done');
}

/** Sends its number as soon as it is served. */
function greet(connection: Connection) {
  connection.send(Buffer.from(`${connection.id};`));
  return echo(connection);
}

for (const receiveMode of RECEIVE_MODES) {
  describe(`listener, receive mode ${receiveMode}`, () => {
    it('says where it listens', async () => {
      await using loopback = await Loopback.open({ receiveMode }, echo);
      assert.equal(loopback.listener.address.host, '127.0.0.1');
      assert.ok(loopback.port > 0);
    });

    it('serves so many, lets so many wait unread at no cost to the rest, and closes the others (D10)', async () => {
      await using loopback = await Loopback.open({ receiveMode, maxConnections: 2, maxWaiting: 2 }, greet);
      const { listener } = loopback;
      const served = [await loopback.connect(), await loopback.connect()];
      const waiting = [await loopback.dial(), await loopback.dial()];
      await eventually('two wait', () => listener.waiting === 2);
      for (const peer of waiting) peer.send('hello');
      const refused = await loopback.dial();
      await refused.gone();
      assert.equal(refused.receivedBytes, 0);
      await passTurns(served[0]!.peer);
      assert.equal(listener.connections.size, 2);
      for (const peer of waiting) assert.equal(peer.receivedBytes, 0);
      assert.deepEqual([listener.counters.accepted, listener.counters.refused], [5, 1]);

      served[1]?.peer.halfClose();
      assert.equal(String(await waiting[0]?.bytes(7)), '3;hello');
      assert.equal(waiting[1]?.receivedBytes, 0);
      served[0]?.peer.halfClose();
      assert.equal(String(await waiting[1]?.bytes(7)), '4;hello');
      assert.equal(listener.waiting, 0);
    });

    it('warns of refused connections once in a while, with their number', async () => {
      await using loopback = await Loopback.open({ receiveMode, maxConnections: 1, maxWaiting: 0 }, echo);
      await loopback.connect();
      for (let i = 0; i < 3; i++) await (await loopback.dial()).gone();
      assert.deepEqual(loopback.warnings, []);
      loopback.clock.advance(2000);
      assert.equal(loopback.warnings.length, 1);
      assert.match(loopback.warnings[0]!, /^3 connections were refused/);
    });

    it('uses every slot at once that is freed at the limit, in the order of arrival (D4, D6, D12)', async () => {
      const limit = 8;
      const clients = limit + 50;
      await using loopback = await Loopback.open({ receiveMode, maxConnections: limit }, greet);
      const peers: Peer[] = [];
      for (let i = 0; i < clients; i++) {
        peers.push(await loopback.dial());
        await eventually('the arrival', () => loopback.listener.counters.accepted === i + 1);
      }
      assert.equal(loopback.listener.waiting, 50);
      for (let i = 0; i < clients; i++) {
        const peer = peers[i]!;
        assert.equal(String(await peer.bytes(`${i + 1};`.length)), `${i + 1};`);
        assert.equal(loopback.listener.connections.size, Math.min(limit, clients - i));
        assert.equal(loopback.listener.waiting, Math.max(0, 50 - i));
        peer.send('still served');
        await peer.bytes(`${i + 1};still served`.length);
        if (i % 2 === 0) peer.halfClose();
        else peer.reset();
        await eventually('the end', () => loopback.endings.length === i + 1);
      }
      assert.equal(loopback.listener.connections.size, 0);
      const { peer } = await loopback.connect();
      await peer.bytes(3);
    });

    it('goes on when connections come and go at the limit all at once', async () => {
      await using loopback = await Loopback.open({ receiveMode, maxConnections: 5, maxWaiting: 1000 }, greet);
      for (let round = 0; round < 5; round++) {
        const peers = await Promise.all(Array.from({ length: 60 }, () => loopback.dial()));
        let greeted = 0;
        await Promise.all(
          peers.map(async (peer, i) => {
            if (i % 3 === 0) {
              peer.reset(); // maybe while it waits
            } else {
              await peer.bytes(2);
              greeted += 1;
              assert.ok(loopback.listener.connections.size <= 5);
              peer.halfClose();
            }
          }),
        );
        assert.equal(greeted, 40);
        await eventually('all gone', () => loopback.listener.connections.size + loopback.listener.waiting === 0);
      }
      assert.equal(loopback.endings.length, loopback.listener.counters.accepted);
    });

    it('leaves no connection, timer or descriptor behind after 10,000 cycles', async () => {
      const cycles = 10_000;
      const batch = 100;
      await using loopback = await Loopback.open({ receiveMode, maxConnections: 50, slowStart: false }, echo);
      const { listener } = loopback;
      let before: [number, number] | undefined;
      for (let done = 0; done < cycles; done += batch) {
        const peers = await Promise.all(Array.from({ length: batch }, () => Peer.connect(loopback.port)));
        await Promise.all(
          peers.map(async (peer, i) => {
            if (i % 4 === 0) {
              peer.reset();
            } else {
              peer.send('x');
              await peer.bytes(1);
              if (i % 4 === 1) closeFor(peer, loopback);
              peer.halfClose();
            }
            await eventually('the end', () => peer.isClosed || peer.hasEnded);
            peer[Symbol.dispose]();
          }),
        );
        await eventually('no connection', () => listener.connections.size === 0 && listener.waiting === 0);
        await eventually('all accepted', () => listener.counters.accepted === done + batch);
        loopback.connections.length = 0;
        for (let i = 0; i < 3; i++) await nextTurn();
        before ??= [descriptors(), resources()];
      }
      assert.deepEqual([descriptors(), resources()], before);
      assert.equal(loopback.clock.pendingTimers, 1);
      const closed = [...listener.counters.closed.values()].reduce((sum, count) => sum + count, 0);
      assert.deepEqual([listener.counters.accepted, closed, loopback.endings.length], [cycles, cycles, cycles]);
      assert.equal(listener.counters.refused, 0);
      assert.equal(listener.counters.receivedBytes, listener.counters.sentBytes);
    });

    it('counts the bytes of connections that have ended', async () => {
      await using loopback = await Loopback.open({ receiveMode }, echo);
      const { peer } = await loopback.connect();
      peer.send(Buffer.alloc(100_000));
      await peer.bytes(100_000);
      peer.halfClose();
      await loopback.ending();
      const { receivedBytes, sentBytes, closed } = loopback.listener.counters;
      assert.deepEqual([receivedBytes, sentBytes, [...closed]], [100_000, 100_000, [['peer-closed', 1]]]);
    });

    it('drains: stops accepting, closes what is idle, waits for what is busy (D47)', async () => {
      const busy = new Set<Connection>();
      await using loopback = await Loopback.openFramed(
        { receiveMode },
        (connection): FrameHandler => ({
          get isBusy() {
            return busy.has(connection);
          },
          onFrame() {
            busy.add(connection);
            connection.send(frame('begun'));
          },
        }),
      );
      const idle = await loopback.connect();
      const working = await loopback.connect();
      working.peer.send(frame('begin'));
      await working.peer.bytes(9);
      let cut: number | undefined;
      const drained = loopback.listener.drain(10_000).then((count) => {
        cut = count;
      });
      await idle.peer.gone();
      idle.peer.halfClose();
      assert.equal(idle.connection.closeReason, 'shutdown');
      using late = await Peer.connect(loopback.port);
      await late.gone();
      assert.equal(late.wasRefused, true);
      await eventually('one left', () => loopback.listener.connections.size === 1);
      assert.equal(working.connection.isClosing, false);
      assert.equal(cut, undefined);
      working.connection.send(frame('done'));
      busy.clear();
      (working.connection.handler as FramedConnection).check();
      await working.peer.gone();
      working.peer.halfClose();
      await drained;
      assert.equal(cut, 0);
      assert.deepEqual(working.peer.frameTexts, ['begun', 'done']);
      assert.equal(loopback.clock.pendingTimers, 0);
    });

    it('drains: cuts what is not done after the grace time', async () => {
      await using loopback = await Loopback.openFramed({ receiveMode }, () => ({ onFrame() {}, isBusy: true }));
      const { peer, connection } = await loopback.connect();
      peer.send(frame('x'));
      await eventually('the frame', () => connection.receivedBytes === 5);
      const drained = loopback.listener.drain(10_000);
      loopback.clock.advance(9999);
      assert.equal(connection.isClosing, false);
      loopback.clock.advance(1);
      assert.equal(await drained, 1);
      assert.equal((await loopback.ending()).reason, 'shutdown');
      await peer.gone();
      assert.equal(loopback.clock.pendingTimers, 0);
    });

    it('drains: those who wait for a place are closed', async () => {
      await using loopback = await Loopback.open({ receiveMode, maxConnections: 1 }, echo);
      const { peer } = await loopback.connect();
      const waiting = await loopback.dial();
      await eventually('one waits', () => loopback.listener.waiting === 1);
      peer.halfClose();
      const drained = loopback.listener.drain(10_000);
      await waiting.gone();
      assert.equal(await drained, 0);
      assert.equal(loopback.connections.length, 1);
    });

    it('ends a drain when it is closed meanwhile', async () => {
      await using loopback = await Loopback.openFramed({ receiveMode }, () => ({ onFrame() {}, isBusy: true }));
      const { peer } = await loopback.connect();
      const drained = loopback.listener.drain(1_000_000);
      const closed = loopback.listener.close();
      await Promise.all([drained, closed]);
      await peer.gone();
      await loopback.listener.close();
      assert.equal(await loopback.listener.drain(1), 0);
      assert.equal(loopback.clock.pendingTimers, 0);
    });

    it('drains the others although one handler throws', async () => {
      let connections = 0;
      await using loopback = await Loopback.open({ receiveMode }, (connection) => ({
        ...echo(connection),
        onShutdown() {
          if (++connections === 1) throw new Error('thrown by the test');
          connection.close('shutdown');
        },
      }));
      const peers = [await loopback.connect(), await loopback.connect()];
      const drained = loopback.listener.drain(10_000);
      for (const { peer } of peers) {
        await peer.gone();
        peer.halfClose();
      }
      assert.equal(await drained, 0);
      assert.deepEqual(loopback.endings.map((ending) => ending.reason).sort(), ['handler-failed', 'shutdown']);
    });
  });
}

describe('listener', () => {
  const options = { host: '127.0.0.1', port: 0, onConnection: echo };

  it('rejects when the address is in use', async () => {
    await using loopback = await Loopback.open({}, echo);
    await assert.rejects(Listener.listen({ ...options, port: loopback.port }), { code: 'EADDRINUSE' });
  });

  it('rejects when the address is not one of this machine, or no port', async () => {
    await assert.rejects(Listener.listen({ ...options, host: '192.0.2.1' }), { code: 'EADDRNOTAVAIL' });
    await assert.rejects(Listener.listen({ ...options, port: 65_536 }), { code: 'ERR_SOCKET_BAD_PORT' });
  });

  it('refuses numbers that make no sense', async () => {
    const outbound = DEFAULT_OUTBOUND_LIMITS;
    const bad: Partial<ListenerOptions>[] = [
      { maxConnections: 0 },
      { maxConnections: Number.NaN },
      { maxWaiting: -1 },
      { backlog: 0 },
      { firstByteTimeoutMs: -1 },
      { idleTimeoutMs: Number.NaN },
      { limits: { closeTimeoutMs: -1 } },
      { limits: { outbound: { ...outbound, lowWaterMarkBytes: outbound.highWaterMarkBytes + 1 } } },
      { limits: { outbound: { ...outbound, hardLimitBytes: outbound.highWaterMarkBytes } } },
    ];
    for (const given of bad) await assert.rejects(Listener.listen({ ...options, ...given }), OptionsError);
  });

  it('frees the port when it is closed', async () => {
    const first = await Listener.listen(options);
    const { port } = first.address;
    await first.close();
    const second = await Listener.listen({ ...options, port });
    await second.close();
  });

  it('serves fewer than it was told to when the process may not hold so many, and says so', {
    skip: descriptorLimit() === undefined,
  }, async () => {
    await using loopback = await Loopback.open({ maxConnections: 100_000_000 }, echo);
    assert.ok(loopback.listener.maxConnections < 100_000_000);
    assert.equal(loopback.warnings.length, 1);
    assert.match(loopback.warnings[0]!, /^serving \d+ connections at once, not 100000000: .*ulimit -n/);
    await using modest = await Loopback.open({ maxConnections: 10 }, echo);
    assert.equal(modest.listener.maxConnections, 10);
    assert.deepEqual(modest.warnings, []);
  });
});
