import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { Duplex } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { type Connection, type IssuedCertificate, TlsContexts, type TlsListenerOptions } from '@sluice/core';
import { CertificateFolder, EXPIRED, issueForTest as issue } from '@sluice/testkit';
import { eventually } from './support/eventually.js';
import { echo, Loopback, type LoopbackOptions, passTurns, RECEIVE_MODES } from './support/loopback.js';
import { SecurePeer } from './support/secure-peer.js';

const certificate = issue({ hosts: ['localhost', '127.0.0.1'] });
const authority = issue({ name: 'authority', isAuthority: true });
const client = issue({ name: 'device 7', issuer: authority });
const CLIENT_HELLO_START = Buffer.from('1603010200010001fc0303', 'hex');

let folder: CertificateFolder;
let contexts: TlsContexts;
let withAuthority: TlsContexts;

before(async () => {
  folder = await CertificateFolder.make();
  const files = await folder.store('server', certificate);
  const clientCaFile = await folder.write('authority.crt', authority.certificate);
  contexts = await TlsContexts.load({ certificates: [files] });
  withAuthority = await TlsContexts.load({ certificates: [files], clientCaFile });
});

after(() => folder[Symbol.asyncDispose]());

function keyPair({ certificate: cert, key }: IssuedCertificate) {
  return { cert, key };
}

