import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DescriptorBudget, type ListenerOptions, type RefusalReason, type RefusalReport } from '@sluice/core';
import { eventually } from './support/eventually.js';
import { echo, Loopback, RECEIVE_MODES } from './support/loopback.js';

/** What a client is told: why, when to come back, and what it began with. */
const refusalAnswer: ListenerOptions['refusalAnswer'] = (first, reason, retryAfterMs) =>
  first[0] === 22 ? undefined : Buffer.from(`${reason} ${retryAfterMs} ${String.fromCharCode(first[0]!)};`);

const told = { refusalAnswer, random: () => 0.25, slowStart: false } satisfies Partial<ListenerOptions>;

for (const receiveMode of RECEIVE_MODES) {
  describe(`a refused connection, receive mode ${receiveMode}`, () => {
    it('is told why and when to come back, as an answer to its first bytes, and loses nothing of that by what it sends after them', async () => {
      await using loopback = await Loopback.open({ ...told, receiveMode, maxConnections: 1, maxWaiting: 0 }, echo);
      await loopback.connect();
      const refused = await loopback.dial();
      refused.send('hello', Buffer.alloc(300_000));
      await refused.gone();
      assert.equal(refused.text, 'full 2000 h;');
      assert.equal(refused.hasEnded, true);
      assert.equal(loopback.listener.toldRefusals, 1);
    });

    it('is closed without a word if it is silent, or begins as nothing that can be answered', async () => {
      await using loopback = await Loopback.open({ ...told, receiveMode, maxConnections: 1, maxWaiting: 0 }, echo);
      await loopback.connect();
      const silent = await loopback.dial();
      const secure = await loopback.dial();
      secure.send(Uint8Array.of(22, 3, 1));
      await secure.gone();
      loopback.clock.advance(2000);
      await silent.gone();
      assert.deepEqual([silent.receivedBytes, secure.receivedBytes, loopback.listener.toldRefusals], [0, 0, 0]);
      assert.equal(loopback.listener.counters.refused, 2);
    });

    it('is closed when it has been told and does not end', async () => {
      await using loopback = await Loopback.open({ ...told, receiveMode, maxConnections: 1, maxWaiting: 0 }, echo);
      await loopback.connect();
      const refused = await loopback.dial();
      refused.send('x');
      await eventually('the answer', () => refused.hasEnded);
      assert.equal(refused.isClosed, false);
      loopback.clock.advance(2000);
      await eventually('the reset', () => {
        refused.send('still here');
        return refused.isClosed;
      });
    });

    it('is closed at once when too many are being told', async () => {
      await using loopback = await Loopback.open({ ...told, receiveMode, maxConnections: 1, maxWaiting: 0 }, echo);
      await loopback.connect();
      const crowd = await Promise.all(Array.from({ length: 100 }, () => loopback.dial()));
      await eventually('all came', () => loopback.listener.counters.refused === 100);
      await eventually('some are gone', () => crowd.filter(({ isGone }) => isGone).length === 36);
      for (const peer of crowd) if (!peer.isGone) peer.send('a');
      for (const peer of crowd) await peer.gone();
      assert.equal(loopback.listener.toldRefusals, 64);
    });

    it('is told another time than others', async () => {
      const given = [0, 0.5, 0.999];
      const random = () => given.shift()!;
      await using loopback = await Loopback.open(
        { ...told, random, receiveMode, maxConnections: 1, maxWaiting: 0 },
        echo,
      );
      await loopback.connect();
      const times: string[] = [];
      for (let i = 0; i < 3; i++) {
        const refused = await loopback.dial();
        refused.send('a');
        await refused.gone();
        times.push(refused.text.split(' ')[1]!);
      }
      assert.deepEqual(times, ['1000', '3000', '4996']);
    });

    it('is reported summed up with others, by reason, soon and then every 10 s', async () => {
      const reports: RefusalReport[] = [];
      const onRefusals = (report: RefusalReport) => reports.push(report);
      await using loopback = await Loopback.open(
        { receiveMode, onRefusals, maxConnections: 1, maxWaiting: 0, firstByteTimeoutMs: 0 },
        echo,
      );
      await loopback.connect();
      const refuse = async (count: number) => {
        for (let i = 0; i < count; i++) await (await loopback.dial()).gone();
      };
      await refuse(3);
      loopback.clock.advance(1000);
      assert.deepEqual(reports.splice(0), [{ reason: 'full', count: 3 }]);
      await refuse(2);
      loopback.clock.advance(9000);
      assert.deepEqual(reports, []);
      await refuse(1);
      loopback.clock.advance(1000);
      assert.deepEqual(reports, [{ reason: 'full', count: 3 }]);
      assert.deepEqual([...loopback.listener.counters.refusedBy], [['full', 6]]);
    });
  });

  describe(`admission of a listener, receive mode ${receiveMode}`, () => {
    it('counts addresses, but not those of this machine unless told so', async () => {
      await using usual = await Loopback.open({ receiveMode, maxPerAddress: 1 }, echo);
      await usual.connect();
      await usual.connect();
      await using strict = await Loopback.open(
        { ...told, receiveMode, maxPerAddress: 1, isUncounted: () => false },
        echo,
      );
      const { peer } = await strict.connect();
      const second = await strict.dial();
      second.send('a');
      await second.gone();
      assert.match(second.text, /^network-full /);
      peer.halfClose();
      await strict.ending();
      await strict.connect();
    });

    it('counts behind a balancer the address that this tells, and not its own', async () => {
      await using loopback = await Loopback.open(
        { ...told, receiveMode, maxPerAddress: 1, isProxy: () => true, isUncounted: () => false },
        echo,
      );
      const come = async (address: string) => {
        const { peer } = await loopback.connect();
        peer.send(`PROXY TCP4 ${address} 10.9.9.9 4000 5000\r\nhello`);
        return peer;
      };
      const first = await come('10.0.0.1');
      assert.equal(String(await first.bytes(5)), 'hello');
      const other = await come('10.0.0.2');
      assert.equal(String(await other.bytes(5)), 'hello');
      const third = await come('10.0.0.1');
      await third.gone();
      assert.deepEqual([third.receivedBytes, loopback.endings[0]?.reason], [0, 'network-limit']);
      first.halfClose();
      await eventually('the end', () => loopback.endings.length === 2);
      const fourth = await come('10.0.0.1');
      assert.equal(String(await fourth.bytes(5)), 'hello');
    });

    it('cuts, for a newcomer, the oldest connection that has not shown that it is a client', async () => {
      await using loopback = await Loopback.open({ receiveMode, maxUnestablished: 2 }, echo);
      const silent = [await loopback.connect(), await loopback.connect()];
      silent[0]!.peer.send('hello');
      await silent[0]!.peer.bytes(5);
      assert.equal(silent[0]!.connection.isEstablished, true);
      await loopback.connect();
      const waiting = await loopback.dial();
      waiting.send('first');
      await eventually('it waits', () => loopback.listener.waiting === 1);
      loopback.clock.advance(3000);
      await silent[1]!.peer.gone();
      assert.equal(silent[1]!.connection.closeReason, 'displaced');
      assert.equal(String(await waiting.bytes(5)), 'first');
      assert.equal(silent[0]!.connection.isClosing, false);
    });

    it('takes a peer for a client only when the handler says so, if that is asked for', async () => {
      await using loopback = await Loopback.open({ receiveMode, establishedBy: 'handler' }, echo);
      const { peer, connection } = await loopback.connect();
      peer.send('hello');
      await peer.bytes(5);
      assert.deepEqual([connection.isEstablished, loopback.listener.unestablished], [false, 1]);
      connection.establish();
      connection.establish();
      assert.deepEqual([connection.isEstablished, loopback.listener.unestablished], [true, 0]);
    });

    it('admits nobody while its owner has a reason, and those who wait when that has ended', async () => {
      let gate: RefusalReason | undefined = 'memory';
      await using loopback = await Loopback.open({ ...told, receiveMode, maxWaiting: 1, gate: () => gate }, echo);
      const waiting = await loopback.dial();
      waiting.send('hello');
      await eventually('it waits', () => loopback.listener.waiting === 1);
      const refused = await loopback.dial();
      refused.send('a');
      await refused.gone();
      assert.match(refused.text, /^memory /);
      gate = undefined;
      loopback.listener.admitWaiting();
      assert.equal(String(await waiting.bytes(5)), 'hello');
    });

    it('refuses connections for which no descriptor is left, and goes on as soon as one is free', async () => {
      const descriptors = new DescriptorBudget({
        limit: 24 + 16 + 8 + 3,
        reserve: 16,
        connectionShare: 0,
        fileShare: 8,
      });
      await using loopback = await Loopback.open({ ...told, receiveMode, descriptors }, echo);
      const served = [await loopback.connect(), await loopback.connect()];
      assert.equal(descriptors.takeFiles(9), true);
      const refused = await loopback.dial();
      refused.send('a');
      await refused.gone();
      assert.match(refused.text, /^descriptors /);
      descriptors.giveFiles(9);
      await loopback.connect();
      served[0]!.peer.reset();
      await loopback.ending();
      await loopback.connect();
      assert.equal(descriptors.connections, 3);
      await loopback.listener.close();
      assert.equal(descriptors.connections, 0);
    });
  });
}
