import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createVerifier, digestOf } from '../../../../packages/server/dist/users/password-verifier.js';
import { UserError } from '../../../../packages/server/dist/users/user-error.js';
import { parseUserOption, UserStore } from '../../../../packages/server/dist/users/user-store.js';
import { temporaryDirectory } from '../storage/temporary-directory.js';

function withCode(code: string, message: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof UserError && error.code === code && message.test(error.message);
}

async function msOf(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

async function lets(store: UserStore, name: string, digest: string): Promise<boolean> {
  return typeof (await store.authenticate(name, digest)) === 'object';
}

describe('UserStore.authenticate', () => {
  it('accepts the digest of the password, in either case, for this user only (4.2)', async () => {
    const store = await UserStore.fromPairs([
      { name: 'admin', password: 'admin' },
      { name: 'bob', password: 'bobs' },
    ]);
    assert.equal(await lets(store, 'admin', '21232f297a57a5a743894a0e4a801fc3'), true);
    assert.equal(await lets(store, 'admin', '21232F297A57A5A743894A0E4A801FC3'), true);
    assert.equal(await lets(store, 'bob', digestOf('bobs')), true);
    assert.equal(await lets(store, 'bob', digestOf('admin')), false);
    assert.equal(await lets(store, 'admin', digestOf('bobs')), false);
  });

  it('does not accept any user name with one built-in password (D24)', async () => {
    const store = await UserStore.fromPairs([{ name: 'admin', password: 'admin' }]);
    for (const name of ['Admin', 'ADMIN', '', 'nobody', 'admin ', '__proto__']) {
      assert.equal(await lets(store, name, digestOf('admin')), false, name);
    }
  });

  it('takes whatever is no digest for wrong', async () => {
    const store = await UserStore.fromPairs([{ name: 'admin', password: 'admin' }]);
    const digest = digestOf('admin');
    for (const text of ['', 'admin', `${digest} `, `${digest}\n`, digest.slice(1), `${digest}0`, '目'.repeat(32)]) {
      assert.equal(await lets(store, 'admin', text), false);
    }
  });

  it('accepts nobody when there are no users', async () => {
    const store = await UserStore.fromPairs([]);
    assert.equal(await lets(store, 'admin', digestOf('admin')), false);
  });

  it('still refuses a wrong password after a right one', async () => {
    const store = await UserStore.fromPairs([{ name: 'admin', password: 'right' }]);
    assert.equal(await lets(store, 'admin', digestOf('right')), true);
    assert.equal(await lets(store, 'admin', digestOf('wrong')), false);
    assert.equal(await lets(store, 'nobody', digestOf('right')), false);
    assert.equal(await lets(store, 'admin', digestOf('right')), true);
  });

  it('answers a login that was right before at once, and no other', async () => {
    const store = await UserStore.fromPairs([{ name: 'admin', password: 'right' }]);
    const slowMs = await msOf(() => store.authenticate('admin', digestOf('right')));
    const againMs = await msOf(async () => {
      for (let index = 0; index < 20; index += 1) await store.authenticate('admin', digestOf('right'));
    });
    const wrongMs = await msOf(() => store.authenticate('admin', digestOf('wrong')));
    const nobodyMs = await msOf(() => store.authenticate('nobody', digestOf('right')));
    assert.ok(againMs / 20 < slowMs / 5, `${againMs / 20} ms against ${slowMs} ms`);
    assert.ok(wrongMs > slowMs / 4, `${wrongMs} ms against ${slowMs} ms`);
    assert.ok(nobodyMs > slowMs / 4, `${nobodyMs} ms against ${slowMs} ms`);
  });
});

describe('UserStore.fromPairs', () => {
  it('refuses names that cannot be, and one name twice, without telling the password', async () => {
    const password = 'hush';
    for (const name of ['', 'a\tb', 'a\r\nb', 'a\0', '\u0085', 'x'.repeat(65)]) {
      const refused = withCode('ERR_USER_NAME', /^(?!.*hush)/);
      await assert.rejects(UserStore.fromPairs([{ name, password }]), refused);
    }
    const twice = [
      { name: 'a', password },
      { name: 'a', password },
    ];
    await assert.rejects(UserStore.fromPairs(twice), withCode('ERR_USER_NAME', /"a" is given twice/));
  });

  it('accepts names of 64 characters of any script', async () => {
    const name = '😀'.repeat(64);
    const store = await UserStore.fromPairs([{ name, password: 'x' }]);
    assert.equal(await lets(store, name, digestOf('x')), true);
  });
});

describe('UserStore.load', () => {
  it('reads users and their verifiers', async () => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, 'users.json');
    const verifier = await createVerifier(digestOf('secret'));
    await writeFile(file, JSON.stringify({ users: [{ name: 'bob', verifier }] }));
    const store = await UserStore.load(file);
    assert.equal(await lets(store, 'bob', digestOf('secret')), true);
  });

  it('tells a missing file from one that cannot be read', async () => {
    await using directory = await temporaryDirectory();
    const missing = join(directory.path, 'users.json');
    await assert.rejects(UserStore.load(missing), withCode('ERR_USERS_FILE_MISSING', /users\.json: not found/));
    await assert.rejects(UserStore.load(directory.path), withCode('ERR_USERS_FILE', /cannot be read/));
  });

  const verifier = {
    kdf: 'scrypt',
    n: 1024,
    r: 8,
    p: 1,
    salt: Buffer.alloc(16).toString('base64'),
    hash: Buffer.alloc(32).toString('base64'),
  };
  const bad: [string, string, RegExp][] = [
    ['text', 'admin:admin', /is not JSON/],
    ['a list', '[]', /no list "users"/],
    ['null', 'null', /no list "users"/],
    ['users that are no list', '{"users":{}}', /no list "users"/],
    ['a user that is text', '{"users":["bob"]}', /users\[0\] is not an object/],
    ['a user without a name', '{"users":[{}]}', /users\[0\] has no "name"/],
    ['a bad name', '{"users":[{"name":"a\\tb"}]}', /users\[0\]: the name has a control character/],
    ['a plain password', '{"users":[{"name":"a","password":"x"}]}', /users\[0\] has neither "verifier" nor "scram"/],
    ['a verifier that is text', '{"users":[{"name":"a","verifier":"x"}]}', /users\[0\]: "verifier" is not an object/],
    [
      'a bad verifier for SCRAM',
      JSON.stringify({ users: [{ name: 'a', verifier, scram: { iterations: 4095 } }] }),
      /users\[0\]: "scram" has "iterations" that are not a number from 4096 to 10000000/,
    ],
    ['a bad key for decoys', '{"users":[],"decoyKey":"AAAA"}', /"decoyKey" that is not base64 of 32 bytes/],
    ['a bad verifier', JSON.stringify({ users: [{ name: 'a', verifier: { ...verifier, r: 99 } }] }), /"r" outside/],
    [
      'a name twice',
      JSON.stringify({ users: ['a', 'a'].map((name) => ({ name, verifier })) }),
      /users\[1\]: the name "a" is there twice/,
    ],
  ];
  for (const [what, text, message] of bad) {
    it(`names the file and what is wrong for ${what}`, async () => {
      await using directory = await temporaryDirectory();
      const file = join(directory.path, 'users.json');
      await writeFile(file, text);
      await assert.rejects(UserStore.load(file), withCode('ERR_USERS_FILE', message));
      await assert.rejects(UserStore.load(file), withCode('ERR_USERS_FILE', /users\.json/));
    });
  }
});

