import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import { finished, runSluice, SLUICE_PATH, type SluiceOptions, startSluice } from './support/sluice-process.js';

const DONE = { code: 0, stdout: '', stderr: '' };

/** A running server sees a change within some seconds. */
async function until(code: number, run: () => Promise<{ readonly code: number | null }>): Promise<void> {
  for (let attempt = 0; attempt < 40; attempt += 1) if ((await run()).code === code) return;
  assert.fail(`the exit code is never ${code}`);
}

/** What stands in the first column, of two blanks between columns. */
function namesOf(table: string): string[] {
  return table
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => line.split(/ {2,}/)[0] ?? '');
}

describe('sluice user', { concurrency: 2 }, () => {
  it('makes a file whose new user a server accepts, and whose removed one it refuses', async () => {
    await using place = await Place.make();
    await writeFile(place.path('ada.txt'), 'the difference engine\nsecond line\n');
    const add = ['user', 'add', 'ada', '--users', 'conf/users.json', '--password-file', 'ada.txt'];
    assert.deepEqual(await place.sluice(add), DONE);
    assert.equal((await stat(place.path('conf/users.json'))).mode & 0o777, 0o600);
    assert.equal((await stat(place.path('conf'))).mode & 0o777, 0o700);
    const bob = await place.sluice(['user', 'add', 'bob', '--users', 'conf/users.json', '--generate']);
    assert.match(bob.stdout, /^[a-hjkmnp-z2-9]{20}\n$/);
    const bobs = bob.stdout.trim();
    const text = await readFile(place.path('conf/users.json'), 'utf8');
    assert.ok(!text.includes('difference') && !text.includes(bobs));

    const changed = await (async () => {
      await using first = await place.serve('--users', 'conf/users.json');
      assert.equal((await first.ls('ada', 'the difference engine')).code, 0);
      assert.equal((await first.ls('bob', bobs)).code, 0);
      assert.deepEqual(await place.sluice(['user', 'rm', 'bob', '--users', 'conf/users.json']), DONE);
      const passwd = await place.sluice(['user', 'passwd', 'ada', '--generate', '--users', 'conf/users.json']);
      await until(5, () => first.ls('bob', bobs));
      return passwd;
    })();

    await using second = await place.serve('--users', 'conf/users.json');
    assert.equal((await second.ls('bob', bobs)).code, 5);
    assert.equal((await second.ls('ada', changed.stdout.trim())).code, 0);
    assert.equal((await second.ls('ada', 'the difference engine')).code, 5);
  });

  it('keeps the own file of a server, below its root', async () => {
    await using place = await Place.make();
    const { stdout } = await place.sluice(['user', 'add', 'ada', '--generate']);
    assert.deepEqual(await readdir(place.path('files/.sluice')), ['users.json']);
    assert.equal((await stat(place.path('files/.sluice'))).mode & 0o777, 0o700);
    assert.equal((await stat(place.path('files'))).mode & 0o777, 0o777 & ~process.umask());
    await using server = await place.serve('--root', 'files');
    assert.equal((await server.ls('ada', stdout.trim())).code, 0);
    assert.equal(
      (await place.sluice(['user', 'list', '--root', place.path('files')])).stdout,
      'NAME  ROLE  STATUS  ROOT  QUOTA  EXPIRES  LOGIN\nada   user  active  /         -  -        scram digest\n',
    );
    // the one that the server itself has made
    await mkdir(place.path('other'));
    await using other = await place.serve('--root', 'other');
    await other[Symbol.asyncDispose]();
    assert.equal(
      (await place.sluice(['user', 'list', '--root', 'other'])).stdout,
      'NAME   ROLE   STATUS  ROOT  QUOTA  EXPIRES  LOGIN\nadmin  admin  active  /         -  -        scram digest\n',
    );
    const admin = await place.sluice(['user', 'passwd', 'admin', '--root', 'other', '--generate']);
    await using again = await place.serve('--root', 'other');
    assert.equal((await again.ls('admin', admin.stdout.trim())).code, 0);
  });

  it('lists users in a table, escaped, and as they are in JSON', async () => {
    await using place = await Place.make();
    const names = ['ada', 'bob b', 'abc\u202edef', 'grün'];
    for (const name of names) await place.add(name);
    const listed = await place.sluice(['user', 'list', '--users', 'users.json']);
    assert.deepEqual([listed.code, listed.stderr], [0, '']);
    assert.deepEqual(namesOf(listed.stdout), ['ada', 'bob b', 'abc\\u202edef', 'grün']);
    const { stdout } = await place.sluice(['user', '--json', 'list', '--users', 'users.json']);
    assert.equal(
      stdout,
      names.map((name) => `${JSON.stringify({ name, role: 'user', logins: ['scram', 'digest'] })}\n`).join(''),
    );
  });

  it('does not lose a change when several are made at once', async () => {
    await using place = await Place.make();
    const names = Array.from({ length: 6 }, (_, index) => `user${index}`);
    for (const { code } of await Promise.all(names.map((name) => place.add(name)))) assert.equal(code, 0);
    const { stdout } = await place.sluice(['user', 'list', '--users', 'users.json']);
    assert.deepEqual(namesOf(stdout).sort(), names);
    assert.deepEqual(await readdir(place.path()), ['users.json']);
  });

  it('says that the last user is gone', async () => {
    await using place = await Place.make();
    await place.add('ada');
    const { code, stderr } = await place.sluice(['user', 'rm', 'ada', '--users', 'users.json']);
    assert.deepEqual([code, stderr], [0, 'sluice: users.json has no users any more: nobody can log in\n']);
  });

  const usageMistakes: readonly [string, readonly string[], string][] = [
    ['nothing to do', [], 'user needs to know what to do: add, passwd, set, disable, enable or rm NAME, or list'],
    [
      'something unknown',
      ['sudo', 'x'],
      'unknown user command sudo: there are add, passwd, set, disable, enable, rm and list',
    ],
    ['something misspelt', ['pass wd'], 'unknown user command pass wd: did you mean passwd?'],
    ['no name', ['add'], 'user add needs a name: sluice user add NAME'],
    ['a name for list', ['list', 'ada'], 'user list takes no name: ada'],
    ['a password', ['add', 'ada', 'secret'], 'user add takes one name: a password is never given on the command line'],
    ['two names to remove', ['rm', 'ada', 'bob'], 'user rm takes one name: call it once for each'],
    ['two files', ['list', '--users', 'a', '--root', 'b'], 'name the file by --users or by --root, not by both'],
    [
      'two passwords',
      ['add', 'ada', '--generate', '--password-file', 'x'],
      'give the password by --password-file or by --generate, not by both',
    ],
    ['a password to remove', ['rm', 'ada', '--generate'], '--generate is for user add and passwd only'],
    ['JSON of what has no result', ['rm', 'ada', '--json'], '--json is for user list only'],
    [
      'a name that cannot be',
      ['add', 'a\tb', '--generate'],
      'user a\\tb cannot be added: the name has a control character',
    ],
    ['an empty name', ['add', '', '--generate'], 'user "" cannot be added: the name is empty'],
  ];
  for (const [what, args, message] of usageMistakes) {
    it(`answers ${what} with one line and exit code 2`, async () => {
      await using place = await Place.make();
      const result = await place.sluice(['user', ...args]);
      assert.deepEqual(result, { code: 2, stdout: '', stderr: `sluice: ${message}\n` });
      assert.deepEqual(await readdir(place.path()), []);
    });
  }

  it('answers each other mistake with one line and exit code 1, and leaves the file alone', async () => {
    await using place = await Place.make();
    await place.add('ada');
    await place.add("o'neil");
    await writeFile(place.path('empty.txt'), '\nsecret\n');
    await writeFile(place.path('bad.json'), '{');
    const before = await readFile(place.path('users.json'), 'utf8');
    const mistakes: readonly [readonly string[], string][] = [
      [['add', 'ada'], 'user ada exists already: change the password with sluice user passwd ada'],
      [['add', "o'neil"], "user o'neil exists already: change the password with sluice user passwd 'o'\\''neil'"],
      [['passwd', 'bob'], 'there is no user bob: sluice user list shows who is there'],
      [['rm', 'bob'], 'there is no user bob: sluice user list shows who is there'],
      [['passwd', 'ada', '--password-file', 'empty.txt'], 'the first line of empty.txt is empty: it is the password'],
      [
        ['passwd', 'ada', '--password-file', 'no.txt'],
        'cannot read the password file no.txt: no such file or directory',
      ],
    ];
    for (const [args, message] of mistakes) {
      const result = await place.sluice(['user', ...args, '--users', 'users.json']);
      assert.deepEqual(result, { code: 1, stdout: '', stderr: `sluice: ${message}\n` });
    }
    const elsewhere: readonly [readonly string[], string][] = [
      [['list', '--users', 'no.json'], 'users file no.json: not found: sluice user add NAME makes it'],
      [['list'], 'users file files/.sluice/users.json: not found: sluice user add NAME makes it'],
      [['rm', 'ada', '--users', 'bad.json'], 'users file bad.json:1: is not JSON'],
      [['add', 'bob', '--generate', '--users', 'bad.json'], 'users file bad.json:1: is not JSON'],
      [
        ['add', 'bob', '--generate', '--root', 'no'],
        'the root no does not exist: create it (mkdir -p no) or name another with --root',
      ],
      [['add', 'bob', '--generate', '--users', 'bad.json/x'], 'users file bad.json/x: cannot be read'],
    ];
    for (const [args, message] of elsewhere) {
      const result = await place.sluice(['user', ...args]);
      assert.deepEqual(result, { code: 1, stdout: '', stderr: `sluice: ${message}\n` });
    }
    assert.equal(await readFile(place.path('users.json'), 'utf8'), before);
    assert.equal(await readFile(place.path('bad.json'), 'utf8'), '{');
    assert.deepEqual((await readdir(place.path())).sort(), ['bad.json', 'empty.txt', 'users.json']);
  });

  it('does not take the password of another user from SLUICE_PASSWORD', async () => {
    await using place = await Place.make();
    const args = ['user', 'add', 'ada', '--users', 'users.json'];
    assert.deepEqual(await place.sluice(args, { env: { SLUICE_PASSWORD: 'mine' } }), {
      code: 2,
      stdout: '',
      stderr: 'sluice: no password for ada: give --password-file or --generate\n',
    });
    assert.deepEqual(await readdir(place.path()), []);
  });

  it('waits for a change that goes on, and ends at a signal without one of its own', async () => {
    await using place = await Place.make();
    await place.add('ada');
    // of a machine that nobody here can ask
    const lock = place.path('users.json.lock');
    await symlink('elsewhere||1||0123456789abcdef', lock);
    const child = startSluice(['user', 'rm', 'ada', '--users', 'users.json'], { cwd: place.path() });
    const ended = finished(child);
    await handlesSignals(child.pid!);
    child.kill('SIGTERM');
    assert.deepEqual(await ended, { code: 130, stdout: '', stderr: 'sluice: interrupted: nothing was changed\n' });
    const blocked = await place.sluice(['user', 'rm', 'ada', '--users', 'users.json']);
    assert.equal(blocked.code, 1);
    assert.equal(
      blocked.stderr,
      `sluice: users file users.json: process 1 on elsewhere is changing it: try again; if that process is gone, remove ${lock}\n`,
    );
    await rm(lock);
    assert.equal((await place.sluice(['user', 'rm', 'ada', '--users', 'users.json'])).code, 0);
  });

  it('changes what users may do, and a running server sees it', async () => {
    await using place = await Place.make();
    const password = (await place.add('ada')).stdout.trim();
    await using served = await place.serve('--users', 'users.json');
    const set = (...args: string[]) => place.sluice(['user', ...args, '--users', 'users.json']);
    const listed = async () => (await set('list')).stdout.split('\n')[1]?.split(/ {2,}/);
    const settings = ['--role', 'read-only', '--user-root', 'home/ada', '--quota', '2G', '--expires', '2099-01-31'];
    assert.deepEqual(await set('set', 'ada', ...settings), DONE);
    assert.deepEqual(await listed(), [
      'ada',
      'read-only',
      'active',
      'home/ada',
      '2.00 GiB',
      '2099-01-31',
      'scram digest',
    ]);
    assert.deepEqual(await set('set', 'ada', '--user-root', '/', '--quota', 'none', '--expires', 'never'), DONE);
    assert.deepEqual(await listed(), ['ada', 'read-only', 'active', '/', '-', '-', 'scram digest']);
    assert.deepEqual(await set('disable', 'ada'), DONE);
    assert.equal((await listed())?.[2], 'disabled');
    await until(5, () => served.ls('ada', password));
    assert.deepEqual(await set('enable', 'ada'), DONE);
    await until(0, () => served.ls('ada', password));
  });

  for (const [title, args, message] of [
    ['nothing to set', ['set', 'ada'], 'user set needs to know what: --role, --user-root, --quota or --expires'],
    ['no size', ['set', 'ada', '--quota', 'much'], '--quota much cannot be used: give a size like 10G, or none'],
    ['a root outside', ['set', 'ada', '--user-root', '../x'], /--user-root is not a directory below the root/],
    ['no time', ['set', 'ada', '--expires', 'tomorrow'], /--expires is not a time like/],
    ['no role', ['add', 'ada', '--role', 'boss'], '--role boss cannot be used: give one of admin, user, read-only'],
    ['an option of others', ['rm', 'ada', '--quota', '1G'], '--quota is for user add and set only'],
  ] as const) {
    it(`refuses ${title} with exit code 2`, async () => {
      await using place = await Place.make();
      const { code, stderr } = await place.sluice(['user', ...args, '--users', 'users.json']);
      assert.equal(code, 2);
      assert.match(stderr, typeof message === 'string' ? new RegExp(message.replaceAll(/[.?]/g, '\\$&')) : message);
    });
  }
});

