import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { TlsContexts } from '@sluice/core';
import { CertificateFolder, EXPIRED, issueForTest, ManualClock, RawPeer } from '@sluice/testkit';
import { type ClientRecord, decodeJsonData, encodeListClientsRequest, encodePacket } from '@sluice/wire';
import { answer, ask, eventually, login, request, TestServer } from './support/test-server.js';

const CONTROL = 8;
const DOWNLOAD = 3;
const authority = issueForTest({ name: 'authority', isAuthority: true });

let folder: CertificateFolder;
let contexts: TlsContexts;

before(async () => {
  folder = await CertificateFolder.make();
  contexts = await TlsContexts.load({ certificates: [await folder.store('server', issueForTest())] });
});

after(() => folder[Symbol.asyncDispose]());

function eventsOf(server: TestServer, event: string) {
  return server.events.filter((logged) => logged.event === event);
}

describe('a server with a certificate', () => {
  it('serves the same inside TLS and in plain text, and says who is encrypted', async () => {
    await using server = await TestServer.start({ tls: { contexts } });
    using plain = await server.login(CONTROL);
    using secure = await RawPeer.connectSecurely(server.port);
    await secure.send(Uint8Array.of(CONTROL), login([['Features', '']]));
    await answer(secure);
    await secure.send(encodePacket(encodeListClientsRequest({ after: 0, limit: 10 })));
    const records = decodeJsonData((await secure.nextPacket()).data) as ClientRecord[];
    assert.deepEqual(
      records.map(({ isEncrypted }) => isEncrypted),
      [false, true],
    );
    assert.deepEqual((await ask(plain, 'GetClients')).slice(0, 2), ['Command=GetClients', 'Code=0']);
    assert.equal(eventsOf(server, 'tls established').length, 1);
    assert.equal(eventsOf(server, 'tls established')[0]?.fields['tls'], 'TLSv1.3');
  });

  it('that takes TLS only answers a plain client with code 13 and a word, and closes', async () => {
    await using server = await TestServer.start({ tls: { contexts, isRequired: true } });
    using plain = await server.connect();
    await plain.send(Uint8Array.of(DOWNLOAD), login());
    assert.deepEqual(await answer(plain), [
      'Command=',
      'Code=13',
      'Message=this server takes TLS connections only: use sluices://',
    ]);
    await plain.waitForClose();
    await eventually('its end', () => server.server.listener.counters.closed.get('plain-refused') === 1);
    using secure = await RawPeer.connectSecurely(server.port);
    await secure.send(Uint8Array.of(DOWNLOAD), login());
    assert.ok((await answer(secure)).includes('Code=0'));
  });

  it('names the certificate of the client in the lines of its connection, and stays up when one is bad', async () => {
    const clientCaFile = await folder.write('authority.crt', authority.certificate);
    const certificates = [await folder.store('other', issueForTest())];
    const strict = await TlsContexts.load({ certificates, clientCaFile });
    await using server = await TestServer.start({ tls: { contexts: strict } });
    const late = issueForTest({ name: 'late', issuer: authority, ...EXPIRED });
    using refused = await RawPeer.connectSecurely(server.port, { cert: late.certificate, key: late.key });
    await refused.waitForClose();
    await eventually('its line', () => eventsOf(server, 'tls handshake failed').length > 0);
    const [failed] = eventsOf(server, 'tls handshake failed');
    assert.equal(failed?.level, 'warn');
    assert.match(String(failed?.fields['detail']), /CERT_HAS_EXPIRED/);
    const device = issueForTest({ name: 'device\n7', issuer: authority });
    using accepted = await RawPeer.connectSecurely(server.port, { cert: device.certificate, key: device.key });
    await accepted.send(Uint8Array.of(DOWNLOAD), login());
    await answer(accepted);
    assert.match(String(eventsOf(server, 'login accepted')[0]?.fields['certificate']), /^CN=device.*7$/);
  });

  it('gets new certificates by a reload, and keeps the old ones when the new ones are bad', async () => {
    const pair = await folder.store('renewed', issueForTest({ name: 'old' }));
    const own = await TlsContexts.load({ certificates: [pair] });
    await using server = await TestServer.start({ tls: { contexts: own } });
    const shown = async () => {
      using peer = await RawPeer.connectSecurely(server.port);
      return (peer.socket as import('node:tls').TLSSocket).getPeerCertificate().subject.CN;
    };
    await folder.write('renewed.key', issueForTest().key);
    const [bad] = await server.server.reload();
    assert.deepEqual([bad?.name, bad?.isOk], ['certificates', false]);
    assert.match(bad?.message ?? '', /renewed\.key does not belong/);
    assert.equal(await shown(), 'old');
    await folder.store('renewed', issueForTest({ name: 'new' }));
    assert.deepEqual(await server.server.reload(), [{ name: 'certificates', isOk: true, message: '' }]);
    assert.equal(await shown(), 'new');
  });
});

