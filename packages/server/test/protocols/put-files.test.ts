import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { addUser, UserStore } from '@sluice/server';
import { type Field, ProtocolFlag, ResultCode } from '@sluice/wire';
import { digestOf } from '../../../../packages/server/dist/users/password-verifier.js';
import { putFiles, putFilesPacket } from '../support/batches.js';
import { answer, ask, eventually, request, TestServer } from '../support/test-server.js';

const { Upload, Download, RemoteStream } = ProtocolFlag;
const { Success, FileExists, FileIsInUse, ParameterError, ChunksMissing, DirNotExist } = ResultCode;
const EXTENDED: Field[] = [['Features', 'Batch']];
const MODIFIED_NS = 1_600_000_000_123_456_789n;

/** What waits for its name in the server's own directory. */
async function staged(server: TestServer): Promise<string[]> {
  return readdir(server.path('.sluice', 'staging')).catch(() => []);
}

describe('a batch of small files', () => {
  it('stores each file under its name, with its time to the microsecond and its permissions', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(Upload, EXTENDED);
    await mkdir(server.path('a'));
    const { durability, directoryCodes, fileCodes } = await putFiles(
      peer,
      [
        { name: 'one', content: 'first', modifiedNs: MODIFIED_NS, mode: 0o640 },
        { name: 'two', content: '', directory: 1 },
        { name: 'three', content: Buffer.alloc(100_000, 3), directory: 1 },
      ],
      {},
      ['', 'a'],
    );
    assert.equal(durability, 'durable');
    assert.deepEqual(
      [directoryCodes, fileCodes],
      [
        [0, 0],
        [0, 0, 0],
      ],
    );
    assert.equal(await readFile(server.path('one'), 'utf8'), 'first');
    const { mode, mtimeNs } = await stat(server.path('one'), { bigint: true });
    assert.deepEqual([mode & 0o7777n, mtimeNs], [0o640n, 1_600_000_000_123_456_000n]);
    assert.equal((await stat(server.path('a/two'))).size, 0);
    assert.ok(Buffer.alloc(100_000, 3).equals(await readFile(server.path('a/three'))));
    assert.deepEqual(await staged(server), []);
  });

  it('makes directories that are missing, those without files too, if it is asked to', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(Upload, EXTENDED);
    const files = [{ name: 'f', content: 'x', directory: 1 }];
    const refused = await putFiles(peer, files, { dirName: 'base' }, ['', 'a/b', 'empty']);
    assert.deepEqual(refused.directoryCodes, [DirNotExist, DirNotExist, DirNotExist]);
    assert.deepEqual(refused.fileCodes, [DirNotExist]);
    const made = await putFiles(peer, files, { dirName: 'base', makesParents: true }, ['', 'a/b', 'empty']);
    assert.deepEqual([...made.directoryCodes, ...made.fileCodes], [0, 0, 0, 0]);
    assert.equal(await readFile(server.path('base/a/b/f'), 'utf8'), 'x');
    assert.deepEqual(await readdir(server.path('base/empty')), []);
  });

  it('stores files of more directories than are held open at once', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(Upload, EXTENDED);
    const directories = Array.from({ length: 100 }, (_, i) => `d${i % 10}/e${i}`);
    const files = directories.map((_, directory) => ({ name: 'f', content: `${directory}`, directory }));
    const { fileCodes } = await putFiles(peer, files, { makesParents: true }, directories);
    assert.ok(fileCodes.every((code) => code === Success));
    for (const [i, directory] of directories.entries()) {
      assert.equal(await readFile(server.path(directory, 'f'), 'utf8'), String(i));
    }
  });

  it('answers for each file by itself, and stores the others', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(Upload, EXTENDED);
    await mkdir(server.path('directory'));
    await symlink('/etc/hostname', server.path('link'));
    const { fileCodes } = await putFiles(peer, [
      { name: 'good', content: 'g' },
      { name: '..', content: 'x' },
      { name: 'a/b', content: 'x' },
      { name: '', content: 'x' },
      { name: 'damaged', content: 'x', digest: 1n },
      { name: 'directory', content: 'x' },
      { name: 'link', content: 'x' },
      { name: 'good', content: 'again' },
      { name: 'last', content: 'l' },
    ]);
    const P = ParameterError;
    assert.deepEqual(fileCodes, [Success, P, P, P, ChunksMissing, P, P, P, Success]);
    assert.deepEqual((await readdir(server.root)).sort(), ['.sluice', 'directory', 'good', 'last', 'link']);
    assert.equal(await readFile(server.path('good'), 'utf8'), 'g');
    assert.deepEqual(await staged(server), []);
  });

  it('leads nowhere but below the root of the user', async () => {
    await using server = await TestServer.start();
    const outside = await mkdtemp(path.join(os.tmpdir(), 'sluice-outside-'));
    try {
      await symlink(outside, server.path('way-out'));
      using peer = await server.login(Upload, EXTENDED);
      const directories = ['../x', '/x', 'way-out', '.sluice/staging', '.SLUICE', 'a/../b'];
      const files = directories.map((_, directory) => ({ name: 'f', content: 'x', directory }));
      const { directoryCodes, fileCodes } = await putFiles(peer, files, { makesParents: true }, directories);
      assert.deepEqual(directoryCodes, [6, 6, DirNotExist, 6, 6, 6]);
      assert.deepEqual(fileCodes, directoryCodes);
      assert.deepEqual(await readdir(outside), []);
      await assert.rejects(putFiles(peer, [], { dirName: '../..' }), { resultCode: ParameterError });
    } finally {
      await rm(outside, { recursive: true });
    }
  });

  it('replaces a file, or keeps it, as the client wants', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(Upload, EXTENDED);
    const before = new Date(Number(MODIFIED_NS / 1_000_000n) - 1000);
    const write = async (): Promise<void> => {
      await writeFile(server.path('f'), 'old');
      await utimes(server.path('f'), before, before);
    };
    const newer = { name: 'f', content: 'new', modifiedNs: MODIFIED_NS };
    const older = { ...newer, modifiedNs: MODIFIED_NS - 3_600_000_000_000n };
    for (const [ifExists, file, code, content] of [
      ['replace', older, Success, 'new'],
      ['fail', newer, FileExists, 'old'],
      ['skip', newer, FileExists, 'old'],
      ['newer', newer, Success, 'new'],
      ['newer', older, FileExists, 'old'],
    ] as const) {
      await write();
      const { fileCodes } = await putFiles(peer, [file, { name: `new-${ifExists}`, content: 'n' }], { ifExists });
      assert.equal(fileCodes[0], code, ifExists);
      assert.equal(await readFile(server.path('f'), 'utf8'), content);
      assert.equal(await readFile(server.path(`new-${ifExists}`), 'utf8'), 'n');
    }
    assert.deepEqual(await staged(server), []);
  });

  it('may come again when its answer was lost, also when no file is to be replaced', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(Upload, EXTENDED);
    const files = [
      { name: 'f', content: 'same', modifiedNs: MODIFIED_NS },
      { name: 'g', content: 'G' },
    ];
    const first = await putFiles(peer, files, { ifExists: 'fail' });
    assert.deepEqual(first.fileCodes, [Success, Success]);
    const second = await putFiles(peer, files, { ifExists: 'fail' });
    assert.deepEqual(second.fileCodes, [Success, Success]);
    const other = await putFiles(peer, [{ ...files[0]!, content: 'SAME' }], { ifExists: 'fail' });
    assert.deepEqual(other.fileCodes, [FileExists]);
  });

  it('keeps the permissions of a file that it replaces, unless it has some', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), 'old', { mode: 0o600 });
    using peer = await server.login(Upload, EXTENDED);
    await putFiles(peer, [{ name: 'f', content: 'new' }]);
    assert.equal((await stat(server.path('f'))).mode & 0o777, 0o600);
  });

  it('leaves a file alone that is being written, and readers with what they have begun to read', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('read'), 'old');
    using writer = await server.login(Upload, EXTENDED);
    await ask(writer, 'Upload', [
      ['DirName', ''],
      ['FileName', 'written'],
    ]);
    using reader = await server.login(RemoteStream);
    await ask(reader, 'OpenFile', [
      ['FileName', 'read'],
      ['Mode', 0],
    ]);
    using peer = await server.login(Upload, EXTENDED);
    const { fileCodes } = await putFiles(peer, [
      { name: 'written', content: 'x' },
      { name: 'read', content: 'new' },
    ]);
    assert.deepEqual(fileCodes, [FileIsInUse, Success]);
    await reader.send(request('Read', [['Count', 3]]));
    assert.equal(Buffer.from((await reader.nextPacket()).data).toString(), 'old');
    assert.equal(await readFile(server.path('read'), 'utf8'), 'new');
  });

  it('is refused whole, and the connection goes on, when it cannot be read or nothing may be changed', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(Upload, EXTENDED);
    const packet = putFilesPacket([{ name: 'f', content: 'content' }]);
    const cut = Buffer.from(packet.subarray(0, packet.length - 1));
    cut.writeUInt32LE(cut.length - 4);
    await peer.send(cut);
    assert.deepEqual((await answer(peer)).slice(0, 2), ['Command=PutFiles', 'Code=6']);
    using operator = await server.login(ProtocolFlag.Control);
    await ask(operator, 'ReadOnly', [['Value', 'on']]);
    await assert.rejects(putFiles(peer, [{ name: 'f', content: 'x' }]), { resultCode: ResultCode.NotPermitted });
    await ask(operator, 'ReadOnly', [['Value', 'off']]);
    assert.deepEqual((await putFiles(peer, [{ name: 'f', content: 'x' }])).fileCodes, [Success]);
  });

  it('is unknown to clients that have not asked for extensions', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(Upload);
    await peer.send(putFilesPacket([{ name: 'f', content: 'x' }]));
    assert.deepEqual((await answer(peer)).slice(0, 2), ['Command=PutFiles', 'Code=1']);
  });

  it('needs a login', async () => {
    await using server = await TestServer.start();
    using peer = await server.connect();
    await peer.send(Uint8Array.of(Upload), putFilesPacket([{ name: 'f', content: 'x' }]));
    assert.deepEqual((await answer(peer)).slice(0, 2), ['Command=PutFiles', 'Code=8']);
    assert.deepEqual(await readdir(server.root), []);
  });

  it('stores what the quota of the user has room for', async () => {
    const file = path.join(await mkdtemp(path.join(os.tmpdir(), 'sluice-users-')), 'users.json');
    await addUser(file, 'ada', 'ada', { settings: { role: 'user', root: 'home', quota: 100 } });
    await using server = await TestServer.start({ users: await UserStore.load(file) });
    using peer = await server.connect();
    const login = request('Login', [['UserName', 'ada'], ['Password', digestOf('ada')], ...EXTENDED]);
    await peer.send(Uint8Array.of(Upload), login);
    await answer(peer);
    const { fileCodes } = await putFiles(peer, [
      { name: 'a', content: Buffer.alloc(60) },
      { name: 'b', content: Buffer.alloc(60) },
      { name: 'c', content: Buffer.alloc(40) },
    ]);
    assert.deepEqual(fileCodes, [Success, ResultCode.QuotaExceeded, Success]);
    assert.deepEqual((await readdir(server.path('home'))).sort(), ['a', 'c']);
    await rm(path.dirname(file), { recursive: true });
  });

  it('is whole, or not there, when its sender goes away', async () => {
    await using server = await TestServer.start();
    for (let round = 0; round < 5; round++) {
      const peer = await server.login(Upload, EXTENDED);
      const files = Array.from({ length: 50 }, (_, i) => ({ name: `f${i}`, content: `${round}-${i}` }));
      await peer.send(putFilesPacket(files));
      peer[Symbol.dispose]();
    }
    await eventually('all connections are gone', () => server.server.listener.connections.size === 0);
    using peer = await server.login(Upload, EXTENDED);
    const { fileCodes } = await putFiles(peer, [{ name: 'f0', content: 'last' }]);
    assert.deepEqual(fileCodes, [Success], 'nobody holds the name any more');
    for (const name of await readdir(server.root)) {
      if (name === '.sluice' || name === 'f0') continue;
      assert.match(await readFile(server.path(name), 'utf8'), new RegExp(`^\\d-${name.slice(1)}$`));
    }
    assert.deepEqual(await staged(server), []);
  });

  it('leaves nothing behind that the next start of the server does not remove', async () => {
    await using server = await TestServer.start();
    await mkdir(server.path('.sluice', 'staging'), { recursive: true });
    await writeFile(server.path('.sluice', 'staging', '00-1.batch'), 'left behind');
    await writeFile(server.path('.sluice', 'staging', 'other.part'), 'of an upload');
    await using again = await TestServer.start({ root: server.root });
    assert.deepEqual(await readdir(server.path('.sluice', 'staging')), ['other.part']);
    assert.ok(again.port > 0);
  });

  it('is stored without waiting for the disk where the client, or the server, wants that', async () => {
    await using server = await TestServer.start({ durability: 'memory' });
    using peer = await server.login(Upload, EXTENDED);
    assert.equal((await putFiles(peer, [{ name: 'f', content: 'x' }])).durability, 'memory');
    await using durable = await TestServer.start();
    using other = await durable.login(Upload, EXTENDED);
    const { durability } = await putFiles(other, [{ name: 'f', content: 'x' }], { durability: 'memory' });
    assert.equal(durability, 'memory');
  });

  it('can be downloaded and removed like any other file', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(Upload, EXTENDED);
    await putFiles(peer, [{ name: 'f', content: 'x' }]);
    using reader = await server.login(Download);
    const listed = await ask(reader, 'FileList', [['DirName', '']]);
    assert.ok(listed.some((line) => line.startsWith('Item=f\u0001')));
    assert.ok(!listed.some((line) => line.includes('sluice')));
    const removed = await ask(peer, 'DeleteFile', [
      ['DirName', ''],
      ['Item', 'f'],
    ]);
    assert.equal(removed[1], 'Code=0');
  });
});
