import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { RawPeer } from '@sluice/testkit';
import {
  encodeOpenFileRequest,
  encodePacket,
  encodeReadRequest,
  FileMode,
  requestText,
  responseText,
} from '@sluice/wire';
import { Command, events, Scratch, ServeCommand, sluice, urlOf } from './support/command.js';

const vectorFile = new URL('../../../../packages/wire/test/vectors.json', import.meta.url);
const vectors = new Map<string, Buffer>(
  (JSON.parse(await readFile(fileURLToPath(vectorFile), 'utf8')) as { name: string; hex: string }[]).map(
    ({ name, hex }) => [name, Buffer.from(hex, 'hex')],
  ),
);

function vector(name: string): Buffer {
  const bytes = vectors.get(name);
  if (!bytes) throw new Error(`no example is called ${name}`);
  return bytes;
}

/** Sends bytes and expects exactly these back. */
async function exchange(peer: RawPeer, sent: Uint8Array[], expected: Buffer[]): Promise<void> {
  const before = peer.received.length;
  await peer.send(...sent);
  const wanted = Buffer.concat(expected);
  const received = await peer.receivedAtLeast(before + wanted.length);
  assert.equal(received.subarray(before).toString('latin1'), wanted.toString('latin1'));
}

describe('a client of the original system (specification 13, 16.1)', () => {
  it('logs in, uploads, resumes and downloads, byte for byte', async () => {
    await using scratch = await Scratch.make();
    await using server = await ServeCommand.start(scratch.folder);
    const login = vector('Login request (user admin, password admin)');
    const accepted = vector('Login accepted');

    using upload = await RawPeer.connect(server.port);
    await exchange(upload, [Uint8Array.of(2), vector('Active request')], [vector('Active response')]);
    await exchange(upload, [login], [accepted]);
    await exchange(upload, [vector('Active request')], [vector('Active response')]);
    await exchange(upload, [vector('Upload request')], [vector('Upload response, new file')]);
    await exchange(
      upload,
      [vector('Data request, payload de ad be ef'), vector('Eof request (C# client form)')],
      [vector('Eof response')],
    );
    await exchange(upload, [vector('Upload request')], [vector('Upload response, resume at 4')]);
    await exchange(upload, [vector('Eof request (form with size)')], [vector('Eof response')]);
    await exchange(upload, [vector('Delphi client Active request')], [vector('Active response')]);

    using download = await RawPeer.connect(server.port);
    await exchange(download, [Uint8Array.of(3), login], [accepted]);
    await exchange(
      download,
      [vector('Download request, from 0, 3 bytes a packet')],
      [
        vector('Download response'),
        vector('SendFile announcement'),
        vector('first Data packet'),
        vector('second Data packet'),
      ],
    );
    assert.equal((await readFile(scratch.path('u.bin'))).toString('hex'), 'deadbeef');
  });

  it('reads through RemoteStream, byte for byte, without a login when the server is told so', async () => {
    await using scratch = await Scratch.make();
    await writeFile(scratch.path('u.bin'), Buffer.from('deadbeef', 'hex'));
    await using server = await ServeCommand.start(scratch.folder, ['--open', 'remote-stream', '--keep-files', '0']);
    using peer = await RawPeer.connect(server.port);
    const open = encodePacket(encodeOpenFileRequest({ fileName: 'u.bin', mode: FileMode.Read }));
    await exchange(peer, [Uint8Array.of(4), open], [Buffer.from(encodePacket(responseText('OpenFile', 0)))]);
    await exchange(peer, [encodePacket(encodeReadRequest(100))], [vector('RemoteStream Read response, 4 bytes')]);
  });

  it('uploads 100,000 bytes in packets of 32 KiB without an Eof size', async () => {
    await using scratch = await Scratch.make();
    await using server = await ServeCommand.start(scratch.folder);
    using peer = await RawPeer.connect(server.port);
    await peer.send(Uint8Array.of(2), vector('Login request (user admin, password admin)'), vector('Upload request'));
    const text = Buffer.from('[Request]\r\nCommand=Data');
    for (const bytes of [32_768, 32_768, 32_768, 1_696]) {
      const head = Buffer.alloc(8);
      head.writeInt32LE(4 + text.length + bytes, 0);
      head.writeInt32LE(text.length, 4);
      await peer.send(head, text, Buffer.alloc(bytes, 'x'));
    }
    await peer.send(vector('Eof request (C# client form)'));
    await peer.nextPacket();
    await peer.nextPacket();
    assert.match((await peer.nextPacket()).text, /Command=Eof\r\nCode=0$/);
    assert.equal((await stat(scratch.path('u.bin'))).size, 100_000);
  });
});

