import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TlsContexts } from '@sluice/core';
import type { HttpVisitor } from '@sluice/server';
import { CertificateFolder, GatewayPeer, issueForTest, ManualClock } from '@sluice/testkit';
import { type ClientRecord, decodeJsonData, encodeListClientsRequest, encodePacket, ProtocolFlag } from '@sluice/wire';
import { ask, eventually, login, request } from '../support/test-server.js';
import { GatewayServer } from './support/gateway-server.js';

const { Control, Download } = ProtocolFlag;
const flag = (number: number): Uint8Array => Uint8Array.of(number);
const activeWithFeatures = request('Active', [['Features', '']]);

type Principal = HttpVisitor['principal'];

/** Somebody who has logged in over HTTP, until `end` is aborted. */
function visitorOf(principal: Partial<Principal>, isByCookie = true) {
  const end = new AbortController();
  const whole = {
    userName: 'admin',
    role: 'admin',
    tree: undefined,
    quota: undefined,
    ...principal,
  } as unknown as Principal;
  const visitor: HttpVisitor = { principal: whole, ended: end.signal, isByCookie };
  return { visitor, end };
}

async function served(gateway: GatewayServer, count: number): Promise<void> {
  await eventually(`${count} are served`, () => gateway.listener.connections.size === count);
}

describe('a connection of the gateway', () => {
  it('is refused with 1013, the reason and when to come back, when there is no place', async () => {
    await using gateway = await GatewayServer.start({ maxConnections: 1, maxWaiting: 0 });
    await using first = await GatewayPeer.connect(gateway.port);
    await served(gateway, 1);
    await using second = await GatewayPeer.connect(gateway.port);
    const { code, reason } = await second.waitForEnd();
    assert.equal(code, 1013);
    assert.match(reason, /^full RetryAfterMs=[1-5]\d{3}$/);
    assert.equal(gateway.listener.counters.refusedBy.get('full'), 1);
    first.send(flag(Control), login());
    assert.equal((await first.answer())[1], 'Code=0');
  });

  it('waits unread for a place, and is served with what it has sent meanwhile', async () => {
    await using gateway = await GatewayServer.start({ maxConnections: 1 });
    using tcp = await gateway.server.login(Control);
    await using waiting = await GatewayPeer.connect(gateway.port);
    waiting.send(flag(Control), login());
    await eventually('it waits', () => gateway.listener.waiting === 1);
    assert.equal((await ask(tcp, 'Active'))[1], 'Code=0');
    tcp.destroy();
    assert.equal((await waiting.answer())[1], 'Code=0');
  });

  it('is refused when it has waited for too long, and forgotten when it goes meanwhile', async () => {
    const clock = new ManualClock();
    await using gateway = await GatewayServer.start({ maxConnections: 1, clock });
    using tcp = await gateway.server.login(Control);
    await using waiting = await GatewayPeer.connect(gateway.port);
    await eventually('it waits', () => gateway.listener.waiting === 1);
    for (let s = 0; s < 61; s++) {
      await ask(tcp, 'Active');
      clock.advance(1000);
    }
    assert.match((await waiting.waitForEnd()).reason, /^waited RetryAfterMs=/);
    await using drained = await GatewayPeer.connect(gateway.port);
    await eventually('it waits', () => gateway.listener.waiting === 1);
    const done = gateway.server.server.drain(100);
    assert.deepEqual((await drained.waitForEnd()).code, 1001);
    clock.advance(100);
    await done;
  });

  it('counts for the address of its client', async () => {
    await using gateway = await GatewayServer.start({ maxPerAddress: 2 });
    gateway.asking = { remoteAddress: '198.51.100.7' };
    await using one = await GatewayPeer.connect(gateway.port);
    await using _two = await GatewayPeer.connect(gateway.port);
    await served(gateway, 2);
    await using three = await GatewayPeer.connect(gateway.port);
    assert.match((await three.waitForEnd()).reason, /^network-full /);
    gateway.asking = { remoteAddress: '198.51.100.8' };
    await using _other = await GatewayPeer.connect(gateway.port);
    await served(gateway, 3);
    one.webSocket.close();
    await served(gateway, 2);
    gateway.asking = { remoteAddress: '198.51.100.7' };
    await using _again = await GatewayPeer.connect(gateway.port);
    await served(gateway, 3);
  });

  it('makes room for a newcomer while it has not shown that it is a client', async () => {
    const clock = new ManualClock();
    await using gateway = await GatewayServer.start({ maxUnestablished: 1, clock });
    await using silent = await GatewayPeer.connect(gateway.port);
    await served(gateway, 1);
    clock.advance(4000);
    using tcp = await gateway.server.connect();
    assert.deepEqual(await silent.waitForEnd(), { code: 1013, reason: 'displaced' });
    await tcp.send(flag(Control), login());
    assert.match((await tcp.nextPacket()).text, /Code=0/);
  });
});