describe('UserStore.createWithAdmin', () => {
  it('makes a file for the owner alone, which holds no password, and loads again', async () => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, 'state/users.json');
    const { store, password } = await UserStore.createWithAdmin(file);
    assert.match(password, /^[a-hjkmnp-z2-9]{20}$/);
    assert.equal(await lets(store, 'admin', digestOf(password)), true);
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.equal((await stat(join(directory.path, 'state'))).mode & 0o777, 0o700);
    const text = await readFile(file, 'utf8');
    assert.ok(!text.includes(password) && !text.includes(digestOf(password)));
    assert.deepEqual(await readdir(join(directory.path, 'state')), ['users.json']);
    const loaded = await UserStore.load(file);
    assert.equal(await lets(loaded, 'admin', digestOf(password)), true);
    assert.equal(await lets(loaded, 'admin', digestOf('admin')), false);
  });

  it('never replaces a file that is there, and leaves nothing behind when it fails', async () => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, 'users.json');
    await writeFile(file, 'precious');
    await assert.rejects(UserStore.createWithAdmin(file), withCode('ERR_USERS_FILE', /exists already/));
    assert.equal(await readFile(file, 'utf8'), 'precious');
    const below = join(file, 'users.json');
    await assert.rejects(UserStore.createWithAdmin(below), withCode('ERR_USERS_FILE', /cannot be written/));
    await mkdir(join(directory.path, 'empty'));
    assert.deepEqual((await readdir(directory.path)).sort(), ['empty', 'users.json']);
  });
});

describe('parseUserOption', () => {
  it('splits at the first colon', () => {
    assert.deepEqual(parseUserOption('admin:admin'), { name: 'admin', password: 'admin' });
    assert.deepEqual(parseUserOption('a:b:c:'), { name: 'a', password: 'b:c:' });
    assert.deepEqual(parseUserOption('目: x '), { name: '目', password: ' x ' });
  });

  it('whatever the text: gives it back in two parts, or an error that does not hold any of it', () => {
    const secret = fc.stringMatching(/^[A-Z0-9]{6,20}$/);
    const text = fc.oneof(
      secret,
      secret.map((password) => `:${password}`),
      secret.map((password) => `a\tb:${password}`),
      fc.tuple(secret, secret).map((parts) => parts.join(':')),
    );
    fc.assert(
      fc.property(text, (given) => {
        try {
          const { name, password } = parseUserOption(given);
          assert.equal(`${name}:${password}`, given);
        } catch (error) {
          assert.ok(error instanceof UserError && error.code === 'ERR_USER_OPTION');
          for (const part of given.split(':')) assert.ok(part === '' || !error.message.includes(part));
        }
      }),
    );
  });

  for (const [text, message] of [
    ['secret', /there is no colon/],
    [':secret', /the name is empty/],
    ['name:', /the password is empty/],
    [`${'x'.repeat(65)}:secret`, /above 64/],
    ['a\tb:secret', /control character/],
  ] as const) {
    it(`says what is wrong with ${JSON.stringify(text).slice(0, 20)}`, () => {
      assert.throws(() => parseUserOption(text), withCode('ERR_USER_OPTION', message));
    });
  }
});