describe('sluice serve', () => {
  it('serves a root that no other server serves, and the root of one that was killed', async () => {
    await using scratch = await Scratch.make();
    await using first = await ServeCommand.start(scratch.folder);
    const second = await sluice(['serve', '--listen', '127.0.0.1:0', '--root', scratch.folder]);
    assert.deepEqual([second.exitCode, second.stdout], [1, '']);
    assert.match(second.stderr, /^sluice: the root \S+ is served already: stop the other server, or serve another/);
    await first.command.kill('SIGKILL');
    await using third = await ServeCommand.start(scratch.folder);
    assert.equal((await third.command.kill('SIGTERM')).exitCode, 0);
    await using fourth = await ServeCommand.start(scratch.folder);
    assert.ok(fourth.port > 0);
  });

  it('ends with 0 on SIGTERM, although clients are connected', async () => {
    await using scratch = await Scratch.make();
    await using server = await ServeCommand.start(scratch.folder);
    using peer = await RawPeer.connect(server.port);
    await exchange(peer, [Uint8Array.of(2), vector('Active request')], [vector('Active response')]);
    const closed = peer.waitForClose();
    const ended = await server.command.kill('SIGTERM');
    assert.deepEqual([ended.exitCode, ended.signal], [0, null]);
    await closed;
  });

  it('lets an upload finish after SIGTERM, and accepts nobody meanwhile (D47)', async () => {
    await using scratch = await Scratch.make();
    await using server = await ServeCommand.start(scratch.folder);
    using peer = await RawPeer.connect(server.port);
    await peer.send(Uint8Array.of(2), vector('Login request (user admin, password admin)'), vector('Upload request'));
    await peer.nextPacket();
    await peer.nextPacket();
    server.command.child.kill('SIGTERM');
    for (;;) {
      const isRefused = await new Promise<boolean>((resolve) => {
        const probe = net.connect(server.port, '127.0.0.1');
        probe.once('connect', () => {
          probe.destroy();
          resolve(false);
        });
        probe.once('error', () => resolve(true));
      });
      if (isRefused) break;
    }
    await peer.send(vector('Data request, payload de ad be ef'), vector('Eof request (form with size)'));
    assert.match((await peer.nextPacket()).text, /Command=Eof\r\nCode=0$/);
    await peer.waitForClose();
    assert.equal((await server.command.ended).exitCode, 0);
    assert.equal((await readFile(scratch.path('u.bin'))).length, 4);
  });

  it('ends at once on a second signal', async () => {
    await using scratch = await Scratch.make();
    await using server = await ServeCommand.start(scratch.folder, ['--drain-timeout', '1h']);
    using peer = await RawPeer.connect(server.port);
    await peer.send(Uint8Array.of(2), vector('Login request (user admin, password admin)'), vector('Upload request'));
    await peer.nextPacket();
    await peer.nextPacket();
    server.command.child.kill('SIGTERM');
    await new Promise((resolve) => server.command.child.stderr?.once('data', resolve));
    server.command.child.kill('SIGTERM');
    assert.equal((await server.command.ended).exitCode, 0);
    await peer.waitForClose();
  });

  it('cuts what is not done when the drain timeout has passed', async () => {
    await using scratch = await Scratch.make();
    await using server = await ServeCommand.start(scratch.folder, ['--drain-timeout', '100ms']);
    using peer = await RawPeer.connect(server.port);
    await peer.send(Uint8Array.of(2), vector('Login request (user admin, password admin)'), vector('Upload request'));
    await peer.nextPacket();
    await peer.nextPacket();
    const ended = await server.command.kill('SIGTERM');
    assert.equal(ended.exitCode, 0);
    assert.match(ended.stderr, /1 connections were cut/);
  });

  it('ends with 0 on SIGTERM while a guesser waits for its turn', async () => {
    await using scratch = await Scratch.make();
    await using server = await ServeCommand.start(scratch.folder, ['--drain-timeout', '500ms']);
    using peer = await RawPeer.connect(server.port);
    const closed = peer.waitForClose();
    const wrong = Buffer.from(vector('Login request (user admin, password admin)'));
    wrong.write('0', wrong.length - 1);
    await peer.send(Uint8Array.of(2), wrong, wrong, wrong, wrong, wrong);
    await peer.receivedAtLeast(2 * vector('Login refused').length);
    const ended = await server.command.kill('SIGTERM');
    assert.deepEqual([ended.exitCode, ended.signal], [0, null]);
    await closed;
  });

  it('ends with 0 on SIGTERM while it digests a file that takes longer than the drain timeout', async () => {
    await using scratch = await Scratch.make();
    await writeFile(scratch.path('u.bin'), '');
    await truncate(scratch.path('u.bin'), 8 * 2 ** 30);
    await using server = await ServeCommand.start(scratch.folder, ['--drain-timeout', '100ms']);
    using peer = await RawPeer.connect(server.port);
    const digest = encodePacket(
      requestText('Digest', [
        ['Position', 0],
        ['Count', 1 << 30],
      ]),
    );
    const login = vector('Login request (user admin, password admin)');
    await peer.send(Uint8Array.of(2), login, vector('Upload request'), ...Array(8).fill(digest));
    await peer.nextPacket();
    await peer.nextPacket();
    const closed = peer.waitForClose();
    const ended = await server.command.kill('SIGTERM');
    assert.deepEqual([ended.exitCode, ended.signal], [0, null]);
    assert.ok((await closed).length < 8 * 2048, 'it was not waited for');
  });

  it('makes the user admin at the first start, prints the password once, and stores nothing that lets one log in', async () => {
    await using scratch = await Scratch.make();
    const start = () => new Command(['serve', '--listen', '127.0.0.1:0', '--root', scratch.folder]);
    await using first = start();
    const [, password] = await first.output(/the password (\S+)/);
    const [, port] = await first.output(/listening on 127\.0\.0\.1:(\d+)/);
    const url = `sluice://admin@127.0.0.1:${port}/`;
    assert.equal((await sluice(['ls', url], { env: { SLUICE_PASSWORD: password! } })).exitCode, 0);
    assert.equal((await sluice(['ls', url], { env: { SLUICE_PASSWORD: 'admin' } })).exitCode, 5);
    await first.kill('SIGTERM');
    const users = path.join(scratch.folder, '.sluice', 'users.json');
    const stored = await readFile(users, 'utf8');
    const { createHash } = await import('node:crypto');
    assert.ok(!stored.includes(password!) && !stored.includes(createHash('md5').update(password!).digest('hex')));
    assert.equal((await stat(users)).mode & 0o777, 0o600);

    await using second = start();
    const [, again] = await second.output(/listening on 127\.0\.0\.1:(\d+)/);
    const listing = await sluice(['ls', `sluice://admin@127.0.0.1:${again}/`], { env: { SLUICE_PASSWORD: password! } });
    assert.deepEqual([listing.exitCode, listing.stdout], [0, '']);
    assert.ok(!second.stdout.includes('password'));
  });

  it('prints that password too when it cannot listen: it is made by then, and would be lost', async () => {
    await using scratch = await Scratch.make();
    await using other = await ServeCommand.start(scratch.folder);
    const root = scratch.path('fresh');
    await mkdir(root);
    const ended = await sluice(['serve', '--listen', `127.0.0.1:${other.port}`, '--root', root]);
    assert.equal(ended.exitCode, 1);
    const [, password = ''] = /the password (\S+)/.exec(ended.stdout) ?? [];
    await using server = new Command(['serve', '--listen', '127.0.0.1:0', '--root', root]);
    const [, port] = await server.output(/listening on 127\.0\.0\.1:(\d+)/);
    const listing = await sluice(['ls', `sluice://admin@127.0.0.1:${port}/`], { env: { SLUICE_PASSWORD: password } });
    assert.equal(listing.exitCode, 0);
  });

  const faults: [string, (folder: string, port: number) => string[], number, RegExp][] = [
    ['a missing root', (folder) => ['--root', `${folder}/none`], 1, /does not exist: create it .*--root/],
    ['a root that is a file', (folder) => ['--root', `${folder}/file`], 1, /not a directory/],
    ['a port in use', (folder, port) => ['--root', folder, '--listen', `127.0.0.1:${port}`], 1, /in use: .*--listen/],
    ['a bad address', (folder) => ['--root', folder, '--listen', 'nonsense'], 2, /--listen/],
    ['a port that is none', (folder) => ['--root', folder, '--listen', '127.0.0.1:70000'], 2, /--listen/],
    ['a user without a password', (folder) => ['--root', folder, '--user', 'admin'], 2, /NAME:PASSWORD/],
    ['a missing users file', (folder) => ['--root', folder, '--users', `${folder}/none`], 1, /users file .*not found/],
    ['a users file that is none', (folder) => ['--root', folder, '--users', `${folder}/file`], 1, /users file/],
    ['an unknown option', (folder) => ['--root', folder, '--rot', 'x'], 2, /--rot.*--root/],
    ['a number that is none', (folder) => ['--root', folder, '--max-connections', 'many'], 2, /--max-connections/],
  ];
  for (const [title, argumentsFor, exitCode, message] of faults) {
    it(`says one clear line for ${title} and exits with ${exitCode}`, async () => {
      await using scratch = await Scratch.make();
      await writeFile(scratch.path('file'), 'no users');
      const other = net.createServer().listen(0, '127.0.0.1');
      await new Promise((resolve) => other.once('listening', resolve));
      try {
        const ended = await sluice([
          'serve',
          ...argumentsFor(scratch.folder, (other.address() as net.AddressInfo).port),
        ]);
        assert.equal(ended.exitCode, exitCode);
        assert.match(ended.stderr, message);
        assert.match(ended.stderr, /^sluice: [^\n]*\n$/);
      } finally {
        other.close();
      }
    });
  }
});

