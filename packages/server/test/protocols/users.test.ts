import assert from 'node:assert/strict';
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { addUser, readUsersFile, UserStore } from '@sluice/server';
import type { RawPeer } from '@sluice/testkit';
import {
  decodeJsonData,
  encodeListUsersRequest,
  encodePacket,
  encodeRemoveUserRequest,
  encodeSetUserRequest,
  ProtocolFlag,
  type SentVerifier,
  type SetUserRequest,
  scramKeysOf,
  type UserRecord,
} from '@sluice/wire';
import { ADMIN_DIGEST, answer, ask, eventually, request, TestServer } from '../support/test-server.js';

const { Control, Throughput, Upload } = ProtocolFlag;

const hash = {
  hash: (data: Uint8Array) => createHash('sha256').update(data).digest(),
  hmac: (key: Uint8Array, data: Uint8Array) => createHmac('sha256', key).update(data).digest(),
};

/** Of a few iterations only: a server takes what is above the least. */
function verifierOf(password: string): SentVerifier {
  const salt = Buffer.alloc(16, 7);
  return { iterations: 4096, salt, ...scramKeysOf(hash, pbkdf2Sync(password, salt, 4096, 32, 'sha256')) };
}

/** A server whose users come from a file: admin, and boss, another admin, both with the password admin; ada, a user; guest, read-only. */
async function fileServer(): Promise<{ server: TestServer; file: string } & AsyncDisposable> {
  const plain = await TestServer.start();
  const file = plain.path('users.json');
  await addUser(file, 'admin', 'admin', { settings: { role: 'admin' } });
  const [{ scram, verifier }] = (await readUsersFile(file)) as [Awaited<ReturnType<typeof readUsersFile>>[0]];
  const content = JSON.parse(await readFile(file, 'utf8')) as { users: object[] };
  content.users.push(
    { name: 'boss', scram, verifier, role: 'admin' },
    { name: 'guest', scram, verifier, role: 'read-only', extra: 'kept' },
    { name: 'ada', scram, root: 'home/ada', quota: 1024, expires: '2099-01-01' },
  );
  await writeFile(file, JSON.stringify(content));
  const server = await TestServer.start({ users: await UserStore.load(file) });
  return {
    server,
    file,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await plain[Symbol.asyncDispose]();
    },
  };
}

async function loginAs(server: TestServer, flag: number, user: string): Promise<RawPeer> {
  const peer = await server.connect();
  await peer.send(Uint8Array.of(flag), encodeLogin(user));
  assert.match((await peer.nextPacket()).text, /Code=0/);
  return peer;
}

function encodeLogin(user: string): Uint8Array {
  return request('Login', [
    ['UserName', user],
    ['Password', ADMIN_DIGEST],
  ]);
}

async function list(peer: RawPeer, after?: string, limit = 1000): Promise<{ text: string; users: UserRecord[] }> {
  await peer.send(encodePacket(encodeListUsersRequest({ ...(after !== undefined && { after }), limit })));
  const { text, data } = await peer.nextPacket();
  return { text, users: data.length > 0 ? (decodeJsonData(data) as UserRecord[]) : [] };
}

async function set(peer: RawPeer, change: Partial<SetUserRequest> & { readonly name: string }): Promise<string[]> {
  await peer.send(encodePacket(encodeSetUserRequest({ isNew: false, ...change })));
  return answer(peer);
}

async function remove(peer: RawPeer, name: string): Promise<string[]> {
  await peer.send(encodePacket(encodeRemoveUserRequest(name)));
  return answer(peer);
}

const DONE = ['Command=SetUser', 'Code=0'];
const OWN = 'no admin can remove, disable or demote himself: another admin can, so that one is always left';

describe('ListUsers (docs/protocol.md, section 17.20)', () => {
  it('tells all users in the order of their names, page by page, and nothing that is kept of a password', async () => {
    await using place = await fileServer();
    using peer = await place.server.login(Control);
    const first = await list(peer, undefined, 2);
    assert.equal(first.text, '[Response]\r\nCommand=ListUsers\r\nCode=0\r\nCount=2\r\nMore=yes\r\nSource=file');
    assert.deepEqual(first.users, [
      {
        name: 'ada',
        role: 'user',
        root: 'home/ada',
        quotaBytes: 1024,
        isDisabled: false,
        expires: '2099-01-01',
        logins: ['scram'],
      },
      { name: 'admin', role: 'admin', root: '', isDisabled: false, logins: ['scram', 'digest'] },
    ]);
    const rest = await list(peer, 'admin');
    assert.match(rest.text, /More=no/);
    assert.deepEqual(
      rest.users.map(({ name }) => name),
      ['boss', 'guest'],
    );
  });

  it('tells that users come from the command line, and changes none of them', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(Control);
    const { text, users } = await list(peer);
    assert.match(text, /Source=command-line$/);
    assert.deepEqual(
      users.map(({ name, role }) => [name, role]),
      [['admin', 'admin']],
    );
    const refused =
      'Message=the users of this server come from its command line (--user): only those of a file can be changed while it runs';
    const added = await set(peer, { name: 'new', isNew: true, verifier: verifierOf('x') });
    assert.deepEqual(added, ['Command=SetUser', 'Code=13', refused]);
    assert.deepEqual(await remove(peer, 'admin'), ['Command=RemoveUser', 'Code=13', refused]);
  });
});

