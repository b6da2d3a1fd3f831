import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { connect } from '@sluice/client';
import { CertificateFolder, issueForTest } from '@sluice/testkit';
import {
  type CommandText,
  decodeSaslLoginRequest,
  encodeSaslChallenge,
  encodeScramServerFinal,
  encodeWelcome,
  Key,
  responseText,
} from '@sluice/wire';
import { type Ended, Scratch, ServeCommand, sluice, urlOf } from './support/command.js';
import { type Interference, Middle } from './support/middle.js';

/** Makes a server look like one of the original system. */
const stripsScram: Interference = (request) =>
  request.first(Key.Sasl) === undefined ? 'pass' : responseText('Login', 6, [], 'Password is missing');

/** Says that the server has no channel binding. */
const stripsBinding: Interference = (request) =>
  request.first(Key.Mechanism)?.endsWith('-PLUS')
    ? responseText('Login', 6, [[Key.Mechanisms, 'SCRAM-SHA-256']], 'no such mechanism')
    : 'pass';

function assertOneLine({ stderr, exitCode }: Ended, expected: number, line: RegExp): void {
  assert.equal(exitCode, expected, stderr);
  assert.match(stderr, line);
  assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
}

function secureUrl(port: number): string {
  return urlOf(port).replace('sluice:', 'sluices:');
}

