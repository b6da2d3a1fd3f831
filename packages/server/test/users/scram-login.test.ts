import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { TlsContexts } from '@sluice/core';
import { changePassword, type SluiceServerOptions, type UserEntry, UserStore } from '@sluice/server';
import { CertificateFolder, issueForTest, ManualClock, RawPeer } from '@sluice/testkit';
import { MAX_SCRAM_MESSAGE_BYTES, ProtocolFlag } from '@sluice/wire';
import { createVerifier, digestOf } from '../../../../packages/server/dist/users/password-verifier.js';
import { createScramVerifier } from '../../../../packages/server/dist/users/scram-verifier.js';
import { temporaryDirectory } from '../storage/temporary-directory.js';
import { type ScramOptions, ScramPeer, signatureLine } from '../support/scram-peer.js';
import { answer, ask, eventually, request, TestServer } from '../support/test-server.js';

const { Upload } = ProtocolFlag;
const REFUSED = ['Command=Login', 'Code=7', 'Message='];
const PASSWORD = 'secret';

/** Few iterations, for tests that make many users. */
const fast = async (): Promise<UserEntry['scram'] & object> => createScramVerifier(PASSWORD, 4096);

async function entriesForTest(): Promise<UserEntry[]> {
  const verifier = await createVerifier(digestOf(PASSWORD));
  const both = async (name: string, settings: Partial<UserEntry> = {}): Promise<UserEntry> => ({
    name,
    verifier,
    scram: await fast(),
    ...settings,
  });
  return [
    await both('ada'),
    await both('a,b=c'),
    await both('off', { disabled: true }),
    await both('late', { expires: '2020-01-01T00:00:00Z' }),
    { name: 'old', verifier },
    { name: 'new', scram: await fast() },
  ];
}

const entries = entriesForTest();

interface Place extends AsyncDisposable {
  readonly server: TestServer;
  readonly file: string;
  readonly clock: ManualClock;
}

