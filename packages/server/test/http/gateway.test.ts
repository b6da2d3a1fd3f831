import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { TlsContexts } from '@sluice/core';
import type { SluiceServerOptions } from '@sluice/server';
import { CertificateFolder, GatewayPeer, issueForTest, ManualClock } from '@sluice/testkit';
import {
  type ClientRecord,
  type ConnectionExplanation,
  dataRequestText,
  decodeJsonData,
  encodeExplainRequest,
  encodeKickRequest,
  encodeListClientsRequest,
  encodePacket,
  ProtocolFlag,
} from '@sluice/wire';
import { WebSocket } from 'ws';
import { answer, ask, eventually, login, request, TestServer } from '../support/test-server.js';
import { askHttp, RawHttp } from './support/http-peer.js';

const { Control, Upload, Download, Throughput } = ProtocolFlag;
const flag = (number: number): Uint8Array => Uint8Array.of(number);

const uploadOf = (fileName: string): Uint8Array =>
  request('Upload', [
    ['DirName', ''],
    ['FileName', fileName],
  ]);

async function startGateway(options: Partial<SluiceServerOptions> = {}) {
  const server = await TestServer.start({ http: { host: '127.0.0.1', port: 0 }, ...options });
  const { listener, http } = server.server;
  return { server, listener, port: http!.address.port, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

type Gateway = Awaited<ReturnType<typeof startGateway>>;

async function loggedIn({ port }: Pick<Gateway, 'port'>, protocol: number): Promise<GatewayPeer> {
  const peer = await GatewayPeer.connect(port);
  peer.send(flag(protocol), login([['Features', '']]));
  assert.equal((await peer.answer())[1], 'Code=0');
  return peer;
}

async function clientsOf(peer: GatewayPeer): Promise<ClientRecord[]> {
  peer.send(encodePacket(encodeListClientsRequest({ after: 0, limit: 100 })));
  return decodeJsonData((await peer.nextPacket()).data) as ClientRecord[];
}

describe('the gateway', () => {
  const said = Buffer.concat([flag(Control), login(), request('GetClients'), request('Active')]);
  for (const size of [1, 2, 3, 7, 64, said.length]) {
    it(`carries the bytes of a connection when they come in messages of ${size}`, async () => {
      await using gateway = await startGateway();
      await using peer = await GatewayPeer.connect(gateway.port);
      for (let at = 0; at < said.length; at += size) peer.send(said.subarray(at, at + size));
      for (const command of ['Login', 'GetClients', 'Active'])
        assert.deepEqual((await peer.answer()).slice(0, 2), [`Command=${command}`, 'Code=0']);
    });
  }

  it('carries them when a message comes in many frames, with pings between them, and empty messages around it', async () => {
    await using gateway = await startGateway();
    await using peer = await GatewayPeer.connect(gateway.port);
    const pongs: string[] = [];
    peer.webSocket.on('pong', (data) => pongs.push(data.toString()));
    peer.webSocket.send(Buffer.alloc(0));
    for (let at = 0; at < said.length; at += 9) {
      peer.webSocket.send(said.subarray(at, at + 9), { fin: at + 9 >= said.length });
      peer.webSocket.ping(`${at}`);
    }
    peer.webSocket.send(Buffer.alloc(0));
    for (const command of ['Login', 'GetClients', 'Active'])
      assert.deepEqual((await peer.answer()).slice(0, 2), [`Command=${command}`, 'Code=0']);
    await eventually('the last pong', () => pongs.at(-1) === String(Math.floor((said.length - 1) / 9) * 9));
    const listing = encodePacket(encodeListClientsRequest({ after: 0, limit: 100 })).length;
    assert.equal((await clientsOf(peer))[0]?.receivedBytes, said.length + listing, 'nothing else counts');
  });

  it('counts as one connection with one descriptor, from its handshake to its end', async () => {
    await using gateway = await startGateway();
    const { descriptors, counters, connections } = gateway.listener;
    await using peer = await GatewayPeer.connect(gateway.port);
    for (const protocol of [Control, Throughput]) {
      await using other = await GatewayPeer.connect(gateway.port);
      other.send(flag(protocol), request('Active'));
      await other.answer();
      assert.equal(descriptors.connections, 2);
      other.webSocket.close();
      await eventually('it has ended', () => connections.size === 1 && descriptors.connections === 1);
    }
    assert.equal(counters.accepted, 3);
    peer.webSocket.close();
    await eventually('all have ended', () => connections.size === 0 && descriptors.connections === 0);
  });

  it('takes an upload and gives it back byte for byte', async () => {
    await using gateway = await startGateway();
    const content = randomBytes(9_000_000);
    await using up = await loggedIn(gateway, Upload);
    up.send(uploadOf('a'));
    await up.answer();
    for (let at = 0; at < content.length; at += 500_000) {
      const data = content.subarray(at, at + 500_000);
      up.send(encodePacket(dataRequestText(), data));
    }
    up.send(request('Eof'));
    assert.deepEqual((await up.answer()).slice(0, 2), ['Command=Eof', 'Code=0']);
    assert.ok((await readFile(gateway.server.path('a'))).equals(content));
    await using down = await loggedIn(gateway, Download);
    down.send(
      request('Download', [
        ['DirName', ''],
        ['FileName', 'a'],
        ['FileSize', 0],
        ['PacketSize', 65_536],
      ]),
    );
    await down.answer();
    await down.answer(); // how long it is
    const parts: Uint8Array[] = [];
    for (let left = content.length; left > 0; ) {
      const { data } = await down.nextPacket();
      parts.push(data);
      left -= data.length;
    }
    assert.ok(Buffer.concat(parts).equals(content));
    const largest = Math.max(...down.messages.map(({ length }) => length));
    assert.ok(largest <= 256 << 10, `a message of ${largest} bytes`);
    assert.ok(down.messages.length < content.length / (64 << 10), 'what leaves at once leaves in large messages');
  });

  it('shows its connections like all others: listed, explained, measured, kicked', async () => {
    await using gateway = await startGateway();
    await using control = await loggedIn(gateway, Control);
    await using other = await loggedIn(gateway, Download);
    const [own, listed] = await clientsOf(control);
    const { port } = other.socket.address() as { port: number };
    assert.equal(listed?.remoteAddress, `127.0.0.1:${port}`);
    assert.equal(listed?.localAddress, `127.0.0.1:${gateway.port}`);
    assert.equal(listed?.isEncrypted, false);
    assert.equal(listed?.user, 'admin');
    assert.deepEqual([own?.protocol, listed?.protocol], ['Control', 'Download']);
    using tcp = await gateway.server.login(Control);
    assert.match((await ask(tcp, 'GetClients'))[1] ?? '', /Code=0/);
    control.send(encodePacket(encodeKickRequest({ id: listed!.id })));
    assert.match((await control.answer()).join(), /Code=0/);
    assert.deepEqual(await other.waitForEnd(), { code: 1008, reason: 'kicked' });
    await eventually('its end', () => gateway.listener.counters.closed.get('kicked') === 1);
    control.send(encodePacket(encodeExplainRequest(listed!.id)));
    const { connection, events } = decodeJsonData((await control.nextPacket()).data) as ConnectionExplanation;
    assert.equal((connection as { reason?: string }).reason, 'kicked');
    assert.ok(events.length > 3);
  });

  it('shows whom a balancer tells, and counts its address', async () => {
    await using gateway = await startGateway({ proxyFrom: ['127.0.0.0/8'], maxPerAddress: 1 });
    const open = async () => {
      const peer = await RawHttp.connect(gateway.port);
      peer.send('PROXY TCP4 203.0.113.9 203.0.113.1 4000 80\r\n');
      peer.send(
        'GET /gateway HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
          'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: sluice\r\n\r\n',
      );
      await peer.until(/101 Switching Protocols[\s\S]*\r\n\r\n/);
      return peer;
    };
    await using first = await open();
    await eventually('it is served', () => gateway.listener.connections.size === 1);
    assert.equal([...gateway.listener.connections][0]?.remoteAddress, '203.0.113.9');
    await using second = await open();
    assert.match(await second.until(/RetryAfterMs=\d+/), /network-full/);
    assert.equal(first.socket.destroyed, false);
  });

  it('over https is a connection that is encrypted, with tls-only too', async () => {
    await using folder = await CertificateFolder.make();
    const issued = issueForTest();
    const contexts = await TlsContexts.load({ certificates: [await folder.store('server', issued)] });
    await using gateway = await startGateway({ tls: { contexts, isRequired: true } });
    const url = `wss://127.0.0.1:${gateway.port}/gateway`;
    await using peer = await GatewayPeer.connect(url, { rejectUnauthorized: false });
    peer.send(flag(Control), login([['Features', '']]));
    assert.equal((await peer.answer())[1], 'Code=0');
    assert.equal((await clientsOf(peer))[0]?.isEncrypted, true);
    // a large answer through TLS, too
    const data = randomBytes(5_000_000);
    await using echo = await GatewayPeer.connect(url, { rejectUnauthorized: false });
    echo.send(flag(Throughput));
    const cycle = request('CyclePacket', [['Count', 1]], data);
    for (let at = 0; at < cycle.length; at += 900_000) echo.send(cycle.subarray(at, at + 900_000));
    assert.ok(Buffer.from((await echo.nextPacket()).data).equals(data));
  });

  it('refuses text messages, messages of another subprotocol, and what is no WebSocket', async () => {
    await using gateway = await startGateway();
    await using peer = await loggedIn(gateway, Control);
    peer.webSocket.send('text');
    assert.deepEqual(await peer.waitForEnd(), { code: 1003, reason: 'text-message' });
    const other = new WebSocket(`ws://127.0.0.1:${gateway.port}/gateway`, 'chat');
    assert.match(String((await once(other, 'error'))[0]), /400/);
    assert.equal((await askHttp(gateway.port, '/gateway')).status, 404);
    await using bad = await RawHttp.connect(gateway.port);
    bad.send('GET /gateway HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    assert.match(await bad.ended(), /^HTTP\/1.1 400 /);
    await eventually('no connection is left', () => gateway.listener.connections.size === 0);
  });

  it('refuses pages of other origins, and takes programs, which name none', async () => {
    await using gateway = await startGateway();
    await assert.rejects(GatewayPeer.connect(gateway.port, { origin: 'https://elsewhere.example' }), /403/);
    await using own = await GatewayPeer.connect(gateway.port, { origin: `http://127.0.0.1:${gateway.port}` });
    assert.equal(own.webSocket.protocol, 'sluice');
  });

  it('ends with 1001 when the server drains, after what is begun', async () => {
    await using gateway = await startGateway();
    await using peer = await loggedIn(gateway, Control);
    await using waiting = await GatewayPeer.connect(gateway.port);
    await eventually('both are served', () => gateway.listener.connections.size === 2);
    const drained = gateway.server.server.drain(5000);
    assert.deepEqual(await peer.waitForEnd(), { code: 1001, reason: 'shutdown' });
    assert.deepEqual(await waiting.waitForEnd(), { code: 1001, reason: 'shutdown' });
    assert.equal(await drained, 0);
  });

  it('says in which way a peer was wrong or late', async () => {
    const clock = new ManualClock();
    await using gateway = await startGateway({ clock });
    await using silent = await GatewayPeer.connect(gateway.port);
    await using strange = await GatewayPeer.connect(gateway.port);
    strange.send(flag(200));
    assert.deepEqual(await strange.waitForEnd(), { code: 1007, reason: 'unknown-protocol' });
    await eventually('it is served', () => gateway.listener.connections.size === 1);
    clock.advance(6000);
    clock.advance(1000);
    assert.deepEqual(await silent.waitForEnd(), { code: 1008, reason: 'first-byte-timeout' });
  });

  it('takes pings for no activity: who only pings is idle', async () => {
    const clock = new ManualClock();
    await using gateway = await startGateway({ clock, idleTimeoutMs: 10_000 });
    await using peer = await loggedIn(gateway, Control);
    for (let i = 0; i < 9; i++) {
      peer.webSocket.ping(String(i).repeat(125));
      await new Promise((resolve) => peer.webSocket.once('pong', resolve));
      clock.advance(1000);
    }
    clock.advance(1000);
    clock.advance(1000);
    assert.deepEqual(await peer.waitForEnd(), { code: 1008, reason: 'idle-timeout' });
  });

  it('counts what has come of a message that is not whole, for deadlines too', async () => {
    const clock = new ManualClock();
    await using gateway = await startGateway({ clock, frameTimeoutMs: 10_000, minFrameBytesPerSecond: 1000 });
    await using peer = await loggedIn(gateway, Upload);
    peer.send(uploadOf('slow'));
    await peer.answer();
    const [connection] = gateway.listener.connections;
    const before = connection!.receivedBytes;
    const packet = encodePacket(dataRequestText(), randomBytes(300_000));
    peer.send(packet.subarray(0, 100)); // the packet has begun
    await eventually('it has come', () => connection!.receivedBytes === before + 100);
    clock.advance(1000);
    const rest = maskedFrame(packet.subarray(100));
    let sent = 0;
    const trickle = async (bytes: number): Promise<void> => {
      peer.socket.write(rest.subarray(sent, sent + bytes));
      sent += bytes;
      await eventually('it has come', () => connection!.receivedBytes >= before + 100 + sent - 20);
    };
    for (let i = 0; i < 4; i++) {
      await trickle(20_000); // 2,000 a second
      for (let s = 0; s < 10; s++) clock.advance(1000);
    }
    assert.equal(peer.ended, undefined);
    await trickle(500);
    for (let s = 0; s < 11; s++) clock.advance(1000);
    assert.equal(connection!.closeReason, 'frame-timeout');
  });

  it('is a connection like one of TCP for its peer: an answer to a request that begins a frame, and an end by FIN', async () => {
    await using gateway = await startGateway();
    using tcp = await gateway.server.login(Control);
    await using peer = await loggedIn(gateway, Control);
    tcp.send(request('Active'));
    peer.send(request('Active'));
    assert.deepEqual(await answer(tcp), await peer.answer());
    peer.socket.end(); // half-closed below the WebSocket, without a close frame
    await eventually('its end', () => gateway.listener.counters.closed.get('peer-closed') === 1);
  });

  it('does what was asked before the peer closed, as over TCP', async () => {
    await using gateway = await startGateway();
    await writeFile(gateway.server.path('x'), 'x');
    await using up = await loggedIn(gateway, Upload);
    up.send(uploadOf('last'));
    await up.answer();
    up.send(encodePacket(dataRequestText(), Buffer.from('abc')));
    up.send(request('Eof'));
    up.webSocket.close(1000);
    await eventually(
      'the file',
      async () => (await readFile(gateway.server.path('last'), 'utf8').catch(() => '')) === 'abc',
    );
    assert.equal((await up.waitForEnd()).code, 1000);
    await eventually('its end', () => gateway.listener.counters.closed.get('peer-closed') === 1);
  });

  it('takes a reset below the WebSocket for the end of the connection', async () => {
    await using gateway = await startGateway();
    await using peer = await loggedIn(gateway, Upload);
    peer.send(uploadOf('cut'));
    await peer.answer();
    peer.send(encodePacket(dataRequestText(), randomBytes(1000)));
    const [connection] = gateway.listener.connections;
    const before = connection!.receivedBytes;
    peer.send(encodePacket(dataRequestText(), randomBytes(1000)));
    await eventually('it has come', () => connection!.receivedBytes > before + 1000);
    peer.socket.resetAndDestroy();
    await eventually('its end', () => gateway.listener.counters.closed.get('peer-reset') === 1);
    assert.equal(gateway.listener.connections.size, 0);
  });
});

/** A whole binary message as a client sends it, with a mask that changes nothing. RFC 6455, 5.2. */
function maskedFrame(payload: Uint8Array): Buffer {
  const head = Buffer.alloc(14);
  head.writeUInt16BE(0x82ff, 0);
  head.writeBigUInt64BE(BigInt(payload.length), 2);
  return Buffer.concat([head, payload]);
}