describe('a connection with the cookie of a login', () => {
  it('is logged in: its first request is answered, and others see whose it is', async () => {
    await using gateway = await GatewayServer.start();
    gateway.asking = { visitor: visitorOf({}).visitor, remoteAddress: '198.51.100.7' };
    await using peer = await GatewayPeer.connect(gateway.port);
    peer.send(flag(Control), activeWithFeatures);
    const active = await peer.answer();
    assert.deepEqual(active.slice(0, 2), ['Command=Active', 'Code=0']);
    assert.match(active.join(), /Features=.*Clients/);
    peer.send(encodePacket(encodeListClientsRequest({ after: 0, limit: 10 })));
    const [record] = decodeJsonData((await peer.nextPacket()).data) as ClientRecord[];
    assert.equal(record?.user, 'admin');
    assert.match(record?.remoteAddress ?? '', /^198\.51\.100\.7:/);
    assert.equal(gateway.listener.unestablished, 0);
    assert.ok(
      gateway.server.events.some(({ event, fields }) => event === 'login accepted' && fields['method'] === 'session'),
    );
  });

  it('has the rights of that user and no more', async () => {
    await using gateway = await GatewayServer.start();
    gateway.asking = { visitor: visitorOf({ role: 'read-only' }).visitor };
    await using peer = await GatewayPeer.connect(gateway.port);
    peer.send(flag(Control), activeWithFeatures, request('Drain'));
    await peer.answer();
    assert.match((await peer.answer()).join(), /Command=Drain,Code=13/);
  });

  it('has no deadline for its login, and ends with the login', async () => {
    const clock = new ManualClock();
    await using gateway = await GatewayServer.start({ clock });
    const { visitor, end } = visitorOf({});
    gateway.asking = { visitor };
    await using peer = await GatewayPeer.connect(gateway.port);
    peer.send(flag(Control), activeWithFeatures);
    await peer.answer();
    for (let s = 0; s < 60; s++) clock.advance(1000);
    assert.equal(gateway.listener.connections.size, 1);
    end.abort();
    assert.deepEqual(await peer.waitForEnd(), { code: 1008, reason: 'session-ended' });
    await using late = await GatewayPeer.connect(gateway.port);
    assert.deepEqual(await late.waitForEnd(), { code: 1008, reason: 'session-ended' });
    await eventually('both have ended', () => gateway.listener.counters.closed.get('session-ended') === 2);
  });

  it('stands when who has logged in by a password with the request ends that request', async () => {
    await using gateway = await GatewayServer.start();
    const { visitor, end } = visitorOf({}, false);
    gateway.asking = { visitor };
    await using peer = await GatewayPeer.connect(gateway.port);
    end.abort();
    peer.send(flag(Control), activeWithFeatures);
    assert.equal((await peer.answer())[1], 'Code=0');
  });

  it('is none without: requests are answered with code 8 before a login', async () => {
    await using gateway = await GatewayServer.start();
    await using peer = await GatewayPeer.connect(gateway.port);
    peer.send(flag(Control), request('GetClients'));
    assert.equal((await peer.answer())[1], 'Code=8');
  });
});

describe('encryption of a connection of the gateway', () => {
  it('decides about the digest of a password: https and this machine, nobody else', async () => {
    await using gateway = await GatewayServer.start();
    const codes: string[] = [];
    for (const asking of [
      { remoteAddress: '198.51.100.7', isSecure: true },
      { remoteAddress: '127.0.0.1', isSecure: false },
      { remoteAddress: '198.51.100.7', isSecure: false },
    ]) {
      gateway.asking = asking;
      await using peer = await GatewayPeer.connect(gateway.port);
      peer.send(flag(Control), login([['Features', '']]));
      codes.push((await peer.answer())[1]!);
    }
    assert.deepEqual(codes, ['Code=0', 'Code=0', 'Code=13']);
  });

  it('is needed with tls-only, except from this machine', async () => {
    await using folder = await CertificateFolder.make();
    const contexts = await TlsContexts.load({ certificates: [await folder.store('server', issueForTest())] });
    await using gateway = await GatewayServer.start({ tls: { contexts, isRequired: true } });
    const ends: (string | undefined)[] = [];
    for (const asking of [
      { remoteAddress: '198.51.100.7', isSecure: true },
      { remoteAddress: '127.0.0.1', isSecure: false },
      { remoteAddress: '198.51.100.7', isSecure: false },
    ]) {
      gateway.asking = asking;
      await using peer = await GatewayPeer.connect(gateway.port);
      peer.send(flag(Download), request('Active'));
      const code = (await peer.answer())[1];
      ends.push(code === 'Code=13' ? (await peer.waitForEnd()).reason : code);
    }
    assert.deepEqual(ends, ['Code=0', 'Code=0', 'plain-refused']);
  });
});