describe('SetUser and RemoveUser (docs/protocol.md, section 17.20)', () => {
  it('are for admins, as ListUsers is', async () => {
    await using place = await fileServer();
    using peer = await loginAs(place.server, Control, 'guest');
    const refused = 'Message=this needs the role admin';
    assert.match((await list(peer)).text, /Code=13/);
    assert.deepEqual(await set(peer, { name: 'guest', role: 'admin' }), ['Command=SetUser', 'Code=13', refused]);
    assert.deepEqual(await remove(peer, 'ada'), ['Command=RemoveUser', 'Code=13', refused]);
    using nobody = await place.server.connect();
    await nobody.send(Uint8Array.of(Control));
    assert.deepEqual(await ask(nobody, 'ListUsers'), ['Command=ListUsers', 'Code=8', 'Message=']);
  });

  it('make a user whom the answer finds in the file, and who can log in', async () => {
    await using place = await fileServer();
    using peer = await place.server.login(Control);
    const verifier = verifierOf('correct horse');
    const made = { name: 'new', isNew: true, role: 'read-only', root: 'home', quotaBytes: 5, verifier } as const;
    assert.deepEqual(await set(peer, made), DONE);
    const entry = (await readUsersFile(place.file)).find(({ name }) => name === 'new');
    assert.deepEqual(entry, {
      name: 'new',
      scram: {
        iterations: 4096,
        salt: Buffer.from(verifier.salt).toString('base64'),
        storedKey: Buffer.from(verifier.storedKey).toString('base64'),
        serverKey: Buffer.from(verifier.serverKey).toString('base64'),
      },
      role: 'read-only',
      root: 'home',
      quota: 5,
    });
    const again = await set(peer, made);
    assert.deepEqual(again, ['Command=SetUser', 'Code=6', 'Message=there is a user "new" already']);
    const nobody = await set(peer, { name: 'nobody', role: 'user' });
    assert.deepEqual(nobody, ['Command=SetUser', 'Code=6', 'Message=there is no user "nobody"']);
  });

  it('end the connections of a user with another password, whose old digest does not let in any more, before they answer', async () => {
    await using place = await fileServer();
    using peer = await place.server.login(Control);
    using guest = await loginAs(place.server, Upload, 'guest');
    assert.deepEqual(await set(peer, { name: 'guest', verifier: verifierOf('other') }), DONE);
    await guest.waitForClose();
    using late = await place.server.connect();
    await late.send(Uint8Array.of(Upload), encodeLogin('guest'));
    assert.match((await late.nextPacket()).text, /Code=7/);
    const entry = (await readUsersFile(place.file)).find(({ name }) => name === 'guest');
    assert.equal(entry?.verifier, undefined);
    assert.equal((entry as { extra?: string } | undefined)?.extra, 'kept');
  });

  it('disable, enable, and take settings back', async () => {
    await using place = await fileServer();
    using peer = await place.server.login(Control);
    using guest = await loginAs(place.server, Upload, 'guest');
    assert.deepEqual(await set(peer, { name: 'guest', isDisabled: true }), DONE);
    await guest.waitForClose();
    assert.deepEqual(await set(peer, { name: 'guest', isDisabled: false }), DONE);
    using again = await loginAs(place.server, Upload, 'guest');
    assert.ok(again);
    assert.deepEqual(await set(peer, { name: 'ada', root: '', quotaBytes: null, expires: null }), DONE);
    const ada = (await list(peer)).users.find(({ name }) => name === 'ada');
    assert.deepEqual(ada, { name: 'ada', role: 'user', root: '', isDisabled: false, logins: ['scram'] });
  });

  it('remove a user, and end the connections', async () => {
    await using place = await fileServer();
    using peer = await place.server.login(Control);
    using guest = await loginAs(place.server, Upload, 'guest');
    assert.deepEqual(await remove(peer, 'guest'), ['Command=RemoveUser', 'Code=0']);
    await guest.waitForClose();
    const left = (await list(peer)).users.map(({ name }) => name);
    assert.deepEqual(left, ['ada', 'admin', 'boss']);
    const gone = await remove(peer, 'guest');
    assert.deepEqual(gone, ['Command=RemoveUser', 'Code=6', 'Message=there is no user "guest"']);
  });

  it('let no admin remove, disable, demote or expire himself, so that one is always left', async () => {
    await using place = await fileServer();
    using peer = await place.server.login(Control);
    const before = await readFile(place.file, 'utf8');
    assert.deepEqual(await remove(peer, 'admin'), ['Command=RemoveUser', 'Code=13', `Message=${OWN}`]);
    for (const change of [{ isDisabled: true }, { role: 'user' }, { expires: '2001-01-01' }] as const) {
      const refused = await set(peer, { name: 'admin', ...change });
      assert.deepEqual(refused, ['Command=SetUser', 'Code=13', `Message=${OWN}`]);
    }
    assert.equal(await readFile(place.file, 'utf8'), before);
  });

  it('leave one admin, when two take the role from one another at the same time', async () => {
    await using place = await fileServer();
    using admin = await place.server.login(Control);
    using boss = await loginAs(place.server, Control, 'boss');
    const codes = await Promise.all([
      set(admin, { name: 'boss', role: 'user' }),
      set(boss, { name: 'admin', role: 'user' }),
    ]);
    assert.deepEqual(codes.map(([, code]) => code).sort(), ['Code=0', 'Code=13']);
    const admins = (await readUsersFile(place.file)).filter(({ role }) => role === 'admin');
    assert.equal(admins.length, 1);
  });

  it('answer an admin who has changed his own password, and then end his connections', async () => {
    await using place = await fileServer();
    using peer = await place.server.login(Control);
    using other = await place.server.login(Throughput);
    assert.deepEqual(await set(peer, { name: 'admin', verifier: verifierOf('other') }), DONE);
    peer[Symbol.dispose]();
    await other.waitForClose();
  });

  it('refuse settings that cannot be', async () => {
    await using place = await fileServer();
    using peer = await place.server.login(Control);
    const before = await readFile(place.file, 'utf8');
    const verifier = verifierOf('x');
    for (const bad of [
      { name: '', isNew: true, verifier },
      { name: 'x'.repeat(65), isNew: true, verifier },
      { name: 'a\tb', isNew: true, verifier },
      { name: 'ada', root: '../up' },
      { name: 'ada', root: '.sluice' },
      { name: 'ada', expires: 'tomorrow' },
    ])
      assert.equal((await set(peer, bad))[1], 'Code=6', JSON.stringify(bad));
    assert.equal(await readFile(place.file, 'utf8'), before);
  });

  it('tell nothing of paths when the file cannot be changed; the log does', async () => {
    await using place = await fileServer();
    using peer = await place.server.login(Control);
    await rm(place.file);
    const refused = 'Message=the users file cannot be read or changed: the log of the server says why';
    assert.deepEqual(await set(peer, { name: 'ada', role: 'user' }), ['Command=SetUser', 'Code=4', refused]);
    assert.match((await list(peer)).text, /Code=4/);
    await eventually('the log says why', () =>
      place.server.events.some(({ fields }) => String(fields['detail']).includes(place.file)),
    );
  });

  it('leave one line in the log that says who did what to whom, and no verifier', async () => {
    await using place = await fileServer();
    using peer = await place.server.login(Control);
    const verifier = verifierOf('secret');
    await set(peer, { name: 'new', isNew: true, role: 'user', verifier });
    await set(peer, { name: 'new', quotaBytes: null, isDisabled: true, root: '' });
    await remove(peer, 'new');
    const told = place.server.events.filter(({ event }) => event === 'audit').map(({ fields }) => fields);
    assert.deepEqual(
      told.map(({ user, action, name, role, root, quota, disabled, password }) =>
        [user, action, name, role, root, quota, disabled, password].filter((each) => each !== undefined),
      ),
      [
        ['admin', 'add-user', 'new', 'user', 'new'],
        ['admin', 'set-user', 'new', '/', 'none', true],
        ['admin', 'remove-user', 'new'],
      ],
    );
    const all = JSON.stringify(place.server.events);
    for (const secret of [verifier.storedKey, verifier.serverKey, verifier.salt])
      assert.equal(all.includes(Buffer.from(secret).toString('base64')), false);
  });
});
