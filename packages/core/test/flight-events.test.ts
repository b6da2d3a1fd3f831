import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Connection, type ConnectionHandler, type FlightEntry, TlsContexts } from '@sluice/core';
import { CertificateFolder, issueForTest } from '@sluice/testkit';
import { eventually } from './support/eventually.js';
import { echo, Loopback } from './support/loopback.js';
import { frame } from './support/peer.js';
import { SecurePeer } from './support/secure-peer.js';

const SECOND = 1000;
const PROXY_HEADER = 'PROXY TCP4 192.0.2.7 198.51.100.1 49153 9999\r\n';

let folder: CertificateFolder;
let contexts: TlsContexts;

before(async () => {
  folder = await CertificateFolder.make();
  contexts = await TlsContexts.load({
    certificates: [await folder.store('server', issueForTest({ hosts: ['127.0.0.1'] }))],
  });
});

after(() => folder[Symbol.asyncDispose]());

function entries({ recorder }: Connection): FlightEntry[] {
  return [...recorder.entries()];
}

function names(connection: Connection): string[] {
  return entries(connection).map(({ event, direction }) => (direction ? `${direction} ${event}` : event));
}

/** The event, the time at which it was, and its value. */
function told(connection: Connection, event: string): [number, number | undefined] | undefined {
  const entry = entries(connection).find((each) => each.event === event);
  return entry && [entry.atMs, entry.total];
}

describe('what the recorder of a connection tells of', () => {
  it('a header of the PROXY protocol, the TLS handshake behind it, and what is inside TLS', async () => {
    await using loopback = await Loopback.open({ tls: { contexts }, isProxy: () => true }, echo);
    const { peer, connection } = await loopback.connect();
    peer.send(PROXY_HEADER);
    await eventually('the header', () => connection.remotePort === 49153);
    loopback.clock.advance(100);
    using secure = new SecurePeer(loopback.port, { socket: peer.socket });
    await eventually('a handshake', () => secure.isSecured);
    secure.socket.write('hello');
    await secure.bytes(5);
    assert.deepEqual(names(connection), ['proxy-header', 'tls-begun', 'tls-done', 'in bytes', 'out bytes']);
    assert.deepEqual([told(connection, 'proxy-header')?.[0], told(connection, 'tls-begun')?.[0]], [0, 100]);
    assert.equal(entries(connection)[3]?.total, 5);
  });

  it('a TLS handshake that fails', async () => {
    await using loopback = await Loopback.open({ tls: { contexts } }, echo);
    const { peer, connection } = await loopback.connect();
    peer.send(Uint8Array.of(0x16, 3, 1, 0, 4, 9, 9, 9, 9));
    await loopback.ending();
    assert.deepEqual(names(connection), ['tls-begun', 'tls-failed', 'gone']);
  });

  it('a peer that does not read: the queue is high, reading stops, and both go on when it reads', async () => {
    await using loopback = await Loopback.openFramed({}, (connection) => ({
      onFrame: () => void connection.send(new Uint8Array(256 << 10)),
    }));
    const { peer, connection } = await loopback.connect();
    peer.stopReading();
    while (!connection.isReadingPaused) {
      peer.send(frame('more'));
      await new Promise(setImmediate);
    }
    assert.ok(told(connection, 'queue-high')![1]! > 512 << 10);
    assert.ok(told(connection, 'reading-paused')![1]! > 512 << 10);
    loopback.clock.advance(2 * SECOND);
    peer.readOn();
    await eventually('it has caught up', () => !connection.isReadingPaused);
    const order = names(connection);
    const at = ['queue-high', 'reading-paused', 'queue-drained', 'reading-resumed'].map((name) => order.indexOf(name));
    assert.deepEqual(
      at,
      at.toSorted((a, b) => a - b),
    );
    assert.ok(told(connection, 'queue-drained')![1]! < 64 << 10);
    assert.equal(told(connection, 'reading-resumed')?.[0], 2 * SECOND);
  });

  it('a message that found no room, with its size', async () => {
    await using loopback = await Loopback.open({}, (connection) => ({
      onBytes() {
        while (connection.send(new Uint8Array(3 << 20)) !== 'refused');
      },
    }));
    const { peer, connection } = await loopback.connect();
    peer.stopReading();
    peer.send('x');
    await eventually('a refusal', () => told(connection, 'send-refused') !== undefined);
    assert.equal(told(connection, 'send-refused')?.[1], 3 << 20);
  });

  it('pauses for want of memory, with what the connection held', async () => {
    await using loopback = await Loopback.open({}, echo);
    const { connection } = await loopback.connect();
    connection.pauseForMemory();
    connection.pauseForMemory(); // another budget
    loopback.clock.advance(500);
    connection.resumeForMemory();
    connection.resumeForMemory();
    assert.deepEqual(
      entries(connection).map(({ event, atMs, total }) => [event, atMs, total]),
      [
        ['memory-paused', 0, 0],
        ['memory-resumed', 500, 0],
      ],
    );
  });

  it('a drain: that the server asks, that what was begun ends, and the end', async () => {
    let release = (): void => {};
    await using loopback = await Loopback.openFramed({}, () => ({
      onFrame: () =>
        new Promise((resolve) => {
          release = resolve;
        }),
    }));
    const { peer, connection } = await loopback.connect();
    peer.send(frame('work'));
    await eventually('the work', () => names(connection).includes('in frame'));
    const drained = loopback.listener.drain(10 * SECOND);
    loopback.clock.advance(SECOND);
    release();
    await peer.gone();
    peer.halfClose();
    assert.equal(await drained, 0);
    const order = names(connection).filter((name) => !name.startsWith('reading'));
    assert.deepEqual(order, ['in frame', 'shutdown-asked', 'handler-slow', 'closing', 'peer-ended', 'gone']);
    assert.deepEqual([told(connection, 'handler-slow'), told(connection, 'closing')?.[0]], [[1000, 1000], 1000]);
  });

  it('a drain whose time is over: the connection is cut', async () => {
    await using loopback = await Loopback.openFramed({}, () => ({ isBusy: true, onFrame() {} }));
    const { peer, connection } = await loopback.connect();
    peer.send(frame('begin'));
    await eventually('the frame', () => connection.receivedBytes > 0);
    const drained = loopback.listener.drain(10 * SECOND);
    loopback.clock.advance(10 * SECOND);
    assert.equal(await drained, 1);
    assert.deepEqual(names(connection), ['in frame', 'shutdown-asked', 'cut', 'gone']);
    assert.equal(told(connection, 'cut')?.[0], 10 * SECOND);
  });

  it('that it made room for a newcomer, and how long it had said nothing', async () => {
    await using loopback = await Loopback.open({ maxUnestablished: 1 }, echo);
    const { peer, connection } = await loopback.connect();
    await loopback.dial();
    await eventually('it waits', () => loopback.listener.waiting === 1);
    loopback.clock.advance(3 * SECOND);
    await peer.gone();
    await loopback.ending();
    assert.deepEqual(names(connection), ['displaced', 'cut', 'gone']);
    assert.deepEqual(told(connection, 'displaced'), [3000, 3000]);
  });

  for (const [event, limit] of [
    ['network-full', { maxPerAddress: 1 }],
    ['network-rate', { connectionRatePerAddress: 0.5 }],
  ] as const)
    it(`that the balancer told of an address with too many connections: ${event}`, async () => {
      const options = { ...limit, isProxy: () => true, isUncounted: () => false };
      await using loopback = await Loopback.open(options, echo);
      for (let n = 0; n < 2; n++) (await loopback.connect()).peer.send(PROXY_HEADER);
      const { connection, reason } = await loopback.ending();
      assert.equal(reason, 'network-limit');
      assert.deepEqual(names(connection), ['proxy-header', event, 'cut', 'gone']);
    });
});

