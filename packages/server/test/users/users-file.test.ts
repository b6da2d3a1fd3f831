import assert from 'node:assert/strict';
import { chmod, chown, lstat, open, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { LockFile } from '../../../../packages/server/dist/users/lock-file.js';
import { digestOf } from '../../../../packages/server/dist/users/password-verifier.js';
import { UserError } from '../../../../packages/server/dist/users/user-error.js';
import { UserStore } from '../../../../packages/server/dist/users/user-store.js';
import {
  addUser,
  changePassword,
  ownUsersFile,
  readUsersFile,
  removeUser,
} from '../../../../packages/server/dist/users/users-file.js';
import { temporaryDirectory } from '../storage/temporary-directory.js';

function withCode(code: string, message = /users\.json|user/): (error: unknown) => boolean {
  return (error) => error instanceof UserError && error.code === code && message.test(error.message);
}

async function accepts(file: string, name: string, password: string): Promise<boolean> {
  return typeof (await (await UserStore.load(file)).authenticate(name, digestOf(password))) === 'object';
}

async function namesIn(file: string): Promise<string[]> {
  return (await readUsersFile(file)).map(({ name }) => name);
}

describe('a users file', () => {
  it('is made by its first user, for the owner alone, with the directories above, and holds no password', async () => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, 'a/b/users.json');
    await addUser(file, 'ada', 'difference');
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    for (const name of ['a', 'a/b']) assert.equal((await stat(join(directory.path, name))).mode & 0o777, 0o700);
    const text = await readFile(file, 'utf8');
    assert.ok(!text.includes('difference') && !text.includes(digestOf('difference')));
    assert.deepEqual(await readdir(join(directory.path, 'a/b')), ['users.json']);
    assert.equal(await accepts(file, 'ada', 'difference'), true);
    assert.equal(await accepts(file, 'ada', 'other'), false);
  });

  it('is that of the server, below its root', async () => {
    await using directory = await temporaryDirectory();
    await addUser(ownUsersFile(directory.path), 'ada', 'x');
    assert.deepEqual(await namesIn(join(directory.path, '.sluice/users.json')), ['ada']);
    await assert.rejects(UserStore.createWithAdmin(ownUsersFile(directory.path)), withCode('ERR_USERS_FILE', /exists/));
  });

  it('gets and loses users and changes passwords, one at a time', async () => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, 'users.json');
    for (const name of ['ada', 'bob', '__proto__', 'Ada']) await addUser(file, name, `of ${name}`);
    assert.deepEqual(await namesIn(file), ['ada', 'bob', '__proto__', 'Ada']);
    await changePassword(file, 'bob', 'new');
    assert.equal(await removeUser(file, 'ada'), 3);
    assert.deepEqual(await namesIn(file), ['bob', '__proto__', 'Ada']);
    assert.equal(await accepts(file, 'bob', 'new'), true);
    assert.equal(await accepts(file, 'bob', 'of bob'), false);
    assert.equal(await accepts(file, 'ada', 'of ada'), false);
    assert.equal(await accepts(file, '__proto__', 'of __proto__'), true);
    for (const name of ['bob', '__proto__']) await removeUser(file, name);
    assert.equal(await removeUser(file, 'Ada'), 0);
    assert.deepEqual(await namesIn(file), []);
    await addUser(file, 'eve', 'x');
    assert.deepEqual(await namesIn(file), ['eve']);
  });

  it('is left as it is by a change that cannot be', async () => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, 'users.json');
    await addUser(file, 'ada', 'x');
    const before = await stat(file);
    await assert.rejects(addUser(file, 'ada', 'y'), withCode('ERR_USER_EXISTS', /"ada" exists already/));
    await assert.rejects(addUser(file, 'bob', ''), withCode('ERR_USER_PASSWORD', /empty/));
    await assert.rejects(addUser(file, 'a\tb', 'x'), withCode('ERR_USER_NAME', /control character/));
    await assert.rejects(changePassword(file, 'ada', ''), withCode('ERR_USER_PASSWORD', /empty/));
    await assert.rejects(changePassword(file, 'bob', 'y'), withCode('ERR_USER_MISSING', /no user "bob"/));
    await assert.rejects(removeUser(file, 'bob'), withCode('ERR_USER_MISSING', /no user "bob"/));
    assert.deepEqual([(await stat(file)).ino, (await stat(file)).mtimeMs], [before.ino, before.mtimeMs]);
    assert.deepEqual(await readdir(directory.path), ['users.json']);
  });

  it('is made by nothing but adding', async () => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, 'a/users.json');
    for (const work of [
      () => readUsersFile(file),
      () => changePassword(file, 'ada', 'x'),
      () => removeUser(file, 'ada'),
    ]) {
      await assert.rejects(work(), withCode('ERR_USERS_FILE_MISSING', /a\/users\.json: not found/));
    }
    assert.deepEqual(await readdir(directory.path), []);
  });

  for (const [what, text] of [
    ['an empty file', ''],
    ['half a file', '{"users":[{"na'],
    ['another file', '{"names":[]}'],
    ['a file with one bad entry', '{"users":[{"name":"ada","password":"x"}]}'],
  ] as const) {
    it(`is refused and left alone when it is damaged: ${what}`, async () => {
      await using directory = await temporaryDirectory();
      const file = join(directory.path, 'users.json');
      await writeFile(file, text);
      for (const change of [
        () => addUser(file, 'bob', 'x'),
        () => changePassword(file, 'ada', 'x'),
        () => removeUser(file, 'ada'),
      ]) {
        await assert.rejects(
          change(),
          withCode('ERR_USERS_FILE', /users\.json(?::1)?: (is not JSON|has no list|users\[0\])/),
        );
      }
      assert.equal(await readFile(file, 'utf8'), text);
      assert.deepEqual(await readdir(directory.path), ['users.json']);
    });
  }

  it('is replaced as a whole: who has the old one open reads it to its end', async () => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, 'users.json');
    await addUser(file, 'ada', 'x');
    const before = await readFile(file, 'utf8');
    await using old = await open(file);
    await addUser(file, 'bob', 'x');
    assert.equal(await old.readFile('utf8'), before);
  });

  it('keeps its mode and its owner, and what else is in it', async () => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, 'users.json');
    await addUser(file, 'ada', 'x');
    const content = JSON.parse(await readFile(file, 'utf8'));
    content.users[0].comment = 'the first';
    await writeFile(file, JSON.stringify({ version: 7, ...content }));
    await chmod(file, 0o640);
    if (process.getuid?.() === 0) await chown(file, 4711, 4712);
    const before = await stat(file);
    await changePassword(file, 'ada', 'y');
    const after = await stat(file);
    assert.notEqual(after.ino, before.ino);
    assert.deepEqual([after.mode, after.uid, after.gid], [before.mode, before.uid, before.gid]);
    const changed = JSON.parse(await readFile(file, 'utf8'));
    assert.deepEqual([changed.version, changed.users[0].comment], [7, 'the first']);
  });

  it('is replaced where it is when it is named by a link; a link to nothing is refused', async () => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, 'users.json');
    const link = join(directory.path, 'link');
    await symlink('users.json', link);
    await assert.rejects(
      addUser(link, 'ada', 'x'),
      withCode('ERR_USERS_FILE', /is a link to a file that is not there/),
    );
    await addUser(file, 'ada', 'x');
    await addUser(link, 'bob', 'x');
    assert.ok((await lstat(link)).isSymbolicLink());
    assert.deepEqual(await namesIn(file), ['ada', 'bob']);
  });

  it('loses nothing of changes at the same time', async () => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, 'users.json');
    const names = Array.from({ length: 12 }, (_, index) => `user${index}`);
    await Promise.all(names.map((name) => addUser(file, name, 'x')));
    assert.deepEqual((await namesIn(file)).sort(), names.sort());
    await Promise.all(names.slice(1).map((name) => removeUser(file, name)));
    assert.deepEqual(await namesIn(file), names.slice(0, 1));
    assert.deepEqual(await readdir(directory.path), ['users.json']);
  });

  it('lets only one of several make the same user', async () => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, 'users.json');
    const passwords = ['a', 'b', 'c'];
    const results = await Promise.allSettled(passwords.map((password) => addUser(file, 'ada', password)));
    const winners = results.flatMap(({ status }, index) => (status === 'fulfilled' ? [passwords[index]!] : []));
    assert.equal(winners.length, 1);
    assert.equal(await accepts(file, 'ada', winners[0]!), true);
  });

  it('says who keeps it from being changed, and how to go on', async () => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, 'users.json');
    await addUser(file, 'ada', 'x');
    await using _held = await LockFile.acquire(`${file}.lock`, { waitMs: 0 });
    const refused = withCode(
      'ERR_USERS_FILE_LOCKED',
      new RegExp(
        `users\\.json: process ${process.pid} on .* is changing it: try again; .* remove .*/users\\.json\\.lock$`,
      ),
    );
    await assert.rejects(addUser(file, 'bob', 'x', { lockWaitMs: 0 }), refused);
    await assert.rejects(removeUser(file, 'ada', { lockWaitMs: 0 }), refused);
    const abort = new AbortController();
    const waiting = removeUser(file, 'ada', { signal: abort.signal });
    abort.abort(new Error('enough'));
    await assert.rejects(waiting, /enough/);
    assert.deepEqual(await namesIn(file), ['ada']);
  });

  it('comes to its new content although somebody died before it was renamed', async () => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, 'users.json');
    await writeFile(`${file}.tmp`, '{"users":[{"na', { mode: 0o666 });
    await addUser(file, 'ada', 'x');
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.deepEqual(await readdir(directory.path), ['users.json']);
  });

  it('says what the system says when it cannot be written', async () => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, 'users.json');
    await addUser(file, 'ada', 'x');
    await assert.rejects(
      addUser(join(file, 'users.json'), 'ada', 'x'),
      withCode('ERR_USERS_FILE', /cannot be written \(ENOTDIR\)/),
    );
    await assert.rejects(addUser(directory.path, 'ada', 'x'), withCode('ERR_USERS_FILE', /cannot be read/));
  });
});