describe('put and get against sluice serve', () => {
  it('move a tree of 300 small files with odd names there and back, byte for byte', async () => {
    await using scratch = await Scratch.make();
    await mkdir(scratch.path('root'));
    await mkdir(scratch.path('tree', 'with spaces', '数据', 'empty directory'), { recursive: true });
    const folders = ['', 'with spaces', path.join('with spaces', '数据')];
    const names = (i: number) =>
      [`file ${i}`, `数据 ${i}.txt`, `b=c ${i}`, `.hidden${i}`, `-dash${i}`, `q"uote'${i}`, `tab\t${i}`][i % 7]!;
    for (let i = 0; i < 300; i++) {
      await writeFile(scratch.path('tree', folders[i % 3]!, names(i)), i % 10 === 0 ? '' : `content ${i}\n`.repeat(i));
    }
    await using server = await ServeCommand.start(scratch.path('root'));
    const put = await sluice(['put', '-r', '--json', scratch.path('tree'), server.url]);
    assert.equal(put.exitCode, 0, put.stderr);
    assert.deepEqual([events(put).at(-1)?.['files'], events(put).at(-1)?.['failed']], [300, 0]);
    execFileSync('diff', ['-r', scratch.path('tree'), scratch.path('root', 'tree')]);
    await mkdir(scratch.path('back'));
    const get = await sluice(['get', '-r', `${server.url}tree`, scratch.path('back')]);
    assert.equal(get.exitCode, 0, get.stderr);
    execFileSync('diff', ['-r', scratch.path('tree'), scratch.path('back', 'tree')]);
  });

  it('read standard input and write standard output', async () => {
    await using scratch = await Scratch.make();
    await using server = await ServeCommand.start(scratch.folder);
    assert.equal((await sluice(['put', '-', `${server.url}from-stdin`], { input: 'through the pipe' })).exitCode, 0);
    const got = await sluice(['get', `${server.url}from-stdin`, '-']);
    assert.deepEqual([got.exitCode, got.stdout, got.stderr], [0, 'through the pipe', '']);
  });

  it('say what is wrong and exit as documented', async () => {
    await using scratch = await Scratch.make();
    await mkdir(scratch.path('root', 'folder'), { recursive: true });
    await symlink('/etc', scratch.path('root', 'link'));
    await writeFile(scratch.path('f'), 'x');
    await using server = await ServeCommand.start(scratch.path('root'));
    const closed = net.createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => closed.once('listening', resolve));
    const freePort = (closed.address() as net.AddressInfo).port;
    closed.close();
    const cases: [string[], number, RegExp][] = [
      [['put', scratch.path('f'), `sluice://admin:sEcret@127.0.0.1:${server.port}/`], 5, /wrong user name or password/],
      [['put', '--retries', '0', scratch.path('f'), urlOf(freePort)], 4, /127\.0\.0\.1/],
      [['put', scratch.path('f'), 'http://127.0.0.1/'], 2, /sluice:\/\//],
      [['put', scratch.path('none'), server.url], 1, /none/],
      [['put', scratch.path('f'), `${server.url}folder`], 1, /folder/],
      [['put', scratch.path('f'), `${server.url}no/such/f`], 1, /no\/such/],
      [['put', scratch.path('f'), `${server.url}link/f`], 1, /link/],
      [['put', scratch.path('f'), `${server.url}..%2f..%2fescaped`], 2, /escaped/],
      [['get', `${server.url}none`, scratch.path('g')], 1, /none/],
      [['get', `${server.url}none`, `${server.url}folder`, scratch.folder], 1, /none/],
      [['rm', `${server.url}folder`], 1, /folder.*-r/],
      [['mkdir', `${server.url}../x`], 2, /x/],
    ];
    for (const [args, exitCode, message] of cases) {
      const ended = await sluice(args);
      assert.equal(ended.exitCode, exitCode, `${args.join(' ')}: ${ended.exitCode} ${ended.stderr}`);
      assert.match(ended.stderr, message);
      assert.ok(!/sEcret|admin:admin|\n\s+at /.test(ended.stderr), ended.stderr);
    }
    assert.deepEqual((await readdir(scratch.path('root'))).sort(), ['.sluice', 'folder', 'link']);
  });

  it('on a small disk: refuse what will not fit before a byte is sent, and everything else goes on', async () => {
    await using scratch = await Scratch.make();
    await using small = await SmallDisk.mount(scratch.path('small'), 64);
    await writeFile(path.join(small.path, 'ballast'), Buffer.alloc(40 << 20));
    await writeFile(scratch.path('big'), Buffer.alloc(30 << 20, 'b'));
    await writeFile(scratch.path('little'), 'fits');
    await using server = await ServeCommand.start(small.path);
    const full = await sluice(['put', scratch.path('big'), server.url]);
    assert.equal(full.exitCode, 1);
    assert.match(
      full.stderr,
      /^sluice: .*no space for a file of this size: 31457280 bytes do not fit: \d+ are free for uploads\n$/,
    );
    assert.equal((await sluice(['put', scratch.path('little'), server.url])).exitCode, 0);
    assert.equal((await sluice(['ls', server.url])).stdout, 'ballast\nlittle\n');
    assert.equal((await sluice(['partials', server.url])).stdout, '');
    assert.equal((await sluice(['rm', `${server.url}ballast`])).exitCode, 0);
    const again = await sluice(['put', scratch.path('big'), server.url]);
    assert.equal(again.exitCode, 0, again.stderr);
    assert.ok((await readFile(path.join(small.path, 'big'))).equals(await readFile(scratch.path('big'))));
  });

  it('report a disk that becomes full in one line, leave nothing behind, and succeed when there is room again', async () => {
    await using scratch = await Scratch.make();
    await using small = await SmallDisk.mount(scratch.path('small'), 64);
    await writeFile(path.join(small.path, 'ballast'), Buffer.alloc(40 << 20));
    await using server = await ServeCommand.start(small.path);
    const input = Buffer.alloc(30 << 20, 'i');
    const full = await sluice(['put', '-', `${server.url}stream`], { input });
    assert.equal(full.exitCode, 1);
    assert.match(full.stderr, /^sluice: .*no space left.*\n$/);
    const left = async (): Promise<string[]> => readdir(path.join(small.path, '.sluice', 'staging'));
    while ((await left()).length > 0) await new Promise((resolve) => setTimeout(resolve, 20)); // the test's own deadline ends it
    assert.equal((await sluice(['rm', `${server.url}ballast`])).exitCode, 0);
    assert.equal((await sluice(['put', '-', `${server.url}stream`], { input })).exitCode, 0);
    assert.ok((await readFile(path.join(small.path, 'stream'))).equals(input));
  });
});

/** A file system in memory of so many MiB. */
class SmallDisk implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async mount(path: string, mebibytes: number): Promise<SmallDisk> {
    await mkdir(path);
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', path]);
    return new SmallDisk(path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    execFileSync('umount', ['-l', this.path]);
  }
}
