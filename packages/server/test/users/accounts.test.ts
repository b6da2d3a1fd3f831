import assert from 'node:assert/strict';
import { mkdir, readdir, rename, stat, symlink, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { addUser, changePassword, changeSettings, removeUser, UserStore } from '@sluice/server';
import { ManualClock, type RawPeer } from '@sluice/testkit';
import { ProtocolFlag } from '@sluice/wire';
import { digestOf } from '../../../../packages/server/dist/users/password-verifier.js';
import { temporaryDirectory } from '../storage/temporary-directory.js';
import { answer, ask, eventually, request, TestServer } from '../support/test-server.js';

type Settings = NonNullable<Parameters<typeof addUser>[3]>['settings'] & object;

interface Place extends AsyncDisposable {
  readonly server: TestServer;
  readonly file: string;
  readonly clock: ManualClock;
  /** Logs in; the password is the name. */
  logIn(flag: number, name: string, password?: string): Promise<{ peer: RawPeer; code: string | undefined }>;
}

async function placeWith(users: Readonly<Record<string, Settings>>): Promise<Place> {
  const directory = await temporaryDirectory();
  const file = `${directory.path}/users.json`;
  for (const [name, settings] of Object.entries(users)) await addUser(file, name, name, { settings });
  const clock = new ManualClock();
  const server = await TestServer.start({
    users: await UserStore.load(file),
    clock,
    idleTimeoutMs: 0,
    firstByteTimeoutMs: 0,
  });
  return {
    server,
    file,
    clock,
    async logIn(flag, name, password = name) {
      const peer = await server.connect();
      const fields: [string, string][] = [
        ['UserName', name],
        ['Password', digestOf(password)],
      ];
      await peer.send(Uint8Array.of(flag), request('Login', fields));
      return { peer, code: (await answer(peer))[1] };
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}

const { Control, Upload } = ProtocolFlag;

function upload(peer: RawPeer, fileName: string, dirName = ''): Promise<string[]> {
  return ask(peer, 'Upload', [
    ['DirName', dirName],
    ['FileName', fileName],
  ]);
}

/** Lets time go by, for who waits for the login guard. */
function passing(clock: ManualClock): Disposable {
  const timer = setInterval(() => clock.advance(500), 1);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

describe('a role', () => {
  it('read-only may list and read, and is refused every change with code 13', async () => {
    await using place = await placeWith({ eve: { role: 'read-only' } });
    const { peer } = await place.logIn(Upload, 'eve');
    const directory: [string, string][] = [
      ['ParentDir', ''],
      ['DirName', 'd'],
    ];
    assert.equal((await upload(peer, 'f'))[1], 'Code=13');
    assert.equal((await ask(peer, 'CreateDir', directory))[1], 'Code=13');
    assert.equal((await ask(peer, 'DeleteDir', directory))[1], 'Code=13');
    assert.equal((await ask(peer, 'DeleteFile', [['DirName', '']]))[1], 'Code=13');
    assert.equal((await ask(peer, 'FileList', [['DirName', '']]))[1], 'Code=0');
    assert.deepEqual(await readdir(place.server.root), []);
  });

  for (const role of ['user', 'read-only', undefined] as const) {
    it(`${role ?? 'that is not given, which is user,'} sees its own connections only, and may act on none and not on the server`, async () => {
      await using place = await placeWith({ ada: role ? { role } : {}, root: { role: 'admin' } });
      const other = await place.logIn(Upload, 'root');
      const own = await place.logIn(Upload, 'ada');
      const { peer } = await place.logIn(Control, 'ada');
      const [, , ...items] = await ask(peer, 'GetClients');
      assert.deepEqual(
        items.map((item) => item.split('\t').slice(2, 4)),
        [
          ['Upload', 'ada'],
          ['Control', 'ada'],
        ],
      );
      const actions: [string, [string, string | number][]][] = [
        ['Kick', [['UserName', 'root']]],
        ['Kick', [['UserName', 'ada']]],
        ['Stats', []],
        ['Drain', []],
        ['ReadOnly', [['Value', 'on']]],
        ['ReadOnly', []],
        ['LogLevel', []],
        ['Reload', []],
      ];
      for (const [command, fields] of actions) assert.equal((await ask(peer, command, fields))[1], 'Code=13', command);
      assert.equal(place.server.events.filter(({ event }) => event === 'audit').length, 0);
      for (const { peer } of [other, own]) assert.equal((await ask(peer, 'Active'))[1], 'Code=0');
    });
  }
});

describe('the root of a user', () => {
  it('is made when it is missing, and all names are below it', async () => {
    await using place = await placeWith({ ada: { role: 'user', root: 'home/ada' }, root: { role: 'admin' } });
    const { peer } = await place.logIn(Upload, 'ada');
    await upload(peer, 'f');
    await ask(peer, 'Eof');
    assert.ok((await stat(place.server.path('home/ada/f'))).isFile());
    await writeFile(place.server.path('outside'), 'x');
    assert.deepEqual((await ask(peer, 'FileList', [['DirName', '']])).slice(2), ['Item=f\u00010']);
    for (const name of ['..', '../..', '/', '../../outside'])
      assert.equal((await ask(peer, 'FileList', [['DirName', name]]))[1], 'Code=6', name);
    assert.equal((await upload(peer, '../g'))[1], 'Code=6');
    const admin = await place.logIn(Upload, 'root');
    assert.deepEqual((await ask(admin.peer, 'FileList', [['DirName', 'home/ada']])).slice(2), ['Item=f\u00010']);
  });

  it('shares the table of open files with the roots above: a file is in use by whatever name it was opened', async () => {
    await using place = await placeWith({ ada: { role: 'user', root: 'home/ada' }, root: { role: 'admin' } });
    const ada = await place.logIn(Upload, 'ada');
    await upload(ada.peer, 'f');
    const admin = await place.logIn(Upload, 'root');
    const removed = await ask(admin.peer, 'DeleteFile', [
      ['DirName', 'home/ada'],
      ['Item', 'f'],
    ]);
    assert.equal(removed[1], `Code=${0x02000007}`);
  });

  it('that is a link is refused: the login fails with an answer, and nobody gets out', async () => {
    await using place = await placeWith({ ada: { role: 'user', root: 'home' } });
    await using outside = await temporaryDirectory();
    await symlink(outside.path, place.server.path('home'));
    const { peer, code } = await place.logIn(Upload, 'ada');
    assert.notEqual(code, 'Code=0');
    assert.equal((await ask(peer, 'FileList', [['DirName', '']]))[1], 'Code=8');
  });

  it('that was replaced by another directory is the new one for the next login', async () => {
    await using place = await placeWith({ ada: { role: 'user', root: 'home' } });
    const first = await place.logIn(Upload, 'ada');
    await rename(place.server.path('home'), place.server.path('old'));
    await mkdir(place.server.path('home'));
    const second = await place.logIn(Upload, 'ada');
    await upload(first.peer, 'one');
    await upload(second.peer, 'two');
    assert.deepEqual(await readdir(place.server.path('old')), ['one']);
    assert.deepEqual(await readdir(place.server.path('home')), ['two']);
  });

  it('below a user root may have a directory of the name that is reserved in the root of the server', async () => {
    await using place = await placeWith({ ada: { role: 'user', root: 'home' }, root: { role: 'admin' } });
    const make: [string, string][] = [
      ['ParentDir', ''],
      ['DirName', '.sluice'],
    ];
    assert.equal((await ask((await place.logIn(Upload, 'ada')).peer, 'CreateDir', make))[1], 'Code=0');
    assert.equal((await ask((await place.logIn(Upload, 'root')).peer, 'CreateDir', make))[1], 'Code=6');
  });
});

describe('a quota', () => {
  it('lets so many bytes in, then refuses with code 14 and keeps what fits', async () => {
    await using place = await placeWith({ ada: { role: 'user', root: 'home', quota: 1000 } });
    await mkdir(place.server.path('home'));
    await writeFile(place.server.path('home/there'), new Uint8Array(400));
    const { peer } = await place.logIn(Upload, 'ada');
    await upload(peer, 'f');
    await peer.send(request('Data', [], new Uint8Array(600)));
    assert.equal((await ask(peer, 'Eof'))[1], 'Code=0');
    await upload(peer, 'f');
    await peer.send(request('Data', [], new Uint8Array(1)));
    assert.deepEqual((await answer(peer)).slice(0, 2), ['Command=Data', 'Code=14']);
    await peer.waitForClose();
    assert.equal((await stat(place.server.path('home/f'))).size, 600);
  });

  it('holds for all sessions of the user together', async () => {
    await using place = await placeWith({ ada: { role: 'user', root: 'home', quota: 1000 } });
    const one = await place.logIn(Upload, 'ada');
    const two = await place.logIn(Upload, 'ada');
    await upload(one.peer, 'a');
    await upload(two.peer, 'b');
    await one.peer.send(request('Data', [], new Uint8Array(700)));
    await ask(one.peer, 'Active');
    await two.peer.send(request('Data', [], new Uint8Array(700)));
    assert.deepEqual((await answer(two.peer)).slice(0, 2), ['Command=Data', 'Code=14']);
  });

  it('holds for remote files too: a write or a new size that goes beyond is refused, and the file stays open', async () => {
    await using place = await placeWith({ ada: { role: 'user', root: 'home', quota: 1000 } });
    const { peer } = await place.logIn(ProtocolFlag.RemoteStream, 'ada');
    await ask(peer, 'OpenFile', [
      ['FileName', 'f'],
      ['Mode', 1],
    ]);
    assert.equal((await ask(peer, 'Write', [], new Uint8Array(900)))[1], 'Code=0');
    assert.equal((await ask(peer, 'Write', [], new Uint8Array(101)))[1], 'Code=14');
    assert.equal((await ask(peer, 'SetSize', [['Size', 1001]]))[1], 'Code=14');
    assert.equal((await ask(peer, 'SetPosition', [['Position', 0]]))[1], 'Code=0');
    assert.equal((await ask(peer, 'Write', [], new Uint8Array(900)))[1], 'Code=0', 'no growth');
    assert.equal((await ask(peer, 'Write', [], new Uint8Array(100)))[1], 'Code=0');
    assert.equal((await stat(place.server.path('home/f'))).size, 1000);
  });

  it('gives back what was removed, once it is measured again', async () => {
    await using place = await placeWith({ ada: { role: 'user', root: 'home', quota: 1000 } });
    const { peer } = await place.logIn(Upload, 'ada');
    await upload(peer, 'a');
    await peer.send(request('Data', [], new Uint8Array(1000)));
    await ask(peer, 'Eof');
    const remove = [
      ['DirName', ''],
      ['Item', 'a'],
    ] as [string, string][];
    assert.equal((await ask(peer, 'DeleteFile', remove))[1], 'Code=0');
    place.clock.advance(5000);
    await upload(peer, 'b');
    await peer.send(request('Data', [], new Uint8Array(1000)));
    assert.equal((await ask(peer, 'Eof'))[1], 'Code=0');
  });
});

describe('a user who may not log in', () => {
  for (const [title, settings, reason] of [
    ['is disabled', { role: 'user', disabled: true }, 'disabled'],
    ['has expired', { role: 'user', expires: '2020-01-01T00:00:00Z' }, 'expired'],
  ] as const) {
    it(`because it ${title} gets the answer of a wrong password; only the log tells why`, async () => {
      await using place = await placeWith({ ada: settings, bob: { role: 'user' } });
      const fields = (name: string, password: string): [string, string][] => [
        ['UserName', name],
        ['Password', digestOf(password)],
      ];
      const answers: string[][] = [];
      for (const [name, password] of [
        ['ada', 'ada'],
        ['ada', 'wrong'],
        ['nobody', 'ada'],
      ] as const) {
        using peer = await place.server.connect();
        await peer.send(Uint8Array.of(Upload), request('Login', fields(name, password)));
        using _time = passing(place.clock);
        answers.push(await answer(peer));
      }
      assert.deepEqual(answers[0], ['Command=Login', 'Code=7', 'Message=']);
      assert.deepEqual(answers, [answers[0], answers[0], answers[0]]);
      const reasons = place.server.events
        .filter(({ event }) => event === 'login refused')
        .map(({ fields }) => fields['reason']);
      assert.deepEqual(reasons, [reason, 'wrong', 'wrong']);
    });
  }

  it('is cut off after ten attempts on one connection', async () => {
    await using place = await placeWith({ ada: { role: 'user' } });
    using peer = await place.server.connect();
    await peer.send(Uint8Array.of(Upload));
    using _time = passing(place.clock);
    for (let attempt = 0; attempt < 10; attempt += 1) {
      const fields: [string, string][] = [
        ['UserName', 'ada'],
        ['Password', 'no digest'],
      ];
      assert.equal((await ask(peer, 'Login', fields))[1], 'Code=7');
    }
    await peer.waitForClose();
    const { closed } = place.server.server.listener.counters;
    await eventually('it is counted', () => closed.get('too-many-logins') === 1);
  });
});

describe('a change of the users file', () => {
  it('is seen by itself: a new user may log in, a new role holds from the next request on', async () => {
    await using place = await placeWith({ ada: { role: 'user' } });
    const { peer } = await place.logIn(Upload, 'ada');
    assert.equal((await upload(peer, 'f'))[1], 'Code=0');
    await addUser(place.file, 'bob', 'bob');
    await changeSettings(place.file, 'ada', { role: 'read-only' });
    place.clock.advance(2000);
    await eventually('it was read', () => place.server.events.some(({ event }) => event === 'reloaded'));
    assert.equal((await upload(peer, 'g'))[1], 'Code=13');
    assert.equal((await place.logIn(Upload, 'bob')).code, 'Code=0');
  });

  for (const [title, change] of [
    ['is removed', (file: string) => removeUser(file, 'ada')],
    ['is disabled', (file: string) => changeSettings(file, 'ada', { disabled: true })],
    ['gets another password', (file: string) => changePassword(file, 'ada', 'other')],
    ['gets another root', (file: string) => changeSettings(file, 'ada', { root: 'elsewhere' })],
  ] as const) {
    it(`ends the connections of a user who ${title}, and no others`, async () => {
      await using place = await placeWith({ ada: { role: 'user' }, bob: { role: 'user' } });
      const ada = await place.logIn(Upload, 'ada');
      const bob = await place.logIn(Upload, 'bob');
      await change(place.file);
      assert.deepEqual(await place.server.server.reload(), [{ name: 'users', isOk: true, message: '' }]);
      await ada.peer.waitForClose();
      assert.equal((await ask(bob.peer, 'Active'))[1], 'Code=0');
      const { closed } = place.server.server.listener.counters;
      await eventually('it is counted', () => closed.get('user-changed') === 1);
    });
  }

  it('that makes it bad leaves the users as they were, and says which line is wrong', async () => {
    await using place = await placeWith({ ada: { role: 'user' } });
    await writeFile(place.file, '{\n  "users": [\n    { "name": "ada", "role": "boss" }\n  ]\n}\n');
    const [result] = await place.server.server.reload();
    assert.equal(result?.isOk, false);
    assert.match(result?.message ?? '', /users\.json:3: users\[0\] has neither/);
    assert.equal((await place.logIn(Upload, 'ada')).code, 'Code=0');
    await writeFile(place.file, '{\n  "users": [\n    ada\n  ]\n}\n');
    assert.match((await place.server.server.reload())[0]?.message ?? '', /users\.json:3: is not JSON/);
    const before = place.server.events.length;
    place.clock.advance(10_000);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(place.server.events.length, before, 'it is not read again until it changes again');
  });

  it('ends the connections of a user whose time is over', async () => {
    await using place = await placeWith({ ada: { role: 'user' } });
    const { peer, code } = await place.logIn(Upload, 'ada');
    assert.equal(code, 'Code=0');
    const expires = new Date(Date.now() + 500).toISOString();
    await changeSettings(place.file, 'ada', { expires });
    await place.server.server.reload();
    await eventually('the time is over', () => Date.now() > Date.parse(expires));
    place.clock.advance(30_000);
    await peer.waitForClose();
  });
});
