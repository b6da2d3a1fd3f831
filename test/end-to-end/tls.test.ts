import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { CertificateFolder, EXPIRED, issueForTest, RawPeer } from '@sluice/testkit';
import { Command, type Ended, events, Scratch, ServeCommand, sluice, urlOf } from './support/command.js';
import { Link } from './support/link.js';

const MIB = 1 << 20;
const SIZE = 64 * MIB;

interface Certificate {
  readonly options: readonly string[];
  readonly fingerprint: string;
}

async function selfSigned(scratch: Scratch): Promise<Certificate> {
  const made = await sluice(['tls', 'self-signed', '--out', scratch.path('certs')]);
  assert.equal(made.exitCode, 0, made.stderr);
  const [, fingerprint = ''] = /^SHA-256 ((?:[\dA-F]{2}:){31}[\dA-F]{2})$/m.exec(made.stdout) ?? [];
  const [, options = ''] = /^serve with: sluice serve (.*)$/m.exec(made.stdout) ?? [];
  return { options: options.split(' '), fingerprint };
}

function secureUrl(port: number): string {
  return urlOf(port).replace('sluice:', 'sluices:');
}

function assertOneLine({ stderr, exitCode }: Ended, expected: number, line: RegExp): void {
  assert.equal(exitCode, expected, stderr);
  assert.match(stderr, line);
  assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
}