for (const receiveMode of RECEIVE_MODES) {
  const open = (
    serve: Parameters<typeof Loopback.open>[1] = echo,
    tls: Partial<TlsListenerOptions> = {},
    others: LoopbackOptions = {},
  ) => Loopback.open({ receiveMode, ...others, tls: { contexts, ...tls } }, serve);

  describe(`TLS, receive mode ${receiveMode}`, () => {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      it(`is there on the port of plain connections, for ${version}; each learns what it is`, async () => {
        await using loopback = await open();
        const { peer: plain, connection: plainOne } = await loopback.connect();
        using secure = await SecurePeer.connect(loopback.port, {
          minVersion: version,
          maxVersion: version,
          servername: 'localhost',
        });
        plain.send('plain');
        secure.socket.write('secure');
        assert.equal(String(await plain.bytes(5)), 'plain');
        assert.equal(String(await secure.bytes(6)), 'secure');
        assert.equal(plainOne.tls, undefined);
        const { tls } = loopback.connections[1]!;
        assert.deepEqual([tls?.protocol, tls?.serverName, tls?.peerSubject], [version, 'localhost', undefined]);
        assert.equal(tls?.cipher, secure.socket.getCipher().standardName);
      });
    }

    it('refuses TLS 1.1', async () => {
      await using loopback = await open();
      const options = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
      await assert.rejects(SecurePeer.connect(loopback.port, options));
      assert.equal((await loopback.ending()).reason, 'tls-handshake');
    });

    it('begins with the first byte, however the handshake is cut up', async () => {
      await using loopback = await open();
      const raw = connect({ port: loopback.port, host: '127.0.0.1', noDelay: true });
      // A stream between TLS and the socket that writes a byte at a time.
      const slow = new Duplex({
        read() {},
        write(chunk: Buffer, _encoding, done) {
          const next = (i: number): void => {
            if (i === chunk.length) done();
            else raw.write(chunk.subarray(i, i + 1), () => setImmediate(next, i + 1));
          };
          next(0);
        },
      });
      raw.on('data', (chunk) => slow.push(chunk));
      using peer = await SecurePeer.connect(loopback.port, { socket: slow });
      peer.socket.write('hello');
      assert.equal(String(await peer.bytes(5)), 'hello');
      raw.destroy();
    });

    for (const size of [1, 1460, 16_384, 300_000]) {
      it(`hands on what is inside, in order, written ${size} bytes at a time, and echoes it`, async () => {
        await using loopback = await open();
        using peer = await SecurePeer.connect(loopback.port);
        const message = randomBytes(Math.min(3_000_000, size * 1000));
        for (let at = 0; at < message.length; at += size) peer.socket.write(message.subarray(at, at + size));
        assert.ok((await peer.bytes(message.length)).equals(message));
        const connection = loopback.connections[0]!;
        assert.deepEqual([connection.receivedBytes, connection.sentBytes], [message.length, message.length]);
        assert.equal(connection.queuedBytes, 0);
      });
    }

    it('says queued when the peer does not read, refused at the limit, and drained when it has read (D44)', async () => {
      let drained = 0;
      const outbound = { highWaterMarkBytes: 64 << 10, lowWaterMarkBytes: 16 << 10, hardLimitBytes: 1 << 20 };
      await using loopback = await open(
        (connection) => ({
          onBytes() {
            connection.pauseReading();
          },
          onDrained: () => drained++,
        }),
        {},
        { limits: { outbound } },
      );
      using peer = await SecurePeer.connect(loopback.port);
      peer.socket.write('x');
      const connection = loopback.connections[0]!;
      await eventually('the first byte', () => connection.receivedBytes === 1);
      peer.socket.pause();
      let bytes = 0;
      const released: number[] = [];
      for (let i = 0; connection.sendOwned(Buffer.alloc(100_000), () => released.push(i)) !== 'refused'; i++) {
        bytes += 100_000;
        await passTurnsElsewhere(1);
      }
      assert.equal(connection.isAboveHighWaterMark, true);
      assert.ok(connection.queuedBytes <= outbound.hardLimitBytes);
      const drainedBefore = drained; // while the system still took some
      peer.socket.resume();
      await eventually('all bytes', () => peer.receivedBytes === bytes);
      await eventually('drained', () => drained === drainedBefore + 1);
      assert.deepEqual([connection.sentBytes, connection.queuedBytes, released.length], [bytes, 0, bytes / 100_000]);
    });

    it('reads nothing while it is paused, and all of it afterwards', async () => {
      let received = 0;
      await using loopback = await open((connection) => ({
        onBytes(_source, start, end) {
          received += end - start;
          if (received === 1) connection.pauseReading();
        },
      }));
      using peer = await SecurePeer.connect(loopback.port);
      peer.socket.write('x');
      await eventually('the first byte', () => received === 1);
      let isTaken = false;
      const message = Buffer.alloc(32 << 20);
      peer.socket.write(message, () => {
        isTaken = true;
      });
      await passTurnsElsewhere(50);
      assert.deepEqual([received, isTaken], [1, false]);
      loopback.connections[0]!.resumeReading();
      await eventually('all bytes', () => received === message.length + 1);
    });

    it('lets each side end for itself: what is said after the peer has ended arrives', async () => {
      let connection: Connection | undefined;
      let hasPeerEnded = false;
      await using loopback = await open((opened) => {
        connection = opened;
        return {
          onBytes() {},
          onPeerEnd() {
            hasPeerEnded = true;
          },
        };
      });
      using peer = await SecurePeer.connect(loopback.port, { allowHalfOpen: true } as object);
      peer.socket.end('x');
      await eventually('the end of the peer', () => hasPeerEnded);
      connection?.send(Buffer.from('late'));
      connection?.close('done');
      assert.equal(String(await peer.bytes(4)), 'late');
      await peer.gone();
      assert.deepEqual([(await loopback.ending()).reason, loopback.endings.length], ['done', 1]);
    });

    it('tells the end of the peer behind its last bytes', async () => {
      const seen: (number | 'end')[] = [];
      await using loopback = await open(() => ({
        onBytes(_source, start, end) {
          seen.push(end - start);
        },
        onPeerEnd() {
          seen.push('end');
        },
      }));
      using peer = await SecurePeer.connect(loopback.port);
      peer.socket.end(Buffer.alloc(100_000));
      await eventually('the end', () => seen.includes('end'));
      assert.equal(seen.indexOf('end'), seen.length - 1);
      assert.equal(
        seen.slice(0, -1).reduce<number>((sum, bytes) => sum + (bytes as number), 0),
        100_000,
      );
      loopback.connections[0]?.destroy('done');
    });

    it('sends all that is queued before it closes, and closes once', async () => {
      const answer = randomBytes(5_000_000);
      await using loopback = await open((connection) => ({
        onBytes() {
          connection.send(answer);
          connection.close('done');
          connection.close('again');
        },
      }));
      using peer = await SecurePeer.connect(loopback.port);
      peer.socket.write('x');
      assert.ok((await peer.bytes(answer.length)).equals(answer));
      await peer.gone();
      assert.equal((await loopback.ending()).reason, 'done');
      assert.deepEqual([loopback.endings.length, loopback.listener.connections.size], [1, 0]);
    });

    for (const [end, reason] of [
      ['reset', 'peer-reset'],
      ['closed', 'peer-closed'],
      ['destroyed', 'enough'],
    ] as const) {
      it(`gives every buffer back once and ends once when it is ${end} with bytes queued`, async () => {
        await using loopback = await open(() => ({ onBytes() {} }));
        const raw = connect(loopback.port, '127.0.0.1');
        raw.on('error', () => {});
        using peer = await SecurePeer.connect(loopback.port, { socket: raw });
        peer.socket.write('x');
        const connection = loopback.connections[0]!;
        await eventually('the first byte', () => connection.receivedBytes === 1);
        peer.socket.pause();
        const released: number[] = [];
        for (let i = 0; connection.queuedBytes < 8 << 20; i++)
          connection.sendOwned(Buffer.alloc(1 << 20), () => released.push(i));
        if (end === 'reset') raw.resetAndDestroy();
        else if (end === 'closed') peer.socket.destroy();
        else connection.destroy(reason);
        const ending = await loopback.ending();
        if (end === 'closed') assert.ok(['peer-closed', 'peer-reset'].includes(ending.reason), ending.reason);
        else assert.equal(ending.reason, reason);
        assert.equal(new Set(released).size, released.length);
        assert.equal(loopback.endings.length, 1);
      });
    }

    it('refuses garbage behind the first byte, and goes on', async () => {
      await using loopback = await open();
      for (const garbage of [Buffer.alloc(100, 7), Buffer.alloc(40_000, 0x16), randomBytes(1000)]) {
        const { peer } = await loopback.connect();
        peer.send(Uint8Array.of(0x16), garbage);
        await peer.gone();
        peer[Symbol.dispose]();
      }
      await eventually('their ends', () => loopback.endings.length === 3);
      assert.deepEqual(new Set(loopback.endings.map(({ reason }) => reason)), new Set(['tls-handshake']));
      using good = await SecurePeer.connect(loopback.port);
      good.socket.write('hello');
      assert.equal(String(await good.bytes(5)), 'hello');
    });

    it('cuts a handshake that is not done within 10 s, and at most 1 s late', async () => {
      await using loopback = await open();
      const { peer, connection } = await loopback.connect();
      loopback.clock.advance(5000);
      peer.send(CLIENT_HELLO_START);
      await passTurnsElsewhere(3);
      loopback.clock.advance(9999);
      assert.equal(connection.isClosing, false);
      loopback.clock.advance(1000);
      assert.equal((await loopback.ending()).reason, 'tls-handshake-timeout');
      await peer.gone();
    });

    it('counts the time to the first byte inside from the end of the handshake', async () => {
      await using loopback = await open();
      using peer = await SecurePeer.connect(loopback.port);
      const connection = loopback.connections[0]!;
      await eventually('the handshake', () => connection.tls !== undefined);
      loopback.clock.advance(5000);
      assert.equal(connection.isClosing, false);
      loopback.clock.advance(2000);
      assert.equal((await loopback.ending()).reason, 'first-byte-timeout');
      await peer.gone();
    });

    it('ends a handshake whose peer goes away', async () => {
      for (const leave of ['halfClose', 'reset'] as const) {
        await using loopback = await open();
        const { peer } = await loopback.connect();
        peer.send(CLIENT_HELLO_START);
        await passTurnsElsewhere(3);
        peer[leave]();
        assert.equal((await loopback.ending()).reason, 'tls-handshake');
      }
    });

    it('ends a handshake at shutdown', async () => {
      await using loopback = await open();
      const { peer } = await loopback.connect();
      peer.send(CLIENT_HELLO_START);
      await passTurnsElsewhere(3);
      assert.equal(await loopback.listener.drain(60_000), 0);
      assert.equal((await loopback.ending()).reason, 'shutdown');
    });

    it('makes so many handshakes at once; the next ones wait unread, and more are closed', async () => {
      await using loopback = await open(echo, { maxHandshakes: 1, maxWaitingHandshakes: 2 });
      const { peer: slow } = await loopback.connect();
      slow.send(CLIENT_HELLO_START);
      await passTurnsElsewhere(3);
      using second = new SecurePeer(loopback.port);
      await eventually('the second', () => loopback.connections.length === 2);
      await passTurnsElsewhere(5);
      const { peer: third } = await loopback.connect();
      third.send(CLIENT_HELLO_START);
      await passTurnsElsewhere(3);
      using fourth = new SecurePeer(loopback.port);
      await fourth.gone();
      await eventually('its end', () => loopback.endings.length === 1);
      assert.deepEqual([loopback.endings[0]?.reason, loopback.endings[0]?.connection.id], ['tls-busy', 4]);
      assert.equal(second.isSecured, false);
      third.reset();
      loopback.connections[2]!.destroy('enough'); // one that waits
      await eventually('its end', () => loopback.endings.length === 2);
      slow.reset();
      second.socket.write('hello');
      assert.equal(String(await second.bytes(5)), 'hello');
      using fifth = await SecurePeer.connect(loopback.port);
      fifth.socket.write('hello');
      await fifth.bytes(5);
    });

    it('does not renegotiate', async () => {
      await using loopback = await open();
      using peer = await SecurePeer.connect(loopback.port, { maxVersion: 'TLSv1.2' });
      peer.socket.write('hello');
      await peer.bytes(5);
      let isDone = false;
      peer.socket.renegotiate({}, (error) => {
        isDone = !error;
      });
      await peer.gone();
      assert.equal(isDone, false);
    });

    it('is not offered to a peer that was told something in plain text', async () => {
      const received: Buffer[] = [];
      await using loopback = await open((connection) => {
        connection.send(Buffer.from('welcome'));
        return {
          onBytes(source, start, end) {
            received.push(Buffer.from(source.subarray(start, end)));
          },
        };
      });
      const { peer } = await loopback.connect();
      await peer.bytes(7);
      peer.send(CLIENT_HELLO_START);
      await eventually('its bytes', () => Buffer.concat(received).equals(CLIENT_HELLO_START));
    });

    it('refuses to send during the handshake: nothing plain may leave', async () => {
      await using loopback = await open();
      const { peer, connection } = await loopback.connect();
      peer.send(CLIENT_HELLO_START);
      await passTurnsElsewhere(3);
      assert.equal(connection.send(Buffer.from('plain')), 'refused');
      assert.equal(connection.isClosing, false);
      connection.close('enough');
      assert.equal((await loopback.ending()).reason, 'enough');
      assert.equal(peer.text.includes('plain'), false);
    });

    it('comes behind a PROXY header too, in one chunk and in several', async () => {
      for (const isSplit of [false, true]) {
        await using loopback = await open(echo, {}, { isProxy: () => true });
        const raw = connect({ port: loopback.port, host: '127.0.0.1', noDelay: true });
        const header = 'PROXY TCP4 192.0.2.7 198.51.100.1 49153 9999\r\n';
        if (isSplit) {
          raw.write(header);
          await eventually('the header', () => loopback.connections[0]?.remotePort === 49153);
        } else {
          raw.cork();
          raw.write(header);
          setImmediate(() => raw.uncork());
        }
        using peer = await SecurePeer.connect(loopback.port, { socket: raw });
        peer.socket.write('hello');
        assert.equal(String(await peer.bytes(5)), 'hello');
        const { remoteAddress, tls } = loopback.connections[0]!;
        assert.deepEqual([remoteAddress, tls?.protocol], ['192.0.2.7', 'TLSv1.3']);
      }
    });

    it('asks for the certificate of a client and verifies it, where there are authorities', async () => {
      await using loopback = await open(echo, { contexts: withAuthority });
      const refused = [
        {},
        keyPair(issue({ name: 'stranger' })),
        keyPair(issue({ name: 'late', issuer: authority, ...EXPIRED })),
        keyPair(issue({ name: 'forged', issuer: issue({ name: 'authority', isAuthority: true }) })),
      ];
      for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
        for (const options of refused) {
          using peer = new SecurePeer(loopback.port, { ...options, maxVersion });
          peer.socket.write('hello');
          await peer.gone();
          assert.equal(peer.receivedBytes, 0);
        }
      }
      await eventually('their ends', () => loopback.endings.length === 8);
      assert.deepEqual(new Set(loopback.endings.map(({ reason }) => reason)), new Set(['tls-handshake']));
      assert.match(loopback.endings[2]?.error?.message ?? '', /CERT_HAS_EXPIRED/);
      assert.ok(loopback.connections.every(({ receivedBytes, tls }) => receivedBytes === 0 && tls === undefined));
      using good = await SecurePeer.connect(loopback.port, keyPair(client));
      good.socket.write('hello');
      assert.equal(String(await good.bytes(5)), 'hello');
      assert.equal(loopback.connections[8]?.tls?.peerSubject, 'CN=device 7');
    });

    it('has bytes for channel binding that only its two ends know, over TLS 1.3', async () => {
      await using loopback = await open();
      const seen = new Set<string>();
      for (let i = 0; i < 2; i++) {
        using peer = await SecurePeer.connect(loopback.port);
        peer.socket.write('hello');
        await peer.bytes(5);
        const ours = Buffer.from(loopback.connections[i]?.tls?.channelBinding() ?? []);
        const theirs = peer.socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0));
        assert.ok(ours.length === 32 && ours.equals(theirs));
        seen.add(ours.toString('hex'));
      }
      assert.equal(seen.size, 2);
      using old = await SecurePeer.connect(loopback.port, { maxVersion: 'TLSv1.2' });
      old.socket.write('hello');
      await old.bytes(5);
      assert.equal(loopback.connections[2]?.tls?.channelBinding(), undefined);
    });
  });
}