describe('the shipped command', () => {
  it('logs in by SCRAM, in two round trips, and never sends the digest', async () => {
    await using scratch = await Scratch.make();
    await using server = await ServeCommand.start(scratch.folder);
    await using middle = await Middle.before(server.port);
    assert.equal((await sluice(['ls', urlOf(middle.port)])).exitCode, 0);
    await server.command.said(/login accepted .*method=SCRAM-SHA-256(?: |$)/m);
    assert.equal(middle.hasSeenDigest, false);
    assert.equal(middle.requests.filter(({ command }) => command === 'Login').length, 2);
  });

  it('logs in with users from a file, whose password is set with and without the digest', async () => {
    await using scratch = await Scratch.make();
    const users = scratch.path('users.json');
    const set = (action: string, ...extra: string[]) =>
      sluice(['user', action, 'admin', '--users', users, '--password-file', scratch.path('password'), ...extra]);
    await writeFile(scratch.path('password'), 'admin\n');
    assert.equal((await set('add', '--no-digest')).exitCode, 0);
    await using server = await ServeCommand.start(scratch.folder, ['--users', users]);
    assert.equal((await sluice(['ls', server.url])).exitCode, 0);
    assertOneLine(await sluice(['ls', '--login', 'digest', server.url]), 5, /wrong user name or password/);
    await server.command.said(/login refused .*reason=no-digest/);
    assert.equal((await set('passwd')).exitCode, 0);
    await server.command.said(/ reloaded name=users/);
    assert.equal((await sluice(['ls', '--login', 'digest', server.url])).exitCode, 0);
    const content = await readFile(users, 'utf8');
    assert.doesNotMatch(content, /21232f297a57a5a743894a0e4a801fc3|"admin:|password/);
  });

  it('refuses what --login does not know', async () => {
    assertOneLine(
      await sluice(['ls', '--login', 'plain', urlOf(1)]),
      2,
      /--login plain: it takes auto, scram, any, digest/,
    );
    const env = { SLUICE_LOGIN: 'none' };
    assertOneLine(await sluice(['ls', urlOf(1)], { env }), 2, /SLUICE_LOGIN none: it takes auto, scram, any, digest/);
  });
});

describe('logins over TLS', () => {
  it('are bound to the connection, by the command as it is', async () => {
    await using scratch = await Scratch.make();
    await using folder = await CertificateFolder.make();
    const own = issueForTest({ hosts: ['127.0.0.1'] });
    const { certFile, keyFile } = await folder.store('server', own);
    await using server = await ServeCommand.start(scratch.folder, ['--tls-cert', certFile, '--tls-key', keyFile]);
    const listed = await sluice(['ls', secureUrl(server.port), '--tls-fingerprint', own.fingerprint]);
    assert.equal(listed.exitCode, 0, listed.stderr);
    await server.command.said(/login accepted .*method=SCRAM-SHA-256-PLUS/);
  });

  it('fail when somebody stands between whom the client trusts, whatever that one makes of the offer', async () => {
    await using scratch = await Scratch.make();
    await using folder = await CertificateFolder.make();
    const { certFile, keyFile } = await folder.store('server', issueForTest({ hosts: ['127.0.0.1'] }));
    await using server = await ServeCommand.start(scratch.folder, ['--tls-cert', certFile, '--tls-key', keyFile]);
    const trusted = issueForTest({ hosts: ['127.0.0.1'] });
    const secure = { cert: trusted.certificate, key: trusted.key };
    for (const interferes of [undefined, stripsBinding]) {
      await using middle = await Middle.before(server.port, interferes, { secure, isServerSecure: true });
      const ended = await sluice(['ls', secureUrl(middle.port), '--tls-fingerprint', trusted.fingerprint]);
      assertOneLine(ended, 5, /cannot log in/);
      await server.command.said(/login refused .*reason=channel-binding/);
      assert.equal(middle.hasSeenDigest, false);
    }
  });

  it('succeed, without binding, at a server behind one where TLS ends', async () => {
    await using scratch = await Scratch.make();
    await using server = await ServeCommand.start(scratch.folder);
    const front = issueForTest({ hosts: ['127.0.0.1'] });
    const secure = { cert: front.certificate, key: front.key };
    await using middle = await Middle.before(server.port, undefined, { secure });
    const ended = await sluice(['ls', secureUrl(middle.port), '--tls-fingerprint', front.fingerprint]);
    assert.equal(ended.exitCode, 0, ended.stderr);
    assert.equal(middle.hasSeenDigest, false);
  });
});

describe('somebody in the middle who makes the server look like one without SCRAM', () => {
  it('gets nothing from a client that is told to use SCRAM only', async () => {
    await using scratch = await Scratch.make();
    await using server = await ServeCommand.start(scratch.folder);
    await using middle = await Middle.before(server.port, stripsScram);
    const ended = await sluice(['ls', '--login', 'scram', urlOf(middle.port)]);
    assertOneLine(
      ended,
      5,
      /has no login by SCRAM, only by the MD5 digest of the password: it was not sent: .*--login/,
    );
    assert.equal(middle.hasSeenDigest, false);
  });

  it('gets the digest on this machine, where it is taken for an original server, and nobody else can listen', async () => {
    await using scratch = await Scratch.make();
    await using server = await ServeCommand.start(scratch.folder);
    await using middle = await Middle.before(server.port, stripsScram);
    assert.equal((await sluice(['ls', urlOf(middle.port)])).exitCode, 0);
    await server.command.said(/login accepted .*method=digest/);
    assert.equal(middle.hasSeenDigest, true);
  });

  it('gets nothing from a client to which the server has once proven itself, not even when the digest is permitted', async () => {
    await using scratch = await Scratch.make();
    await using server = await ServeCommand.start(scratch.folder);
    for (const login of ['auto', 'any'] as const) {
      await using middle = await Middle.before(server.port);
      await using client = await connect(urlOf(middle.port), { login, retries: 0 });
      middle.interferes = stripsScram;
      // The connection that is there does one; the other needs one of its own.
      const both = await Promise.allSettled([client.list(''), client.list('')]);
      const failed = both.filter((each) => each.status === 'rejected');
      assert.equal(failed.length, 1);
      assert.equal(failed[0]?.reason.code, 'ERR_LOGIN_METHOD');
      assert.match(failed[0]?.reason.message, /somebody may stand between/);
      assert.equal(middle.hasSeenDigest, false);
    }
  });
});

describe('a server that only says that it is the right one', () => {
  const nonceOf = (request: CommandText): string =>
    /r=(.*)$/.exec(decodeSaslLoginRequest(request)?.message ?? '')?.[1] ?? '';
  const challenge = (nonce: string, iterations = 4096): Uint8Array =>
    encodeSaslChallenge('Login', `r=${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=${iterations}`);
  const afterChallenge =
    (last: Uint8Array): Interference =>
    (request) =>
      request.first(Key.Mechanism) === undefined ? last : challenge(`${nonceOf(request)}x`);

  const rogues: [does: string, interferes: Interference][] = [
    ['lets everybody in', () => encodeWelcome('Login', [])],
    ['lets everybody in after a challenge', afterChallenge(encodeWelcome('Login', []))],
    ['signs with another key', afterChallenge(encodeWelcome('Login', [], encodeScramServerFinal(new Uint8Array(32))))],
    ['sends an error for a signature', afterChallenge(encodeWelcome('Login', [], 'e=other-error'))],
    ['uses a nonce of its own', () => challenge('other')],
    ["sends the client's nonce back", (request) => challenge(nonceOf(request))],
    ['asks for few iterations', (request) => challenge(`${nonceOf(request)}x`, 4095)],
    ['asks for very many iterations', (request) => challenge(`${nonceOf(request)}x`, 10_000_001)],
  ];
  for (const [does, interferes] of rogues) {
    it(`and ${does} is refused with a code of its own, and gets no digest`, async () => {
      await using scratch = await Scratch.make();
      await using server = await ServeCommand.start(scratch.folder);
      await using middle = await Middle.before(server.port, interferes);
      await assert.rejects(connect(urlOf(middle.port), { login: 'any' }), {
        code: 'ERR_SERVER_UNPROVEN',
        retryable: false,
      });
      assert.equal(middle.hasSeenDigest, false);
    });
  }

  it('ends the command with code 4 and one line', async () => {
    await using scratch = await Scratch.make();
    await using server = await ServeCommand.start(scratch.folder);
    await using middle = await Middle.before(server.port, () => encodeWelcome('Login', []));
    const ended = await sluice(['ls', urlOf(middle.port)]);
    assertOneLine(
      ended,
      4,
      /does not prove that it is the server where this password was set: it lets in whoever comes/,
    );
  });
});
