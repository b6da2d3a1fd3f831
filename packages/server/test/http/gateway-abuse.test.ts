import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { describe, it } from 'node:test';
import { GatewayPeer } from '@sluice/testkit';
import { ProtocolFlag } from '@sluice/wire';
import fc from 'fast-check';
import { ask, eventually, login, request } from '../support/test-server.js';
import { GatewayServer } from './support/gateway-server.js';
import { RawHttp } from './support/http-peer.js';

const { Control, Throughput } = ProtocolFlag;
const flag = (number: number): Uint8Array => Uint8Array.of(number);

const HANDSHAKE =
  'GET /gateway HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: sluice\r\n\r\n';

/** A connection that has shaken hands, and sends bytes as they are from then on. */
async function shaken(gateway: GatewayServer): Promise<RawHttp> {
  const peer = await RawHttp.connect(gateway.port);
  peer.send(HANDSHAKE);
  await peer.until(/^HTTP\/1.1 101 [\s\S]*\r\n\r\n/);
  return peer;
}

/** The head of a frame of a client, with a mask that changes nothing. RFC 6455, 5.2. */
function frameHead(length: number, first = 0x82): Buffer {
  const head = Buffer.alloc(14);
  head.writeUInt8(first, 0);
  head.writeUInt8(0xff, 1);
  head.writeBigUInt64BE(BigInt(length), 2);
  return head;
}

const cycle = (data: Uint8Array): Uint8Array => request('CyclePacket', [['Count', 1]], data);

/** What has come in whole messages of the server. */
function payloadOf({ received }: RawHttp): Buffer {
  const bytes = Buffer.from(received.slice(received.indexOf('\r\n\r\n') + 4), 'latin1');
  const parts: Buffer[] = [];
  for (let at = 0; at + 2 <= bytes.length; ) {
    const short = bytes[at + 1]!;
    const headBytes = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (at + headBytes > bytes.length) break;
    const length =
      short < 126 ? short : bytes.readUIntBE(at + headBytes - (headBytes === 4 ? 2 : 6), headBytes === 4 ? 2 : 6);
    const start = at + headBytes;
    if (start + length > bytes.length) break;
    parts.push(bytes.subarray(start, start + length));
    at = start + length;
  }
  return Buffer.concat(parts);
}

function descriptorsOfProcess(): number {
  return readdirSync('/proc/self/fd').length;
}

