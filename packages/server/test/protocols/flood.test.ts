import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { SluiceServerOptions } from '@sluice/server';
import { ManualClock, type RawPeer } from '@sluice/testkit';
import { dataRequestText, encodePacket, type Field, ProtocolFlag } from '@sluice/wire';
import { answer, ask, eventually, request, TestServer } from '../support/test-server.js';

const FLAG = Uint8Array.of(ProtocolFlag.Throughput);
const KIB = 1 << 10;
const MIB = 1 << 20;

/** A server whose time stands still. */
async function stoppedServer(options: Partial<SluiceServerOptions> = {}) {
  const clock = new ManualClock();
  return { clock, server: await TestServer.start({ clock, ...options }) };
}

function floodFields(direction: string, durationMs: number, ...more: Field[]): Field[] {
  return [['Direction', direction], ['DurationMs', durationMs], ...more];
}

/** A connection on which Flood was asked for, and its answer read. */
async function flooding(server: TestServer, fields: Field[]): Promise<RawPeer> {
  const peer = await server.connect();
  await peer.send(FLAG, request('Flood', fields));
  return peer;
}

function data(bytes: number): Uint8Array {
  return encodePacket(dataRequestText(), new Uint8Array(bytes));
}

/** The Data up to the last report, in bytes, and that report. */
async function drain(peer: RawPeer): Promise<{ readonly bytes: number; readonly report: Map<string, string> }> {
  for (let bytes = 0; ; ) {
    const packet = await peer.nextPacket();
    const fields = new Map(
      packet.text
        .split('\r\n')
        .slice(1)
        .map((line) => line.split('=') as [string, string]),
    );
    if (fields.get('Command') === 'Data') bytes += packet.data.length;
    else if (fields.get('End') === 'yes') return { bytes, report: fields };
    else assert.equal(fields.get('Command'), 'FloodReport');
  }
}

function connectionOf(server: TestServer) {
  return [...server.server.listener.connections].at(-1)!;
}

/** Nothing that was sent before is on its way any more. */
async function receivedAll(server: TestServer, bytes: number): Promise<void> {
  await eventually(`${bytes} bytes are received`, () => connectionOf(server).receivedBytes >= bytes);
}