describe('TLS, certificates', () => {
  function shown(peer: SecurePeer): string {
    return String(peer.socket.getPeerCertificate().subject.CN);
  }

  it('are chosen by the name the client asks for, wildcards included; the first is for all others', async () => {
    await using files = await CertificateFolder.make();
    const certificates = [
      await files.store('first', issue({ name: 'first', hosts: ['first.example'] })),
      await files.store('second', issue({ name: 'second', hosts: ['second.example', '*.wild.example'] })),
      await files.store('third', issue({ name: 'third', hosts: ['a.wild.example', 'third.example'] })),
    ];
    await using loopback = await Loopback.open({ tls: { contexts: await TlsContexts.load({ certificates }) } }, echo);
    for (const [servername, expected] of [
      ['first.example', 'first'],
      ['second.example', 'second'],
      ['SECOND.example', 'second'],
      ['a.wild.example', 'second'],
      ['a.b.wild.example', 'first'],
      ['wild.example', 'first'],
      ['third.example', 'third'],
      ['nobody.example', 'first'],
      [`${'x'.repeat(60)}.`.repeat(8).slice(0, 250), 'first'],
      ['', 'first'],
    ] as const) {
      using peer = await SecurePeer.connect(loopback.port, { servername });
      assert.equal(shown(peer), expected, servername);
    }
  });

  it('are exchanged by a reload, for new connections; those that stand go on', async () => {
    await using files = await CertificateFolder.make();
    const pair = await files.store('server', issue({ name: 'old' }));
    const contexts = await TlsContexts.load({ certificates: [pair] });
    await using loopback = await Loopback.open({ tls: { contexts } }, echo);
    using before = await SecurePeer.connect(loopback.port);
    assert.equal(shown(before), 'old');
    await files.store('server', issue({ name: 'new' }));
    await contexts.reload();
    using after = await SecurePeer.connect(loopback.port);
    assert.equal(shown(after), 'new');
    before.socket.write('hello');
    await before.bytes(5);
  });

  const server = issue({ name: 'server' });
  const other = issue({ name: 'other' });
  const expired = issue({ name: 'expired', ...EXPIRED });
  const early = issue({ name: 'early', validFrom: new Date(Date.now() + 3_600_000) });
  const bad: readonly (readonly [string, string, string | undefined, string | undefined, RegExp])[] = [
    [
      'a missing certificate',
      'ERR_TLS_FILE',
      undefined,
      server.key,
      /server\.crt cannot be read: there is no such file$/,
    ],
    [
      'a missing key',
      'ERR_TLS_FILE',
      server.certificate,
      undefined,
      /server\.key cannot be read: there is no such file$/,
    ],
    ['a certificate that is none', 'ERR_TLS_CERTIFICATE', 'hello', server.key, /server\.crt holds no certificate/],
    [
      'a damaged certificate',
      'ERR_TLS_CERTIFICATE',
      server.certificate.replace(/[A-Z]{3}/g, 'AAA').replace('AAATIFICATE', 'CERTIFICATE'),
      server.key,
      /server\.crt holds/,
    ],
    ['a key that is none', 'ERR_TLS_KEY', server.certificate, server.certificate, /server\.key holds no private key/],
    [
      'an encrypted key',
      'ERR_TLS_KEY',
      server.certificate,
      '-----BEGIN ENCRYPTED PRIVATE KEY-----',
      /server\.key is encrypted: decrypt it/,
    ],
    [
      'a key of another certificate',
      'ERR_TLS_KEY',
      server.certificate,
      other.key,
      /server\.key does not belong to the certificate .*server\.crt/,
    ],
    [
      'an expired certificate',
      'ERR_TLS_EXPIRED',
      expired.certificate,
      expired.key,
      /CN=expired in .*server\.crt has expired \(.*GMT\): renew it/,
    ],
    [
      'a certificate of the future',
      'ERR_TLS_EXPIRED',
      early.certificate,
      early.key,
      /CN=early in .*server\.crt is not valid before/,
    ],
    [
      'an expired intermediate',
      'ERR_TLS_EXPIRED',
      server.certificate + expired.certificate,
      server.key,
      /CN=expired in .*server\.crt has expired/,
    ],
  ];
  for (const [what, code, cert, key, message] of bad) {
    it(`are refused at the start, and leave the old ones at a reload: ${what}`, async () => {
      await using files = await CertificateFolder.make();
      const pair = await files.store('server', server);
      const contexts = await TlsContexts.load({ certificates: [pair] });
      const options = contexts.defaultOptions;
      await (cert === undefined ? files.remove('server.crt') : files.write('server.crt', cert));
      await (key === undefined ? files.remove('server.key') : files.write('server.key', key));
      await assert.rejects(TlsContexts.load({ certificates: [pair] }), { name: 'TlsFileError', code, message });
      await assert.rejects(contexts.reload(), { name: 'TlsFileError', code, message });
      assert.equal(contexts.defaultOptions, options);
    });
  }

  it('of authorities are refused when there are none, or all have expired', async () => {
    await using files = await CertificateFolder.make();
    const certificates = [await files.store('server', server)];
    const clientCaFile = await files.write('ca.crt', '');
    const load = () => TlsContexts.load({ certificates, clientCaFile });
    await assert.rejects(load(), { code: 'ERR_TLS_CERTIFICATE', message: /ca\.crt holds no certificate/ });
    await files.write('ca.crt', expired.certificate);
    await assert.rejects(load(), { code: 'ERR_TLS_EXPIRED', message: /CN=expired in .*ca\.crt has expired/ });
    await files.write('ca.crt', expired.certificate + authority.certificate);
    assert.equal((await load()).needsClientCertificate, true);
  });
});

/** Turns of the event loop, made by an exchange on another connection. */
async function passTurnsElsewhere(count: number): Promise<void> {
  await using others = await Loopback.open({}, echo);
  const { peer } = await others.connect();
  await passTurns(peer, count);
}