describe('the gateway, with peers that are wrong', () => {
  it('hands a message on as it comes, however large it is to be, and keeps nothing of it', async () => {
    await using gateway = await GatewayServer.start();
    await using peer = await shaken(gateway);
    const packet = cycle(randomBytes(60_000));
    peer.socket.write(Buffer.concat([frameHead(2 ** 50), flag(Throughput), packet]));
    await eventually('an answer', () => peer.received.length > packet.length);
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 500; i++) peer.socket.write(packet);
    await eventually('all answers', () => peer.received.length > 500 * packet.length);
    assert.ok(process.memoryUsage().arrayBuffers - before < 32 << 20);
    const [connection] = gateway.listener.connections;
    assert.equal(connection?.receivedBytes, 1 + 501 * packet.length);
  });

  it('refuses a length that no message can have, by the length', async () => {
    await using gateway = await GatewayServer.start();
    await using peer = await shaken(gateway);
    peer.socket.write(frameHead(2 ** 60));
    assert.match(await peer.ended(), /\x88.\x03\xea/s, '1002');
    await eventually('it has ended', () => gateway.listener.counters.closed.get('websocket-error') === 1);
  });

  it('takes a message in any number of frames', async () => {
    await using gateway = await GatewayServer.start();
    await using peer = await GatewayPeer.connect(gateway.port);
    const said = Buffer.concat([flag(Throughput), cycle(randomBytes(20_000))]);
    for (let at = 0; at < said.length; at++)
      peer.webSocket.send(said.subarray(at, at + 1), { fin: at + 1 === said.length });
    assert.equal((await peer.answer())[1], 'Code=0');
  });

  for (const bytes of [
    [0x81, 0, 0, 0, 0, 1],
    [0x82, 0, 0, 0, 0, 0x03, 0xec],
    [0x80, 0, 0, 0, 0],
  ]) {
    it(`takes a close frame for the end, however bad it is: ${Buffer.from(bytes).toString('hex')}`, async () => {
      await using gateway = await GatewayServer.start();
      await using peer = await shaken(gateway);
      peer.socket.write(Uint8Array.from([0x88, ...bytes]));
      await peer.ended();
      await eventually('it is gone', () => gateway.listener.counters.closed.get('peer-closed') === 1);
    });
  }

  const wrong: readonly (readonly [string, readonly number[]])[] = [
    ['a frame that is not masked', [0x82, 1, 8]],
    ['a reserved bit', [0xc2, 0x81, 0, 0, 0, 0, 8]],
    ['an unknown opcode', [0x83, 0x81, 0, 0, 0, 0, 8]],
    ['a continuation of nothing', [0x80, 0x81, 0, 0, 0, 0, 8]],
    ['a message within a message', [0x02, 0x81, 0, 0, 0, 0, 8, 0x82, 0x81, 0, 0, 0, 0, 8]],
    ['a ping in two frames', [0x09, 0x80, 0, 0, 0, 0]],
    ['a ping of 126 bytes', [0x89, 0xfe, 0, 126, 0, 0, 0, 0]],
  ];
  for (const [what, bytes] of wrong) {
    for (const size of [1, bytes.length]) {
      it(`ends with 1002 for ${what}, ${size} bytes at a time`, async () => {
        await using gateway = await GatewayServer.start();
        await using peer = await shaken(gateway);
        for (let at = 0; at < bytes.length; at += size) {
          peer.socket.write(Uint8Array.from(bytes.slice(at, at + size)));
          await new Promise((resolve) => setImmediate(resolve));
        }
        assert.match(await peer.ended(), /\x88[\s\S]\x03\xea/);
        await eventually('it is gone', () => gateway.listener.connections.size === 0);
      });
    }
  }

  it('sends no more to who does not read, and goes on when it does', async () => {
    await using gateway = await GatewayServer.start();
    await using peer = await GatewayPeer.connect(gateway.port);
    peer.socket.pause();
    peer.send(flag(Throughput));
    const data = randomBytes(256 << 10);
    const packet = cycle(data);
    const count = 200;
    for (let i = 0; i < count; i++) peer.send(packet);
    const [connection] = gateway.listener.connections;
    await eventually('it is not read any more', () => connection!.isReadingPaused);
    assert.ok(connection!.queuedBytes < 2 << 20, `${connection!.queuedBytes} bytes are queued`);
    assert.ok(peer.webSocket.bufferedAmount > 10 << 20, 'the peer has to wait with what it would send');
    using other = await gateway.server.login(Control);
    assert.equal((await ask(other, 'Active'))[1], 'Code=0');
    peer.socket.resume();
    for (let i = 0; i < count; i++) assert.equal((await peer.nextPacket()).data.length, data.length);
    assert.equal(connection!.queuedBytes, 0);
  });

  it('queues one answer to pings, however many come from who does not read', async () => {
    await using gateway = await GatewayServer.start();
    await using peer = await shaken(gateway);
    peer.socket.pause();
    const ping = Buffer.concat([Buffer.from([0x89, 0x80 | 125, 0, 0, 0, 0]), Buffer.alloc(125)]);
    const pings = Buffer.concat(Array.from({ length: 1000 }, () => ping));
    const before = process.memoryUsage().arrayBuffers;
    let taken = 0;
    for (let i = 0; i < 200; i++)
      await new Promise<void>((resolve) => peer.socket.write(pings, () => resolve(void taken++)));
    assert.equal(taken, 200, '26 MB of them were read');
    assert.ok(process.memoryUsage().arrayBuffers - before < 16 << 20);
    peer.socket.resume();
  });

  it('ends with who breaks the rules of the WebSocket, whatever comes after the handshake', async () => {
    await using gateway = await GatewayServer.start({ maxConnections: 500 });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 6 }), async (chunks) => {
        await using peer = await shaken(gateway);
        for (const chunk of chunks) peer.socket.write(chunk);
        peer.socket.end();
        await peer.ended();
      }),
      { numRuns: 200 },
    );
    await eventually('all are gone', () => gateway.listener.connections.size === 0);
    const unexpected = gateway.server.events.filter(({ level }) => level === 'error');
    assert.deepEqual(unexpected, []);
    using other = await gateway.server.login(Control);
    assert.equal((await ask(other, 'Active'))[1], 'Code=0');
  });

  it('answers the same however well-formed messages are cut into frames and chunks of TCP', async () => {
    await using gateway = await GatewayServer.start();
    const packets = [cycle(Buffer.from('abc')), request('Active'), cycle(randomBytes(70_000))];
    const said = Buffer.concat([flag(Throughput), ...packets]);
    using tcp = await gateway.server.connect();
    await tcp.send(said);
    for (const _ of packets) await tcp.nextPacket();
    const expected = tcp.received;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: said.length }), { maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 4 }),
        fc.boolean(),
        async (borders, sizes, isOneMessage) => {
          const cuts = [...borders, 0, said.length].sort((a, b) => a - b);
          const frames = cuts.slice(1).map((end, i) => {
            const payload = said.subarray(cuts[i], end);
            const isLast = i === cuts.length - 2;
            const first = isOneMessage ? (isLast ? 0x80 : 0) | (i === 0 ? 2 : 0) : 0x82;
            return Buffer.concat([frameHead(payload.length, first), payload]);
          });
          const bytes = Buffer.concat(frames);
          await using peer = await shaken(gateway);
          for (let at = 0, i = 0; at < bytes.length; i++) {
            const size = sizes[i % sizes.length]! * (i > 50 ? 20 : 1);
            peer.socket.write(bytes.subarray(at, at + size));
            at += size;
            if (i < 20) await new Promise((resolve) => setImmediate(resolve));
          }
          await eventually('the answers', () => payloadOf(peer).length >= expected.length);
          assert.ok(payloadOf(peer).equals(expected));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('leaves nothing behind after 500 connections that end in all ways', async () => {
    await using gateway = await GatewayServer.start({ memory: { limitBytes: 128 << 20, lowersConnections: true } });
    const { listener } = gateway;
    const ends: ((peer: GatewayPeer) => void)[] = [
      (peer) => peer.webSocket.close(),
      (peer) => peer.webSocket.terminate(),
      (peer) => peer.socket.resetAndDestroy(),
      (peer) => peer.socket.end(),
      (peer) => peer.webSocket.send('a text'),
      (peer) => peer.send(flag(200)),
      (peer) => peer.socket.write(frameHead(2 ** 60)),
      (peer) => peer.socket.write(Buffer.concat([frameHead(1 << 20), Buffer.alloc(5000)]), () => peer.socket.destroy()),
      (peer) => peer.send(flag(Control), login(), request('GetClients'), Buffer.from([1, 2, 3])),
    ];
    const round = async (count: number): Promise<void> => {
      for (let done = 0; done < count; done += 25) {
        const peers = await Promise.all(Array.from({ length: 25 }, () => GatewayPeer.connect(gateway.port)));
        for (const [i, peer] of peers.entries()) ends[(done + i) % ends.length]!(peer);
        await eventually('what goes by itself', () => listener.connections.size <= 4);
        for (const peer of peers) await peer[Symbol.asyncDispose]();
        await eventually('all are gone', () => listener.connections.size === 0);
      }
    };
    await round(50);
    const descriptors = descriptorsOfProcess();
    await round(500);
    await eventually('all descriptors are free', () => descriptorsOfProcess() <= descriptors + 2);
    assert.equal(listener.descriptors.connections, 0);
    assert.equal(listener.unestablished, 0);
    assert.equal(listener.waiting, 0);
    assert.equal(listener.memory?.receive.usedBytes, 0);
    assert.equal(listener.memory?.send.usedBytes, 0);
    assert.equal(listener.counters.accepted, 550);
  });
});