describe('Flood (docs/protocol.md, 17.11)', () => {
  it('is announced in the answer to Active, without a login', async () => {
    await using server = await TestServer.start();
    using peer = await server.connect();
    await peer.send(FLAG);
    assert.match((await ask(peer, 'Active', [['Features', '']]))[2] ?? '', /^Features=(?:.*,)?Flood(?:,|$)/);
    assert.deepEqual(await ask(peer, 'Active'), ['Command=Active', 'Code=0']);
  });

  it('up: counts what comes until the time is over, and says how much it was', async () => {
    const { clock, server } = await stoppedServer();
    await using _ = server;
    using peer = await flooding(server, floodFields('up', 2000));
    assert.deepEqual(await answer(peer), ['Command=Flood', 'Code=0', 'DurationMs=2000', 'Rate=0']);
    const before = connectionOf(server).receivedBytes;
    const packet = data(100_000);
    await peer.send(packet, packet, packet);
    await receivedAll(server, before + 3 * packet.length);
    clock.advance(2000);
    const { report } = await drain(peer);
    assert.deepEqual([report.get('Received'), report.get('Sent'), report.get('ElapsedMs')], ['300000', '0', '2000']);
    for (const key of ['CpuMs', 'BusyMs']) assert.match(report.get(key) ?? '', /^\d+$/);
  });

  it('down: sends as fast as the peer reads until the time is over', async () => {
    const { clock, server } = await stoppedServer();
    await using _ = server;
    using peer = await flooding(server, floodFields('down', 1000));
    peer.pause();
    await eventually('the peer is full', () => connectionOf(server).queuedBytes > 0);
    clock.advance(1000);
    peer.resume();
    await answer(peer);
    const { bytes, report } = await drain(peer);
    assert.ok(bytes > 0);
    assert.deepEqual([report.get('Sent'), report.get('Received')], [String(bytes), '0']);
    assert.equal((await ask(peer, 'CyclePacket', [['Count', 1]]))[2], 'Count=2', 'the connection is as before');
  });

  for (const size of [1, 65_536, 65_537, 1_000_000]) {
    it(`down: sends exactly ${size} bytes where Size says so, before the time is over`, async () => {
      await using server = await TestServer.start();
      using peer = await flooding(server, floodFields('down', 60_000, ['Size', size]));
      await answer(peer);
      const { bytes, report } = await drain(peer);
      assert.deepEqual([bytes, report.get('Sent')], [size, String(size)]);
    });
  }

  it('both: goes each way at the same time, until both have their size', async () => {
    await using server = await TestServer.start();
    const fields = floodFields('both', 60_000, ['Size', 200_000]);
    using peer = await flooding(server, fields);
    await answer(peer);
    await peer.send(data(100_000), data(100_000));
    const { bytes, report } = await drain(peer);
    assert.deepEqual([bytes, report.get('Sent'), report.get('Received')], [200_000, '200000', '200000']);
  });

  it('tells every interval how far it has come', async () => {
    const { clock, server } = await stoppedServer();
    await using _ = server;
    const fields = floodFields('up', 1000, ['IntervalMs', 100]);
    using peer = await flooding(server, fields);
    await answer(peer);
    clock.advance(250);
    const reports = [await answer(peer), await answer(peer)];
    assert.deepEqual(
      reports.map((lines) => [lines[0], lines[4]]),
      [
        ['Command=FloodReport', 'ElapsedMs=100'],
        ['Command=FloodReport', 'ElapsedMs=200'],
      ],
    );
    clock.advance(750);
    assert.equal((await drain(peer)).report.get('ElapsedMs'), '1000');
  });

  it('is granted for no longer than the server allows', async () => {
    const { clock, server } = await stoppedServer({ speed: { maxMs: 500 } });
    await using _ = server;
    using peer = await flooding(server, floodFields('up', 3_600_000));
    assert.equal((await answer(peer))[2], 'DurationMs=500');
    clock.advance(500);
    assert.equal((await drain(peer)).report.get('ElapsedMs'), '500');
  });

  for (const fields of [
    [],
    [['Direction', 'up']],
    [
      ['Direction', 'x'],
      ['DurationMs', 1],
    ],
    [
      ['Direction', 'up'],
      ['DurationMs', 0],
    ],
    [
      ['Direction', 'down'],
      ['DurationMs', 1],
      ['Size', -1],
    ],
    [
      ['Direction', 'down'],
      ['DurationMs', 1],
      ['IntervalMs', 1],
    ],
  ] as [string, string | number][][]) {
    it(`with ${fields.map((field) => field.join('=')).join(', ') || 'no keys'} is answered with code 6, and takes no place`, async () => {
      await using server = await TestServer.start({ speed: { maxFloods: 1 } });
      using peer = await server.connect();
      await peer.send(FLAG);
      assert.equal((await ask(peer, 'Flood', fields))[1], 'Code=6');
      await peer.send(request('Flood', floodFields('down', 1000, ['Size', 1])));
      assert.equal((await answer(peer))[1], 'Code=0');
    });
  }

  it('goes on when another one is asked for on the same connection, which gets code 6', async () => {
    const { server } = await stoppedServer();
    await using _ = server;
    using peer = await flooding(server, floodFields('up', 1000));
    await answer(peer);
    assert.equal((await ask(peer, 'Flood', floodFields('up', 1000)))[1], 'Code=6');
    assert.equal((await ask(peer, 'CyclePacket', [['Count', 6]]))[2], 'Count=7');
  });

  it('is what Data is for: without one it is an unknown command, whatever its size', async () => {
    await using server = await TestServer.start();
    using peer = await server.connect();
    await peer.send(FLAG, data(10), data(500_000));
    for (let i = 0; i < 2; i++) assert.deepEqual((await answer(peer)).slice(0, 2), ['Command=Data', 'Code=1']);
  });

  it('takes Data that was on its way when it ended, until the next request', async () => {
    const { clock, server } = await stoppedServer();
    await using _ = server;
    using peer = await flooding(server, floodFields('up', 1000));
    await answer(peer);
    clock.advance(1000);
    await drain(peer);
    await peer.send(data(300_000));
    assert.equal((await ask(peer, 'CyclePacket', [['Count', 1]]))[2], 'Count=2');
    await peer.send(data(1));
    assert.equal((await answer(peer))[1], 'Code=1');
  });

  it('is shown to operators as a transfer', async () => {
    const { server } = await stoppedServer();
    await using _ = server;
    using peer = await flooding(server, floodFields('up', 1000));
    await answer(peer);
    using operator = await server.login(ProtocolFlag.Control, [['Features', '']]);
    await operator.send(request('ListClients'));
    const [record] = JSON.parse(Buffer.from((await operator.nextPacket()).data).toString()) as { transfer: object }[];
    assert.deepEqual(record?.transfer, { direction: 'upload', name: 'speed measurement', doneBytes: 0 });
  });
});