describe('a server behind a balancer', () => {
  const header = Buffer.from('PROXY TCP4 192.0.2.7 198.51.100.1 49153 9999\r\n');

  it('sees the real address in its log and in the list of clients', async () => {
    await using server = await TestServer.start({ proxyFrom: ['10.0.0.0/8', '127.0.0.1'], allowDigestLogin: true });
    using peer = await server.connect();
    await peer.send(header, Uint8Array.of(CONTROL), login());
    await answer(peer);
    assert.match((await ask(peer, 'GetClients')).join('\n'), /198\.51\.100\.1:9999.*192\.0\.2\.7:49153/);
    assert.equal(eventsOf(server, 'login accepted')[0]?.fields['remote'], '192.0.2.7:49153');
  });

  it('slows wrong passwords by the real address, not by that of the balancer', async () => {
    await using server = await TestServer.start({
      proxyFrom: ['127.0.0.1'],
      allowDigestLogin: true,
      clock: new ManualClock(),
    });
    const send = async (from: string, packet: Uint8Array) => {
      const peer = await server.connect();
      await peer.send(`PROXY TCP4 ${from} 198.51.100.1 49153 9999\r\n`, Uint8Array.of(DOWNLOAD), packet);
      return peer;
    };
    const wrong = request('Login', [
      ['UserName', 'admin'],
      ['Password', '0'.repeat(32)],
    ]);
    for (let i = 0; i < 2; i++) {
      using guesser = await send('192.0.2.7', wrong);
      assert.ok((await answer(guesser)).includes('Code=7'));
    }
    using held = await send('192.0.2.7', login()); // for 500 ms that do not pass
    using other = await send('192.0.2.8', login());
    assert.ok((await answer(other)).includes('Code=0'));
    assert.equal(held.received.length, 0);
  });

  it('takes the header of a peer that is not listed for an unknown protocol', async () => {
    await using server = await TestServer.start({ proxyFrom: ['10.0.0.0/8', 'fd00::/8'] });
    using peer = await server.connect();
    await peer.send(header, Uint8Array.of(CONTROL), login());
    await peer.waitForClose();
    assert.deepEqual(eventsOf(server, 'no such protocol')[0]?.fields['flag'], 0x50);
  });

  it('closes a listed peer without a header, and says so', async () => {
    await using server = await TestServer.start({ proxyFrom: ['127.0.0.0/8'] });
    using peer = await server.connect();
    await peer.send(Uint8Array.of(CONTROL), login());
    await peer.waitForClose();
    await eventually('its line', () => eventsOf(server, 'bad proxy header').length === 1);
  });

  it('does not start with a network that is none', async () => {
    for (const network of ['10.0.0.0/33', 'balancer', '']) {
      await assert.rejects(TestServer.start({ proxyFrom: [network] }), { code: 'ERR_OPTION_RANGE' });
    }
  });
});
