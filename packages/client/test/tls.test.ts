import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { describe, it } from 'node:test';
import tls from 'node:tls';
import { ClientError, type ClientTlsOptions, type ConnectOptions, connect, parseSluiceUrl } from '@sluice/client';
import { EXPIRED, issueForTest, PlainServer } from '@sluice/testkit';
import { encodePacket, ResultCode, responseText } from '@sluice/wire';

const authority = issueForTest({ name: 'authority', isAuthority: true });
const good = issueForTest({ hosts: ['localhost', '127.0.0.1'], issuer: authority });
const selfSigned = issueForTest({ hosts: ['localhost', '127.0.0.1'] });

/** A server of the protocol behind TLS. */
class TlsServer implements AsyncDisposable {
  /** Bytes that came inside TLS. */
  receivedBytes = 0;
  /** Subjects of the certificates that clients have shown. */
  readonly shown: (string | undefined)[] = [];
  readonly #root: string;
  readonly #inner: PlainServer;
  readonly #server: tls.Server;

  private constructor(root: string, inner: PlainServer, options: tls.TlsOptions) {
    this.#root = root;
    this.#inner = inner;
    this.#server = tls.createServer(options, (outside) => {
      this.shown.push(outside.getPeerX509Certificate()?.subject);
      const inside = net.connect(inner.port, '127.0.0.1');
      outside.on('data', (chunk) => {
        this.receivedBytes += chunk.length;
      });
      for (const socket of [outside, inside]) {
        socket.on('error', () => {});
        socket.on('close', () => (socket === inside ? outside : inside).destroy());
      }
      outside.pipe(inside).pipe(outside);
    });
  }

  static async start(options: tls.TlsOptions): Promise<TlsServer> {
    const root = await mkdtemp(join(tmpdir(), 'sluice-tls-'));
    const inner = await PlainServer.listen({ root: join(root, 'root') });
    const server = new TlsServer(root, inner, options);
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  url(host = '127.0.0.1'): string {
    return `sluices://admin:admin@${host}:${this.port}/`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    await this.#inner.close();
    await rm(this.#root, { recursive: true, force: true });
  }
}

function pem({ certificate: cert, key }: typeof good) {
  return { cert, key };
}

async function refusal(url: string, options: ConnectOptions = {}): Promise<ClientError> {
  try {
    await (await connect(url, { retries: 0, ...options })).close();
  } catch (error) {
    assert.ok(error instanceof ClientError, String(error));
    return error;
  }
  throw new Error('it connected');
}

describe('sluices://', () => {
  const trusted: readonly (readonly [string, typeof good, ClientTlsOptions, string?])[] = [
    ['whose certificate an authority of ours has signed', good, { ca: authority.certificate }],
    ['known by a name', good, { ca: authority.certificate }, 'localhost'],
    ['whose own certificate is named as the authority', selfSigned, { ca: selfSigned.certificate }],
    ['whose certificate is pinned', selfSigned, { fingerprint: selfSigned.fingerprint }],
    [
      'whose certificate is pinned in small letters without colons',
      selfSigned,
      { fingerprint: selfSigned.fingerprint.replaceAll(':', '').toLowerCase() },
    ],
  ];
  for (const [what, certificate, options, host] of trusted) {
    it(`moves files to and from a server ${what}`, async () => {
      await using server = await TlsServer.start(pem(certificate));
      await using client = await connect(server.url(host), { tls: options });
      const content = Buffer.alloc(3_000_000, 'sluice');
      await client.upload(Readable.from([content]), 'a.bin');
      const chunks: Buffer[] = [];
      const target = new Writable({
        write(chunk: Buffer, _encoding, done) {
          chunks.push(Buffer.from(chunk));
          done();
        },
      });
      await client.download('a.bin', target);
      assert.ok(Buffer.concat(chunks).equals(content));
      assert.ok(server.receivedBytes > content.length);
    });
  }

  it('keeps every byte in its place when the target of a download is slower than the link', async () => {
    await using server = await TlsServer.start(pem(good));
    await using client = await connect(server.url(), { tls: { ca: authority.certificate } });
    const content = randomBytes(8_000_000);
    await client.upload(Readable.from([content]), 'a.bin');
    const chunks: Buffer[] = [];
    const target = new Writable({
      highWaterMark: 1,
      write(chunk: Buffer, _encoding, done) {
        chunks.push(Buffer.from(chunk));
        setImmediate(done);
      },
    });
    await client.download('a.bin', target);
    assert.ok(Buffer.concat(chunks).equals(content));
  });

  const old = issueForTest({ hosts: ['127.0.0.1'], issuer: authority, ...EXPIRED });
  const foreign = issueForTest({ hosts: ['files.example', '192.0.2.1'], issuer: authority });
  const impostor = issueForTest({
    hosts: ['127.0.0.1'],
    issuer: issueForTest({ name: 'authority', isAuthority: true }),
  });
  const distrusted: readonly (readonly [string, typeof good, ClientTlsOptions, RegExp, boolean])[] = [
    [
      'a certificate that nobody has signed',
      selfSigned,
      {},
      /is not trusted: nobody who is trusted has signed it/,
      true,
    ],
    ['one of an authority that is not ours', good, {}, /nobody who is trusted has signed it/, true],
    [
      'one that another authority of the same name has signed',
      impostor,
      { ca: authority.certificate },
      /is not trusted/,
      true,
    ],
    ['one that has expired', old, { ca: authority.certificate }, /it has expired \(.*GMT\)/, true],
    [
      'one for other names',
      foreign,
      { ca: authority.certificate },
      /it is for DNS:files\.example, IP Address:192\.0\.2\.1, not for 127\.0\.0\.1/,
      true,
    ],
    [
      'another than the one that is pinned',
      good,
      { ca: authority.certificate, fingerprint: selfSigned.fingerprint },
      /is not the one that was pinned/,
      false,
    ],
  ];
  for (const [what, certificate, options, message, isPinnable] of distrusted) {
    it(`sends nothing to a server that shows ${what}`, async () => {
      await using server = await TlsServer.start(pem(certificate));
      const error = await refusal(server.url(), { tls: options });
      assert.deepEqual([error.code, error.retryable], ['ERR_TLS', false]);
      assert.match(error.message, message);
      assert.ok(error.message.includes(`SHA-256 ${certificate.fingerprint}`), error.message);
      assert.equal(error.fingerprint, isPinnable ? certificate.fingerprint : undefined);
      assert.equal(server.receivedBytes, 0);
    });
  }

  it('takes a pinned certificate although it has expired and is for other names', async () => {
    const pinned = issueForTest({ hosts: ['files.example'], ...EXPIRED });
    await using server = await TlsServer.start(pem(pinned));
    await using client = await connect(server.url(), { tls: { fingerprint: pinned.fingerprint } });
    await client.ping();
  });

  it('shows its own certificate to a server that asks for one', async () => {
    const options = { ...pem(good), requestCert: true, ca: authority.certificate };
    await using server = await TlsServer.start(options);
    const device = issueForTest({ name: 'device 7', issuer: authority });
    await using client = await connect(server.url(), { tls: { ca: authority.certificate, ...pem(device) } });
    await client.ping();
    assert.deepEqual(server.shown, ['CN=device 7']);
    for (const tls of [{}, pem(issueForTest({ name: 'late', issuer: authority, ...EXPIRED }))]) {
      const error = await refusal(server.url(), { tls: { ca: authority.certificate, ...tls } });
      assert.equal(error.code, 'ERR_TLS');
      assert.match(error.message, /it may ask for a certificate of the client, or refuse the one it was shown$/);
    }
  });

  it('says so when there is no TLS at that address', async () => {
    const root = await mkdtemp(join(tmpdir(), 'sluice-tls-'));
    const plain = await PlainServer.listen({ root });
    try {
      const error = await refusal(`sluices://admin:admin@127.0.0.1:${plain.port}/`);
      assert.equal(error.code, 'ERR_TLS');
      assert.match(error.message, /if it has no TLS, its address begins with sluice:\/\/$/);
    } finally {
      await plain.close();
      await rm(root, { recursive: true });
    }
  });

  it('says so when somebody answers with something else', async () => {
    const server = net.createServer((socket) => socket.on('error', () => {}).write('220 ftp.example ready\r\n'));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const error = await refusal(`sluices://admin:admin@127.0.0.1:${(server.address() as net.AddressInfo).port}/`);
    assert.equal(error.code, 'ERR_TLS');
    assert.match(error.message, /does not answer with TLS; if it has no TLS/);
    server.close();
  });

  it('does not go below TLS 1.2', async () => {
    const options = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    await using server = await TlsServer.start({ ...pem(good), ...options });
    const error = await refusal(server.url(), { tls: { ca: authority.certificate } });
    assert.deepEqual([error.code, error.retryable], ['ERR_TLS', false]);
  });

  it('gives a handshake that does not end no more time than connecting has, and can be called off', async () => {
    const sockets: net.Socket[] = [];
    const server = net.createServer((socket) => sockets.push(socket.on('error', () => {})));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const url = `sluices://admin:admin@127.0.0.1:${(server.address() as net.AddressInfo).port}/`;
    const late = await refusal(url, { connectTimeoutMs: 20 });
    assert.deepEqual([late.code, late.retryable], ['ERR_CONNECT', true]);
    const controller = new AbortController();
    const connecting = connect(url, { signal: controller.signal });
    while (sockets.length < 2) await new Promise(setImmediate);
    controller.abort(new Error('enough'));
    await assert.rejects(connecting, /enough/);
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  it('says what is wrong with certificates that cannot be used, before it connects', async () => {
    const broken = await refusal('sluices://a:b@127.0.0.1:1/', { tls: { cert: 'x', key: 'y' } });
    assert.equal(broken.code, 'ERR_TLS');
    assert.match(broken.message, /the certificates or the key for TLS cannot be used/);
    const other = { cert: good.certificate, key: selfSigned.key };
    assert.match((await refusal('sluices://a:b@127.0.0.1:1/', { tls: other })).message, /key values mismatch/);
    await assert.rejects(connect('sluices://a:b@127.0.0.1:1/', { tls: { cert: good.certificate } }), {
      code: 'ERR_OPTION_RANGE',
    });
    await assert.rejects(connect('sluices://a:b@127.0.0.1:1/', { tls: { fingerprint: 'AB:CD' } }), {
      code: 'ERR_OPTION_RANGE',
    });
  });

  it('is a URL of its own: sluice:// stays plain', () => {
    assert.deepEqual(parseSluiceUrl('SLUICES://ada@[::1]:7/x'), {
      endpoint: { host: '::1', port: 7, userName: 'ada', isSecure: true },
      path: 'x',
    });
    assert.equal('isSecure' in parseSluiceUrl('sluice://host/').endpoint, false);
    assert.throws(() => parseSluiceUrl('sluicess://host/'), { code: 'ERR_URL' });
  });
});

describe('a plain client', () => {
  it('learns that a server takes TLS only', async () => {
    const message = 'this server takes TLS connections only: use sluices://';
    const answer = encodePacket(responseText('', ResultCode.NotPermitted, [], message));
    const server = net.createServer((socket) => socket.on('error', () => {}).once('data', () => socket.end(answer)));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const error = await refusal(`sluice://admin:admin@127.0.0.1:${(server.address() as net.AddressInfo).port}/`);
    assert.equal(error.code, 'ERR_TLS');
    assert.match(error.message, /refuses a plain connection: .*takes TLS connections only: use sluices:\/\/$/);
    server.close();
  });
});