/** What each deadline waits for, the reason of the close, the event, and the time. */
const DEADLINES: readonly {
  readonly name: string;
  readonly reason: string;
  readonly ms: number;
  readonly sent?: string;
  readonly handler?: Partial<ConnectionHandler>;
  readonly serve?: (connection: Connection) => void;
}[] = [
  { name: 'first-byte-late', reason: 'first-byte-timeout', ms: 6000 },
  {
    name: 'login-late',
    reason: 'login-timeout',
    ms: 30_000,
    sent: 'x',
    handler: { isAwaitingLogin: true },
  },
  {
    name: 'frame-late',
    reason: 'frame-timeout',
    ms: 30_000,
    sent: 'x',
    handler: { unfinishedFrame: 1 },
  },
  { name: 'message-late', reason: 'idle-timeout', ms: 300_000, sent: 'x' },
  {
    name: 'reading-late',
    reason: 'write-stall',
    ms: 60_000,
    sent: 'x',
    serve: (connection) => void connection.send(new Uint8Array(7 << 20)),
  },
];

describe('a deadline that has passed', () => {
  for (const { name, reason, ms, sent, handler, serve } of DEADLINES)
    it(`is told as ${name}, with the time that was waited, where the reason is ${reason}`, async () => {
      await using loopback = await Loopback.open({}, (connection) => ({
        ...handler,
        onBytes: () => serve?.(connection),
      }));
      const { peer, connection } = await loopback.connect();
      peer.stopReading();
      if (sent) peer.send(sent);
      await eventually('the bytes', () => connection.receivedBytes === (sent?.length ?? 0));
      await new Promise(setImmediate);
      loopback.clock.advance(ms + 2 * SECOND);
      const [atMs, waitedMs] = told(connection, name) ?? [];
      assert.ok(atMs !== undefined && waitedMs !== undefined, names(connection).join());
      assert.ok(waitedMs >= ms && waitedMs <= ms + 2 * SECOND, `waited ${waitedMs} ms`);
      assert.ok(atMs >= ms && atMs <= ms + 2 * SECOND, `at ${atMs} ms`);
      assert.equal(connection.closeReason, reason);
    });

  it('is told of a TLS handshake, and of a peer that does not close', async () => {
    await using loopback = await Loopback.open({ tls: { contexts } }, echo);
    const { peer, connection } = await loopback.connect();
    peer.send(Uint8Array.of(0x16, 3, 1));
    await eventually('the handshake', () => names(connection).includes('tls-begun'));
    const { connection: other } = await loopback.connect();
    other.close('kicked');
    loopback.clock.advance(3 * SECOND);
    assert.deepEqual(told(other, 'close-late'), [3000, 3000]);
    loopback.clock.advance(7 * SECOND);
    assert.deepEqual(told(connection, 'handshake-late'), [10_000, 10_000]);
    assert.equal(connection.closeReason, 'tls-handshake-timeout');
  });
});