async function makePlace(options: Partial<SluiceServerOptions> = {}): Promise<Place> {
  const directory = await temporaryDirectory();
  const file = `${directory.path}/users.json`;
  await writeFile(file, JSON.stringify({ users: await entries }));
  const clock = new ManualClock();
  const users = await UserStore.load(file);
  const server = await TestServer.start({ users, clock, idleTimeoutMs: 0, firstByteTimeoutMs: 0, ...options });
  return {
    server,
    file,
    clock,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}

async function connect({ server }: Place, options: ScramOptions = {}): Promise<ScramPeer> {
  const peer = await server.connect();
  await peer.send(Uint8Array.of(Upload));
  return new ScramPeer(peer, options);
}

function byDigest(name: string, password: string, extra: [string, string][] = []): Uint8Array {
  return request('Login', [['UserName', name], ['Password', digestOf(password)], ...extra]);
}

/** Lets time go by, for who waits for the login guard. */
function passing(clock: ManualClock): Disposable {
  const timer = setInterval(() => clock.advance(500), 1);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function reasons({ server }: Place): unknown[] {
  return server.events.filter(({ event }) => event === 'login refused').map(({ fields }) => fields['reason']);
}

describe('Login by SCRAM', () => {
  it('lets in who proves to know the password, proves that the server knows the user, and names the extensions at the end', async () => {
    await using place = await makePlace();
    const login = await connect(place, { features: ['VerifiedResume'] });
    const begun = await login.begin('ada');
    assert.deepEqual(begun.slice(0, 2), ['Command=Login', 'Code=0']);
    assert.equal(begun.length, 3);
    assert.deepEqual((await ask(login.peer, 'Dir', [['ParentDir', '']]))[1], 'Code=8');
    const { message, signature } = login.finalMessage(PASSWORD);
    const ended = await login.sendFinal(message);
    assert.deepEqual(ended.slice(0, 3), ['Command=Login', 'Code=0', signatureLine(signature)]);
    assert.match(ended[3] ?? '', /^Features=VerifiedResume,.*Scram$/);
    assert.deepEqual((await ask(login.peer, 'Dir', [['ParentDir', '']]))[1], 'Code=0');
    const accepted = place.server.events.find(({ event }) => event === 'login accepted');
    assert.deepEqual([accepted?.fields['user'], accepted?.fields['method']], ['ada', 'SCRAM-SHA-256']);
  });

  it('takes names with commas and equals signs, and sends no extensions to who has not asked', async () => {
    await using place = await makePlace();
    const ended = await (await connect(place)).logIn('a,b=c', PASSWORD);
    assert.equal(ended[1], 'Code=0');
    assert.equal(ended.length, 3);
  });

  it('does not let in who sends the last message of another login again', async () => {
    await using place = await makePlace();
    const first = await connect(place);
    await first.begin('ada');
    const { message } = first.finalMessage(PASSWORD);
    assert.equal((await first.sendFinal(message))[1], 'Code=0');
    const second = await connect(place);
    await second.begin('ada');
    assert.deepEqual(await second.sendFinal(message), REFUSED);
    assert.equal((await first.sendFinal(message))[1], 'Code=6', 'and not on the same connection either');
  });

  it('leaves who was logged in as it was when another login fails', async () => {
    await using place = await makePlace();
    const login = await connect(place);
    await login.logIn('ada', PASSWORD);
    await login.begin('new');
    assert.deepEqual(await login.end('wrong'), REFUSED);
    assert.deepEqual((await ask(login.peer, 'Dir', [['ParentDir', '']]))[1], 'Code=0');
  });

  it('does not count a password that was changed between the two messages', async () => {
    await using place = await makePlace();
    const login = await connect(place);
    await login.begin('ada');
    await changePassword(place.file, 'ada', 'other');
    await place.server.server.reload();
    assert.deepEqual(await login.end(PASSWORD), REFUSED);
  });

  for (const [what, fields] of [
    ['text that is no base64', { Mechanism: 'SCRAM-SHA-256', Sasl: '***' }],
    ['an empty message', { Mechanism: 'SCRAM-SHA-256', Sasl: '' }],
    [
      'a message that is too long',
      { Mechanism: 'SCRAM-SHA-256', Sasl: 'A'.repeat((MAX_SCRAM_MESSAGE_BYTES * 4) / 3 + 2) },
    ],
    ['a last message without a first', { Sasl: Buffer.from('c=biws,r=x,p=').toString('base64url') }],
  ] as const) {
    it(`answers ${what} with code 6, and the connection stays`, async () => {
      await using place = await makePlace();
      const { peer } = await connect(place);
      assert.equal((await ask(peer, 'Login', Object.entries(fields)))[1], 'Code=6');
      assert.equal((await ask(peer, 'Active'))[1], 'Code=0');
    });
  }

  it('names the mechanisms that there are to who asks for another, and for binding without TLS', async () => {
    await using place = await makePlace();
    for (const options of [{ mechanism: 'PLAIN' }, { binding: { type: 'tls-exporter' } }] as const) {
      const lines = await (await connect(place, options)).begin('ada');
      assert.deepEqual(lines.slice(1), ['Code=6', 'Message=no such mechanism', 'Mechanisms=SCRAM-SHA-256']);
    }
  });
});

describe('A user that does not exist', () => {
  it('has a salt of its own, the same at each try and after each restart, and iterations as others have', async () => {
    const saltOf = async (place: Place, name: string): Promise<string> => {
      const login = await connect(place);
      await login.begin(name);
      assert.equal(login.challenge?.iterations, 4096);
      assert.equal(login.challenge?.salt.length, 16);
      return Buffer.from(login.challenge?.salt ?? []).toString('hex');
    };
    await using place = await makePlace();
    const salt = await saltOf(place, 'nobody');
    assert.equal(await saltOf(place, 'nobody'), salt);
    const others = await Promise.all(['nobodx', 'Nobody', 'ada', 'old', ''].map((name) => saltOf(place, name)));
    assert.equal(new Set([salt, ...others]).size, 6);
    await using again = await makePlace(); // the same entries
    assert.equal(await saltOf(again, 'nobody'), salt);
    assert.equal(await saltOf(again, 'ada'), others[2]);
    // A change gives the file its key: the same as it had.
    await changePassword(again.file, 'ada', 'other');
    const changed = await UserStore.load(again.file);
    assert.equal(Buffer.from(changed.scramVerifierOf('nobody').salt, 'base64').toString('hex'), salt);
    assert.notEqual(Buffer.from(changed.scramVerifierOf('ada').salt, 'base64').toString('hex'), others[2]);
  });

  // What is tried, and what only the log tells: by SCRAM, and by digest.
  const tries: [what: string, name: string, password: string, bySCRAM: string, byDigest: string][] = [
    ['a wrong password', 'ada', 'wrong', 'wrong', 'wrong'],
    ['a user who does not exist', 'nobody', PASSWORD, 'wrong', 'wrong'],
    ['an empty name', '', PASSWORD, 'wrong', 'wrong'],
    ['another case', 'ADA', PASSWORD, 'wrong', 'wrong'],
    ['a blank behind the name', 'ada ', PASSWORD, 'wrong', 'wrong'],
    ['a name that is too long', 'x'.repeat(65), PASSWORD, 'wrong', 'wrong'],
    ['a name that is much too long', '\u{1f600}'.repeat(300), PASSWORD, 'wrong', 'wrong'],
    ['a name with a control character', 'a\tb', PASSWORD, 'wrong', 'wrong'],
    ['a name of JavaScript', '__proto__', PASSWORD, 'wrong', 'wrong'],
    ['a disabled user', 'off', PASSWORD, 'disabled', 'disabled'],
    ['a disabled user with a wrong password', 'off', 'wrong', 'wrong', 'wrong'],
    ['an expired user', 'late', PASSWORD, 'expired', 'expired'],
    ['an expired user with a wrong password', 'late', 'wrong', 'wrong', 'wrong'],
    ['a user of a file from before SCRAM', 'old', 'wrong', 'no-scram', 'wrong'],
    ['a user without a verifier of the digest', 'new', 'wrong', 'wrong', 'no-digest'],
  ];
  for (const [what, name, password, bySCRAM, byDigestReason] of tries) {
    it(`gets the same answers as ${what}, by SCRAM and by digest`, async () => {
      await using place = await makePlace();
      using _time = passing(place.clock);
      const login = await connect(place);
      const begun = await login.begin(name);
      assert.deepEqual(begun.slice(0, 2), ['Command=Login', 'Code=0']);
      assert.match(begun[2] ?? '', /^Sasl=r=[^,]{40},s=[A-Za-z0-9+/]{22}==,i=4096$/);
      assert.deepEqual(await login.end(password), REFUSED);
      await login.peer.send(byDigest(name, password));
      assert.deepEqual(await answer(login.peer), REFUSED);
      assert.deepEqual(reasons(place), [bySCRAM, byDigestReason]);
    });
  }

  it('with the right password, who has the other verifier only is refused just the same, and let in by the other method', async () => {
    await using place = await makePlace();
    using _time = passing(place.clock);
    const login = await connect(place);
    assert.deepEqual(await login.logIn('old', PASSWORD), REFUSED);
    await login.peer.send(byDigest('new', PASSWORD), byDigest('old', PASSWORD));
    assert.deepEqual(await answer(login.peer), REFUSED);
    assert.equal((await answer(login.peer))[1], 'Code=0');
    assert.equal((await login.logIn('new', PASSWORD))[1], 'Code=0');
    assert.deepEqual(reasons(place), ['no-scram', 'no-digest']);
  });

  it('costs a wrong digest the same work, whatever is kept of the user', async () => {
    await using place = await makePlace();
    const store = await UserStore.load(place.file);
    const msOf = async (name: string): Promise<number> => {
      const start = performance.now();
      await store.authenticate(name, digestOf('wrong'));
      return performance.now() - start;
    };
    await msOf('ada');
    const times = [await msOf('ada'), await msOf('nobody'), await msOf('new')];
    assert.ok(Math.min(...times) > Math.max(...times) / 5, String(times));
  });
});

describe('The login guard and SCRAM', () => {
  it('holds attempts back after failures, by either method, until their time has come', async () => {
    await using place = await makePlace();
    for (const name of ['ada', 'nobody']) assert.deepEqual(await (await connect(place)).logIn(name, 'wrong'), REFUSED);
    const held = await connect(place);
    await held.begin('ada'); // not slowed: nothing is guessed yet
    const ended = held.end(PASSWORD);
    const digest = await place.server.connect();
    await digest.send(Uint8Array.of(Upload), byDigest('ada', PASSWORD));
    await eventually('the waiting have come', () => place.clock.pendingTimers > 0);
    assert.equal(digest.received.length, 0);
    using _time = passing(place.clock);
    assert.equal((await ended)[1], 'Code=0');
    assert.equal((await answer(digest))[1], 'Code=0');
  });

  it('is not held up by peers that begin exchanges and never end them', async () => {
    await using place = await makePlace();
    const idle = await Promise.all(Array.from({ length: 50 }, () => connect(place)));
    for (const login of idle) assert.equal((await login.begin('ada'))[1], 'Code=0');
    assert.equal((await (await connect(place)).logIn('ada', PASSWORD))[1], 'Code=0');
    for (const { peer } of idle) peer.destroy();
  });

  it('closes a connection that has given up ten exchanges, whatever it sends in their place', async () => {
    for (const instead of ['another first message', 'nonsense', 'a digest']) {
      await using place = await makePlace();
      const login = await connect(place);
      using _time = passing(place.clock);
      let given = 0;
      for (; given < 10; given += 1) {
        if (instead !== 'another first message' || given === 0) await login.begin('ada');
        if (instead === 'nonsense') assert.equal((await login.sendFinal('nonsense'))[1], 'Code=6');
        else if (instead === 'another first message') await login.begin('ada');
        else {
          await login.peer.send(byDigest('ada', PASSWORD));
          assert.equal((await answer(login.peer))[1], 'Code=0');
        }
      }
      await login.peer.waitForClose();
      const { closed } = place.server.server.listener.counters;
      await eventually('it is counted', () => closed.get('too-many-logins') === 1);
      assert.deepEqual(new Set(reasons(place)), new Set(['not-ended']));
    }
  });

  it('closes a connection after ten wrong proofs', async () => {
    await using place = await makePlace();
    using _time = passing(place.clock);
    const login = await connect(place);
    for (let i = 0; i < 10; i += 1) assert.deepEqual(await login.logIn('ada', 'wrong'), REFUSED);
    await login.peer.waitForClose();
  });
});

describe('The digest on connections that others can read', () => {
  const header = 'PROXY TCP4 192.0.2.7 198.51.100.1 49153 9999\r\n';
  const remote = async ({ server }: Place, from = header): Promise<RawPeer> => {
    const peer = await server.connect();
    await peer.send(from, Uint8Array.of(Upload));
    return peer;
  };

  for (const name of ['ada', 'nobody', 'off', 'new']) {
    it(`is refused for ${name} as for everybody: with code 7 to old clients, with a word to new ones, and a reason in the log`, async () => {
      await using place = await makePlace({ proxyFrom: ['127.0.0.1'] });
      using peer = await remote(place);
      await peer.send(byDigest(name, PASSWORD));
      assert.deepEqual(await answer(peer), REFUSED);
      await peer.send(byDigest(name, PASSWORD, [['Features', '']]));
      assert.deepEqual(await answer(peer), [
        'Command=Login',
        'Code=13',
        'Message=the digest of a password is taken over TLS and from the same machine only: use SCRAM',
        'Mechanisms=SCRAM-SHA-256',
      ]);
      assert.deepEqual(reasons(place), ['digest-not-allowed', 'digest-not-allowed']);
    });
  }

  it('is not needed: SCRAM lets in from there', async () => {
    await using place = await makePlace({ proxyFrom: ['127.0.0.1'] });
    using peer = await remote(place);
    assert.equal((await new ScramPeer(peer).logIn('ada', PASSWORD))[1], 'Code=0');
  });

  it('is taken with allowDigestLogin, from the own machine, and by the address that a balancer tells', async () => {
    await using allowed = await makePlace({ proxyFrom: ['127.0.0.1'], allowDigestLogin: true });
    using one = await remote(allowed);
    await one.send(byDigest('ada', PASSWORD));
    assert.equal((await answer(one))[1], 'Code=0');
    await using place = await makePlace({ proxyFrom: ['127.0.0.1'] });
    for (const [from, code] of [
      ['PROXY TCP4 127.9.9.9 127.0.0.1 1 2\r\n', 'Code=0'],
      ['PROXY TCP6 ::1 ::1 1 2\r\n', 'Code=0'],
      ['PROXY TCP6 ::ffff:127.0.0.1 ::1 1 2\r\n', 'Code=0'],
      ['PROXY TCP6 2001:db8::1 ::1 1 2\r\n', 'Code=7'],
      ['PROXY TCP4 128.0.0.1 127.0.0.1 1 2\r\n', 'Code=7'],
    ] as const) {
      using peer = await remote(place, from);
      await peer.send(byDigest('ada', PASSWORD));
      assert.equal((await answer(peer))[1], code, from);
    }
  });

  it('is taken over TLS', async () => {
    await using folder = await CertificateFolder.make();
    const contexts = await TlsContexts.load({ certificates: [await folder.store('server', issueForTest())] });
    await using place = await makePlace({ tls: { contexts } });
    using peer = await RawPeer.connectSecurely(place.server.port);
    await peer.send(Uint8Array.of(Upload), byDigest('ada', PASSWORD));
    assert.equal((await answer(peer))[1], 'Code=0');
  });
});

describe('Channel binding', () => {
  async function withTls(
    work: (place: Place, connectTls: (options?: object) => Promise<RawPeer>) => Promise<void>,
  ): Promise<void> {
    await using folder = await CertificateFolder.make();
    const contexts = await TlsContexts.load({ certificates: [await folder.store('server', issueForTest())] });
    await using place = await makePlace({ tls: { contexts } });
    const peers: RawPeer[] = [];
    try {
      await work(place, async (options = {}) => {
        const peer = await RawPeer.connectSecurely(place.server.port, options);
        peers.push(peer);
        await peer.send(Uint8Array.of(Upload));
        return peer;
      });
    } finally {
      for (const peer of peers) peer.destroy();
    }
  }

  const exported = (peer: RawPeer): Buffer =>
    (peer.socket as TLSSocket).exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0));
  const bound = { binding: { type: 'tls-exporter' } } as const;

  it('lets in who is at the other end of the same TLS connection, and logs that the login was bound to it', () =>
    withTls(async (place, connectTls) => {
      const peer = await connectTls();
      assert.equal(
        (await new ScramPeer(peer, { ...bound, channel: exported(peer) }).logIn('ada', PASSWORD))[1],
        'Code=0',
      );
      const accepted = place.server.events.find(({ event }) => event === 'login accepted');
      assert.equal(accepted?.fields['method'], 'SCRAM-SHA-256-PLUS');
    }));

  it('finds out somebody between two TLS connections, although the password is right', () =>
    withTls(async (place, connectTls) => {
      const [ofClient, ofMiddle] = [await connectTls(), await connectTls()];
      const login = new ScramPeer(ofMiddle, { ...bound, channel: exported(ofClient) });
      assert.deepEqual(await login.logIn('ada', PASSWORD), REFUSED);
      assert.deepEqual(reasons(place), ['channel-binding']);
    }));

  it('finds out who tells a client that the server has no binding', () =>
    withTls(async (place, connectTls) => {
      const login = new ScramPeer(await connectTls(), { binding: 'not-offered' });
      assert.deepEqual(await login.logIn('ada', PASSWORD), REFUSED);
      assert.deepEqual(reasons(place), ['channel-binding']);
    }));

  it('may be left out by a client that has none, and there is none before TLS 1.3', () =>
    withTls(async (_place, connectTls) => {
      assert.equal((await new ScramPeer(await connectTls()).logIn('ada', PASSWORD))[1], 'Code=0');
      const old = await connectTls({ maxVersion: 'TLSv1.2' });
      assert.equal((await new ScramPeer(old, bound).begin('ada'))[3], 'Mechanisms=SCRAM-SHA-256');
      assert.equal((await new ScramPeer(old, { binding: 'not-offered' }).logIn('ada', PASSWORD))[1], 'Code=0');
    }));

  it('must be of the one type, and fit the mechanism', () =>
    withTls(async (_place, connectTls) => {
      const peer = await connectTls();
      const other = await new ScramPeer(peer, { binding: { type: 'tls-unique' } }).begin('ada');
      assert.deepEqual(other.slice(1), [
        'Code=6',
        'Message=no such mechanism',
        'Mechanisms=SCRAM-SHA-256,SCRAM-SHA-256-PLUS',
      ]);
      for (const options of [{ ...bound, mechanism: 'SCRAM-SHA-256' }, { mechanism: 'SCRAM-SHA-256-PLUS' }] as const)
        assert.equal((await new ScramPeer(peer, options).begin('ada'))[1], 'Code=6');
    }));
});