describe('the shipped command over TLS', () => {
  for (const direction of ['put', 'get'] as const) {
    it(`moves a file with ${direction}, and resumes it after the link broke`, async () => {
      await using scratch = await Scratch.make();
      const { options, fingerprint } = await selfSigned(scratch);
      await using server = await ServeCommand.start(scratch.folder, options);
      await using link = await Link.to(server.port);
      const content = randomBytes(SIZE);
      await writeFile(scratch.path('source'), content);
      const held = link.holdAfter(SIZE / 2);
      const remote = `${secureUrl(link.port)}${direction === 'put' ? 'target' : 'source'}`;
      const operands = direction === 'put' ? [scratch.path('source'), remote] : [remote, scratch.path('target')];
      await using command = new Command([direction, '--json', '--tls-fingerprint', fingerprint, ...operands]);
      await held;
      link.cut();
      const ended = await command.ended;
      assert.equal(ended.exitCode, 0, ended.stderr);
      const [done] = events(ended);
      const moved = (done?.['bytesSent'] ?? done?.['bytesReceived']) as number;
      assert.ok((done?.['attempts'] as number) > 1 && moved < 2 * SIZE - 4 * MIB, JSON.stringify(done));
      assert.ok(content.equals(await readFile(scratch.path('target'))));
    });
  }

  it('lists, and shows operators who is encrypted, with the environment saying whom to trust', async () => {
    await using scratch = await Scratch.make();
    const { options, fingerprint } = await selfSigned(scratch);
    await using server = await ServeCommand.start(scratch.folder, options);
    for (const env of [
      { SLUICE_TLS_FINGERPRINT: fingerprint },
      { SLUICE_TLS_CA: scratch.path('certs', 'server.crt') },
    ]) {
      const listed = await sluice(['ls', secureUrl(server.port)], { env });
      assert.deepEqual([listed.exitCode, listed.stdout], [0, 'certs/\n']);
      const shown = await sluice(['clients', '--json', secureUrl(server.port)], { env });
      assert.equal(events(shown)[0]?.['isEncrypted'], true, shown.stderr);
    }
  });

  it('refuses in one line, with exit code 4, what it does not trust and what does not fit', async () => {
    await using scratch = await Scratch.make();
    const { options, fingerprint } = await selfSigned(scratch);
    await using server = await ServeCommand.start(scratch.folder, [...options, '--tls-only']);
    const ls = (url: string, ...extra: string[]) => sluice(['ls', url, ...extra]);
    const secure = secureUrl(server.port);
    const untrusted = await ls(secure);
    assertOneLine(untrusted, 4, /not trusted: nobody who is trusted has signed it .*--tls-fingerprint/);
    assert.ok(untrusted.stderr.includes(fingerprint));
    assertOneLine(await ls(secure, '--tls-fingerprint', '0'.repeat(64)), 4, /is not the one that was pinned/);
    assertOneLine(await ls(urlOf(server.port)), 4, /takes TLS connections only: use sluices:\/\//);
    assertOneLine(await ls(urlOf(server.port), '--tls-ca', 'x'), 2, /--tls-ca is for servers with TLS/);
    assertOneLine(await ls(secure, '--tls-ca', 'none.crt'), 1, /cannot read none\.crt/);
    assertOneLine(await ls(secure, '--tls-fingerprint', 'abc'), 2, /64 hexadecimal digits/);
    assertOneLine(await ls(secure, '--tls-cert', 'x'), 2, /--tls-cert and --tls-key together/);
    await using other = await Scratch.make();
    await using plain = await ServeCommand.start(other.folder);
    assertOneLine(await ls(secureUrl(plain.port)), 4, /if it has no TLS, its address begins with sluice:/);
  });
});

describe('sluice serve with certificates', () => {
  it('ends with code 1 and one line when they cannot be used, and with 2 for options that do not fit together', async () => {
    await using scratch = await Scratch.make();
    await using folder = await CertificateFolder.make();
    const good = await folder.store('good', issueForTest());
    const other = await folder.store('other', issueForTest());
    const old = await folder.store('old', issueForTest({ name: 'old', ...EXPIRED }));
    const serve = (...extra: string[]) =>
      sluice(['serve', '--root', scratch.folder, '--user', 'a:b', '--listen', '127.0.0.1:0', ...extra]);
    const pair = (certFile: string, keyFile: string) => serve('--tls-cert', certFile, '--tls-key', keyFile);
    assertOneLine(
      await pair(good.certFile, other.keyFile),
      1,
      /other\.key does not belong to the certificate .*good\.crt/,
    );
    assertOneLine(await pair(old.certFile, old.keyFile), 1, /CN=old in .*old\.crt has expired \(.*\): renew it/);
    assertOneLine(await pair(good.certFile, folder.folder), 1, /cannot be read: it is a directory/);
    assertOneLine(await pair(`${good.certFile}x`, good.keyFile), 1, /good\.crtx cannot be read: there is no such file/);
    assertOneLine(await serve('--tls-cert', good.certFile), 2, /a --tls-key for each --tls-cert/);
    assertOneLine(await serve('--tls-only'), 2, /--tls-only needs --tls-cert and --tls-key/);
    assertOneLine(await serve('--proxy-from', 'balancer'), 2, /balancer is no address and no network/);
  });

  it('reads them anew at SIGHUP, and goes on with the old ones when the new ones are bad', async () => {
    await using scratch = await Scratch.make();
    await using folder = await CertificateFolder.make();
    const first = issueForTest({ hosts: ['127.0.0.1'] });
    const { certFile, keyFile } = await folder.store('server', first);
    await using server = await ServeCommand.start(scratch.folder, ['--tls-cert', certFile, '--tls-key', keyFile]);
    const ls = (fingerprint: string) => sluice(['ls', secureUrl(server.port), '--tls-fingerprint', fingerprint]);
    assert.equal((await ls(first.fingerprint)).exitCode, 0);
    const second = issueForTest({ hosts: ['127.0.0.1'] });
    await writeFile(certFile, second.certificate);
    server.command.child.kill('SIGHUP');
    await server.command.said(
      /not reloaded name=certificates detail="the key .*server\.key does not belong to the certificate/,
    );
    assert.equal((await ls(first.fingerprint)).exitCode, 0);
    await writeFile(keyFile, second.key);
    server.command.child.kill('SIGHUP');
    await server.command.said(/ reloaded name=certificates/);
    assert.equal((await ls(second.fingerprint)).exitCode, 0);
    assert.equal((await ls(first.fingerprint)).exitCode, 4);
  });

  it('stays up when clients show expired certificates or garbage', async () => {
    await using scratch = await Scratch.make();
    await using folder = await CertificateFolder.make();
    const authority = issueForTest({ name: 'authority', isAuthority: true });
    const own = issueForTest({ hosts: ['127.0.0.1'] });
    const { certFile, keyFile } = await folder.store('server', own);
    const caFile = await folder.write('authority.crt', authority.certificate);
    const options = ['--tls-cert', certFile, '--tls-key', keyFile, '--tls-ca', caFile, '--tls-only'];
    await using server = await ServeCommand.start(scratch.folder, options);
    const ls = async (name: string, times: object) => {
      const shown = await folder.store(name, issueForTest({ name, issuer: authority, ...times }));
      const files = ['--tls-cert', shown.certFile, '--tls-key', shown.keyFile];
      return sluice(['ls', secureUrl(server.port), '--tls-fingerprint', own.fingerprint, ...files]);
    };
    assertOneLine(await ls('late', EXPIRED), 4, /refuse the one it was shown$/m);
    await server.command.said(/tls handshake failed .*CERT_HAS_EXPIRED/);
    for (let i = 0; i < 20; i++) {
      using peer = await RawPeer.connect(server.port);
      // No version of TLS: with one, it might be the beginning of a long record, which is waited for until the deadline.
      await peer.send(Uint8Array.of(0x16, 0), randomBytes(500));
      await peer.waitForClose();
    }
    assert.equal((await ls('device', {})).exitCode, 0);
  });
});

describe('sluice tls self-signed', () => {
  it('writes a certificate and a key, which only its owner can read, and never over others', async () => {
    await using scratch = await Scratch.make();
    const run = (...extra: string[]) => sluice(['tls', 'self-signed', '--out', scratch.path('a b'), ...extra]);
    const made = await run('--host', 'files.example', '--host', '192.0.2.1', '--days', '10');
    assert.equal(made.exitCode, 0, made.stderr);
    assert.match(made.stdout, /for files\.example, 192\.0\.2\.1$/m);
    assert.match(made.stdout, /^serve with: .*--tls-cert '.*a b\/server\.crt' --tls-key '/m);
    const key = scratch.path('a b', 'server.key');
    assert.equal((await stat(key)).mode & 0o777, 0o600);
    const before = await readFile(key, 'utf8');
    assertOneLine(await run(), 1, /server\.key is there already: replace it with --force/);
    assert.equal(await readFile(key, 'utf8'), before);
    assert.equal((await run('--force')).exitCode, 0);
    assert.notEqual(await readFile(key, 'utf8'), before);
    assert.equal((await stat(key)).mode & 0o777, 0o600);
    assertOneLine(await run('--host', 'a b'), 2, /--host takes a name or an address/);
    assertOneLine(await sluice(['tls']), 2, /write sluice tls self-signed/);
  });

  it('leaves no key behind when the certificate is there already', async () => {
    await using scratch = await Scratch.make();
    await writeFile(scratch.path('server.crt'), 'mine');
    assertOneLine(await sluice(['tls', 'self-signed', '--out', scratch.folder]), 1, /server\.crt is there already/);
    await assert.rejects(stat(scratch.path('server.key')), { code: 'ENOENT' });
    assert.equal(await readFile(scratch.path('server.crt'), 'utf8'), 'mine');
  });
});