describe('sluice user on a terminal', { concurrency: 2 }, () => {
  it('asks for the new password twice, without showing it', async () => {
    await using place = await Place.make();
    await using terminal = new Terminal(place, ['user', 'add', 'ada', '--users', 'users.json']);
    await terminal.until(/New password for ada: $/);
    terminal.type('diffx\x7ference\r');
    await terminal.until(/The same again: $/);
    terminal.type('difference\r');
    assert.equal(await terminal.exitCode, 0, terminal.output);
    assert.equal(terminal.output, 'New password for ada: \r\nThe same again: \r\n');
    await using server = await place.serve('--users', 'users.json');
    assert.equal((await server.ls('ada', 'difference')).code, 0);
  });

  it('takes what is typed ahead', async () => {
    await using place = await Place.make();
    await using terminal = new Terminal(place, ['user', 'add', 'ada', '--users', 'users.json']);
    await terminal.until(/New password for ada: $/);
    terminal.type('difference\rdifference\r');
    assert.equal(await terminal.exitCode, 0, terminal.output);
  });

  for (const [what, keys, code, message] of [
    ['two different passwords', 'one\rtwo\r', 1, 'these were two different passwords: nothing was changed'],
    ['an empty password', '\r', 1, 'an empty password is not accepted'],
    ['Ctrl-C', 'one\r\x03', 130, 'interrupted'],
  ] as const) {
    it(`refuses ${what}`, async () => {
      await using place = await Place.make();
      await using terminal = new Terminal(place, ['user', 'add', 'ada', '--users', 'users.json']);
      await terminal.until(/New password for ada: $/);
      terminal.type(keys);
      assert.equal(await terminal.exitCode, code);
      assert.ok(terminal.output.endsWith(`\r\nsluice: ${message}\r\n`), terminal.output);
      assert.deepEqual(await readdir(place.path()), []);
    });
  }

  it('does not ask for what cannot be', async () => {
    await using place = await Place.make();
    await place.add('ada');
    await using terminal = new Terminal(place, ['user', 'add', 'ada', '--users', 'users.json']);
    assert.equal(await terminal.exitCode, 1);
    assert.match(terminal.output, /^sluice: user ada exists already: .*\r\n$/);
  });
});