describe('places for floods', () => {
  const endless = floodFields('up', 20_000);

  it('are limited for one client: the next one is told code 12, and when to try again', async () => {
    const { clock, server } = await stoppedServer({ speed: { maxFloodsPerClient: 2 } });
    await using _ = server;
    using first = await flooding(server, endless);
    await answer(first);
    clock.advance(5000);
    using second = await flooding(server, endless);
    await answer(second);
    using third = await flooding(server, endless);
    assert.deepEqual(await answer(third), [
      'Command=Flood',
      'Code=12',
      'Message=no more than 2 streams of this client are measured at once',
      'RetryAfterMs=15000',
    ]);
    assert.equal((await ask(third, 'CyclePacket', [['Count', 1]]))[1], 'Code=0', 'it may wait here');
    using elsewhere = await server.connect();
    await elsewhere.send(FLAG);
    assert.equal((await ask(elsewhere, 'Flood', endless))[1], 'Code=12', 'another connection is the same client');
    first.destroy();
    await eventually('a place is free', async () => (await ask(third, 'Flood', endless))[1] === 'Code=0');
  });

  it('are limited in all', async () => {
    const { server } = await stoppedServer({ speed: { maxFloods: 1 } });
    await using _ = server;
    using first = await flooding(server, endless);
    await answer(first);
    using second = await flooding(server, endless);
    assert.equal((await answer(second))[2], 'Message=no more than 1 streams in all are measured at once');
  });

  it('can be none: then Flood is not announced, and an unknown command', async () => {
    await using server = await TestServer.start({ speed: { maxFloods: 0 } });
    using peer = await server.connect();
    await peer.send(FLAG);
    assert.doesNotMatch((await ask(peer, 'Active', [['Features', '']]))[2] ?? '', /Flood/);
    assert.equal((await ask(peer, 'Flood', endless))[1], 'Code=1');
  });

  it('serve several clients at the same time', async () => {
    await using server = await TestServer.start();
    const size = 3 * MIB;
    const fields = floodFields('both', 60_000, ['Size', size]);
    const results = await Promise.all(
      Array.from({ length: 8 }, async () => {
        using peer = await flooding(server, fields);
        await answer(peer);
        const sending = peer.send(...Array.from({ length: 12 }, () => data(256 * KIB)));
        const { bytes, report } = await drain(peer);
        await sending;
        return [bytes, report.get('Received')];
      }),
    );
    assert.deepEqual(results, new Array(8).fill([size, String(size)]));
  });

  it('are kept by a peer that does not stop sending for 10 s, then the connection is cut', async () => {
    const { clock, server } = await stoppedServer({ speed: { maxFloods: 1 } });
    await using _ = server;
    using peer = await flooding(server, floodFields('up', 1000));
    await answer(peer);
    clock.advance(1000);
    await drain(peer);
    using other = await flooding(server, endless);
    assert.equal((await answer(other))[1], 'Code=12');
    clock.advance(10_000);
    await peer.waitForClose();
    await eventually('it is said why', () => server.events.some(({ fields }) => fields['reason'] === 'flood-overrun'));
    assert.equal((await ask(other, 'Flood', endless))[1], 'Code=0');
  });

  it('are free again when a peer has sent its next request, also one that cannot be used', async () => {
    const { clock, server } = await stoppedServer({ speed: { maxFloods: 1 } });
    await using _ = server;
    using peer = await flooding(server, floodFields('up', 1000));
    await answer(peer);
    clock.advance(1000);
    await drain(peer);
    assert.equal((await ask(peer, 'Flood', floodFields('sideways', 1000)))[1], 'Code=6');
    using other = await flooding(server, endless);
    assert.equal((await answer(other))[1], 'Code=0');
    clock.advance(10_000);
    assert.equal((await ask(peer, 'CyclePacket', [['Count', 1]]))[2], 'Count=2');
  });

  it('are not kept by a peer that takes nothing: 10 s after the end it is cut', async () => {
    const { clock, server } = await stoppedServer();
    await using _ = server;
    using peer = await flooding(server, floodFields('down', 1000));
    peer.pause();
    await eventually('the peer is full', () => connectionOf(server).queuedBytes > 0);
    clock.advance(1000);
    clock.advance(10_000);
    await eventually('it is cut', () => server.server.listener.connections.size === 0);
  });
});

describe('a flood and the rest of the server', () => {
  it('holds one batch of packets, and a report or two, for a peer that does not read', async () => {
    const { clock, server } = await stoppedServer();
    await using _ = server;
    const fields = floodFields('down', 60_000, ['IntervalMs', 50]);
    using peer = await flooding(server, fields);
    peer.pause();
    await eventually('the peer is full', () => connectionOf(server).queuedBytes > 0);
    for (let i = 0; i < 1000; i++) clock.advance(50);
    assert.ok(connectionOf(server).queuedBytes < 600 * KIB, `${connectionOf(server).queuedBytes} bytes wait`);
  });

  it('ends at once when the server drains, with its last report', async () => {
    for (const direction of ['up', 'down', 'both']) {
      const { clock, server } = await stoppedServer();
      await using _ = server;
      using peer = await flooding(server, floodFields(direction, 60_000));
      await answer(peer);
      if (direction !== 'down') await peer.send(data(10_000), data(1000).subarray(0, 500)); // in the middle of a packet
      clock.advance(500);
      const drained = server.server.drain(60_000);
      assert.equal((await drain(peer)).report.get('ElapsedMs'), '500', direction);
      await peer.waitForClose();
      assert.equal(await drained, 0, 'nothing was cut');
    }
  });

  it('ends with its connection', async () => {
    const { clock, server } = await stoppedServer();
    await using _ = server;
    const timers = clock.pendingTimers;
    const peer = await flooding(server, floodFields('both', 60_000));
    peer.destroy();
    await eventually('the connection is gone', () => server.server.listener.connections.size === 0);
    await eventually('its timers are gone', () => clock.pendingTimers <= timers);
    assert.ok(server.events.some(({ event }) => event === 'speed measurement broken off'));
  });

  it('goes on to its end for a peer that has sent its last byte', async () => {
    await using server = await TestServer.start();
    using peer = await flooding(server, floodFields('down', 60_000, ['Size', 5 * MIB]));
    peer.halfClose();
    await answer(peer);
    assert.equal((await drain(peer)).bytes, 5 * MIB);
    await peer.waitForClose();
  });

  it('is idle when nothing moves, as any connection', async () => {
    const { clock, server } = await stoppedServer({ idleTimeoutMs: 10_000 });
    await using _ = server;
    using peer = await flooding(server, floodFields('up', 60_000));
    await answer(peer);
    clock.advance(12_000);
    await peer.waitForClose();
    await eventually('it is said why', () => server.events.some(({ fields }) => fields['reason'] === 'idle-timeout'));
  });
});

describe('a rate for floods', () => {
  it('holds what is sent, and is told to the client', async () => {
    const { clock, server } = await stoppedServer({ speed: { bytesPerSecondPerClient: MIB, bytesPerSecond: 4 * MIB } });
    await using _ = server;
    using peer = await flooding(server, floodFields('down', 2000));
    assert.equal((await answer(peer))[3], `Rate=${MIB}`);
    for (let i = 0; i < 200; i++) {
      clock.advance(10);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const { bytes } = await drain(peer);
    assert.ok(bytes >= 1.9 * MIB && bytes <= 2.2 * MIB, `${bytes} bytes`);
  });

  it('holds what comes, by not reading', async () => {
    const { clock, server } = await stoppedServer({ speed: { bytesPerSecond: 100 * KIB } });
    await using _ = server;
    using peer = await flooding(server, floodFields('up', 4000));
    await answer(peer);
    let isTaken = false;
    const sending = peer.send(...Array.from({ length: 512 }, () => data(64 * KIB))).then(() => {
      isTaken = true;
    });
    for (let i = 0; i < 40; i++) {
      clock.advance(100);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const { report } = await drain(peer);
    assert.ok(Number(report.get('Received')) < 2 * MIB, `${report.get('Received')} bytes`);
    assert.equal(isTaken, false);
    peer.destroy();
    await sending;
  });

  it('is shared by the floods of a client, and not forgotten between them', async () => {
    const { clock, server } = await stoppedServer({ speed: { bytesPerSecondPerClient: 64 * KIB } });
    await using _ = server;
    const fields = floodFields('down', 500, ['Size', 64 * KIB]);
    using first = await flooding(server, fields);
    await answer(first);
    assert.equal((await drain(first)).bytes, 64 * KIB);
    using second = await flooding(server, fields);
    await answer(second);
    clock.advance(500);
    assert.equal((await drain(second)).bytes, 0, 'the first one has used the next second up');
  });

  it('costs one timer for a client that begins again and again, until what it owes is paid', async () => {
    const { clock, server } = await stoppedServer({ speed: { bytesPerSecondPerClient: 64 * KIB } });
    await using _ = server;
    using peer = await server.connect();
    await peer.send(FLAG);
    await ask(peer, 'Active');
    const timers = clock.pendingTimers;
    for (let i = 0; i < 5; i++) {
      await peer.send(request('Flood', floodFields('up', 1)), data(16 * KIB));
      await answer(peer);
      await receivedAll(server, (i + 1) * 16 * KIB);
      clock.advance(1);
      await drain(peer);
      assert.equal((await ask(peer, 'CyclePacket', [['Count', 1]]))[2], 'Count=2');
    }
    assert.ok(clock.pendingTimers <= timers + 1, `${clock.pendingTimers - timers} timers more`);
    clock.advance(10_000);
    assert.equal(clock.pendingTimers, timers);
  });
});