/** Waits until the process has handlers of its own: Node has none for SIGHUP. */
async function handlesSignals(pid: number): Promise<void> {
  for (;;) {
    const [, caught = '0'] = /^SigCgt:\s*(\w+)$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8')) ?? [];
    if (BigInt(`0x${caught}`) & 1n) return;
  }
}

/** A directory to work in. */
class Place implements AsyncDisposable {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async make(): Promise<Place> {
    return new Place(await mkdtemp(path.join(tmpdir(), 'sluice-user-')));
  }

  path(...names: string[]): string {
    return path.join(this.#directory, ...names);
  }

  sluice(args: readonly string[], options: SluiceOptions = {}) {
    return runSluice(args, { cwd: this.#directory, ...options });
  }

  /** To users.json, with a password that nobody needs. */
  async add(name: string) {
    return await this.sluice(['user', 'add', name, '--generate', '--users', 'users.json']);
  }

  async serve(...args: string[]): Promise<Server> {
    const child = startSluice(['serve', '--listen', '127.0.0.1:0', ...args], { cwd: this.#directory });
    child.stderr.resume();
    for await (const line of createInterface(child.stdout)) {
      const [, port] = /^listening on .*:(\d+)$/.exec(line) ?? [];
      if (port) return new Server(child, `127.0.0.1:${port}`);
    }
    throw new Error('the server did not start');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }
}

class Server implements AsyncDisposable {
  readonly #child: ReturnType<typeof startSluice>;
  readonly #address: string;
  readonly #ended: Promise<void>;

  constructor(child: ReturnType<typeof startSluice>, address: string) {
    this.#child = child;
    this.#address = address;
    this.#ended = new Promise((resolve) => child.on('exit', () => resolve()));
  }

  /** Logs in and lists the root. */
  ls(name: string, password: string) {
    return runSluice(['ls', `sluice://${name}@${this.#address}/`], { env: { SLUICE_PASSWORD: password } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill();
    await this.#ended;
  }
}

/** The command on a pseudo-terminal of its own. */
class Terminal implements AsyncDisposable {
  output = '';
  readonly exitCode: Promise<number | null>;
  readonly #child;
  #onOutput: () => void = () => {};

  constructor(place: Place, args: readonly string[]) {
    const command = [process.execPath, SLUICE_PATH, ...args].map((word) => `'${word}'`).join(' ');
    this.#child = spawn('script', ['-qefc', command, '/dev/null'], {
      cwd: place.path(),
      env: { ...process.env, TERM: 'xterm', SHELL: '/bin/sh' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.output += text;
      this.#onOutput();
    });
    this.exitCode = new Promise((resolve) => this.#child.on('close', resolve));
  }

  type(keys: string): void {
    this.#child.stdin.write(keys);
  }

  /** Waits until the output matches. @throws {Error} if the command ends before */
  async until(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.output)) {
      const more = new Promise<true>((resolve) => {
        this.#onOutput = () => resolve(true);
      });
      const hasMore = await Promise.race([more, this.exitCode.then(() => false)]);
      assert.ok(hasMore, `no ${pattern} in ${JSON.stringify(this.output)}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill();
    await this.exitCode;
  }
}
