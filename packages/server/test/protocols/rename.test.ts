import assert from 'node:assert/strict';
import { link, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { addUser, UserStore } from '@sluice/server';
import type { RawPeer } from '@sluice/testkit';
import { encodeOpenFileRequest, encodePacket, type Field, FileMode, ProtocolFlag } from '@sluice/wire';
import { temporaryDirectory } from '../storage/temporary-directory.js';
import { ask, request, TestServer } from '../support/test-server.js';

const { Upload, Download, RemoteStream } = ProtocolFlag;
const MISSING_DIRECTORY = 0x02000001;

/** @param from path, of which the last name is the old one @returns the code */
async function rename(peer: RawPeer, from: string, to: string, ifExists?: string): Promise<number> {
  const [dirName, fileName] = split(from);
  const [targetDir, targetName] = split(to);
  const fields: Field[] = [
    ['DirName', dirName],
    ['FileName', fileName],
    ['TargetDir', targetDir],
    ['TargetName', targetName],
  ];
  if (ifExists !== undefined) fields.push(['IfExists', ifExists]);
  return codeOf(await ask(peer, 'Rename', fields));
}

function split(path: string): [string, string] {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? ['', path] : [path.slice(0, slash), path.slice(slash + 1)];
}

function codeOf([, code]: readonly string[]): number {
  return Number(code?.slice('Code='.length));
}

async function populated(): Promise<TestServer> {
  const server = await TestServer.start();
  await mkdir(server.path('sub', 'deep'), { recursive: true });
  await mkdir(server.path('empty'));
  await mkdir(server.path('.sluice'), { recursive: true });
  await writeFile(server.path('a'), 'content of a');
  await writeFile(server.path('b'), 'b');
  await writeFile(server.path('sub', 'x'), 'x');
  await symlink('/etc', server.path('link'));
  return server;
}

/** What VerifyFile says of the record of a file. */
async function recordOf(peer: RawPeer, dirName: string, fileName: string): Promise<string | undefined> {
  const lines = await ask(peer, 'VerifyFile', [
    ['DirName', dirName],
    ['FileName', fileName],
  ]);
  return lines.find((line) => line.startsWith('State='));
}

describe('Rename (docs/protocol.md, section 17.19)', () => {
  it('gives a file another name, in its directory or in another one', async () => {
    await using server = await populated();
    using peer = await server.login(Upload);
    const { ino } = await stat(server.path('a'));
    assert.equal(await rename(peer, 'a', 'c'), 0);
    assert.equal(await rename(peer, 'c', 'sub/deep/数据 = d'), 0);
    assert.equal(await readFile(server.path('sub', 'deep', '数据 = d'), 'utf8'), 'content of a');
    assert.equal((await stat(server.path('sub', 'deep', '数据 = d'))).ino, ino);
    assert.deepEqual((await readdir(server.root)).sort(), ['.sluice', 'b', 'empty', 'link', 'sub']);
    const [event] = server.events.filter((one) => one.event === 'file renamed');
    assert.deepEqual([event?.fields['from'], event?.fields['to']], ['a', 'c']);
  });

  it('gives a directory another name, with all that is in it', async () => {
    await using server = await populated();
    using peer = await server.login(Upload);
    assert.equal(await rename(peer, 'sub', 'empty/moved'), 0);
    assert.equal(await readFile(server.path('empty', 'moved', 'x'), 'utf8'), 'x');
    assert.deepEqual(await readdir(server.path('empty')), ['moved']);
    assert.ok(!(await readdir(server.root)).includes('sub'));
  });

  const refused: [string, string, string, string | undefined, number][] = [
    ['what is not there', 'none', 'c', undefined, 9],
    ['what is not there onto a file', 'none', 'b', 'replace', 9],
    ['out of a directory that is not there', 'none/a', 'c', undefined, MISSING_DIRECTORY],
    ['into a directory that is not there', 'a', 'none/a', undefined, MISSING_DIRECTORY],
    ['into a file', 'a', 'b/a', undefined, MISSING_DIRECTORY],
    ['through a link', 'a', 'link/a', undefined, MISSING_DIRECTORY],
    ['onto a file', 'a', 'b', undefined, 16],
    ['onto a file, when it is to fail', 'a', 'b', 'fail', 16],
    ['onto itself', 'a', 'a', undefined, 16],
    ['onto a directory', 'a', 'empty', undefined, 16],
    ['onto a directory, to replace it', 'a', 'empty', 'replace', 6],
    ['onto a link, to replace it', 'a', 'link', 'replace', 6],
    ['a directory onto a file, to replace it', 'sub', 'b', 'replace', 16],
    ['a directory onto an empty one, to replace it', 'sub', 'empty', 'replace', 16],
    ['a directory onto itself', 'sub', 'sub', 'replace', 16],
    ['a directory into itself', 'sub', 'sub/deep/again', undefined, 6],
    ['a link', 'link', 'c', undefined, 6],
    ['the root', '.', 'sub/root', undefined, 6],
    ['out of the root', 'a', '../a', undefined, 6],
    ['from outside the root', '../etc/passwd', 'c', undefined, 6],
    ['to an absolute name', 'a', '/etc/a', undefined, 6],
    ['to the parent', 'sub/x', 'sub/..', undefined, 6],
    ['to an empty name', 'a', 'sub/', undefined, 6],
    ['to a drive letter', 'a', 'C:', undefined, 6],
    ["the server's own directory", '.sluice', 'own', undefined, 6],
    ["to the name of the server's own directory", 'empty', '.SLUICE', undefined, 6],
    ["into the server's own directory", 'a', '.sluice/a', undefined, 6],
    ["out of the server's own directory", '.sluice/digests', 'd', undefined, 6],
    ['with a word that there is not', 'a', 'c', 'newer', 6],
  ];
  for (const [what, from, to, ifExists, code] of refused) {
    it(`does not rename ${what}, and leaves all as it is: ${code}`, async () => {
      await using server = await populated();
      using peer = await server.login(Upload);
      const before = await readdir(server.root, { recursive: true });
      assert.equal(await rename(peer, from, to, ifExists), code);
      assert.deepEqual(await readdir(server.root, { recursive: true }), before);
      assert.equal(await readFile(server.path('b'), 'utf8'), 'b');
    });
  }

  it('needs all four names', async () => {
    await using server = await populated();
    using peer = await server.login(Upload);
    const fields: Field[] = [
      ['DirName', ''],
      ['FileName', 'a'],
      ['TargetDir', ''],
      ['TargetName', 'c'],
    ];
    for (const missing of fields) {
      const others = fields.filter((field) => field !== missing);
      assert.equal(codeOf(await ask(peer, 'Rename', others)), 6, String(missing));
    }
  });

  it('replaces a file on request, whoever reads it, and leaves the reader the old one', async () => {
    await using server = await populated();
    using peer = await server.login(Upload);
    using reader = await server.login(RemoteStream);
    await reader.send(encodePacket(encodeOpenFileRequest({ fileName: 'b', mode: FileMode.Read })));
    assert.match((await reader.nextPacket()).text, /Code=0/);
    assert.equal(await rename(peer, 'a', 'b', 'replace'), 0);
    assert.equal(await readFile(server.path('b'), 'utf8'), 'content of a');
    await reader.send(request('Read', [['Count', 10]]));
    assert.equal(Buffer.from((await reader.nextPacket()).data).toString(), 'b');
    assert.equal(await rename(peer, 'b', 'b', 'replace'), 0, 'and itself');
  });

  it('leaves one name of two names of the same file', async () => {
    await using server = await populated();
    await link(server.path('a'), server.path('second'));
    using peer = await server.login(Upload);
    assert.equal(await rename(peer, 'a', 'second'), 16);
    assert.equal(await rename(peer, 'a', 'second', 'replace'), 0);
    assert.equal(await readFile(server.path('second'), 'utf8'), 'content of a');
    assert.ok(!(await readdir(server.root)).includes('a'));
  });

  it('refuses a file that an upload writes, by its old name and by its new one, until that has ended (code 11)', async () => {
    await using server = await populated();
    using peer = await server.login(Upload);
    using writer = await server.login(Upload);
    await ask(writer, 'Upload', [
      ['DirName', ''],
      ['FileName', 'a'],
    ]);
    assert.equal(await rename(peer, 'a', 'c'), 11);
    assert.equal(await rename(peer, 'b', 'a', 'replace'), 11);
    assert.equal(codeOf(await ask(writer, 'Eof')), 0);
    assert.equal(await rename(peer, 'a', 'c'), 0);
  });

  it('refuses a file that a remote stream writes (code 11)', async () => {
    await using server = await populated();
    using peer = await server.login(Upload);
    using writer = await server.login(RemoteStream);
    await writer.send(encodePacket(encodeOpenFileRequest({ fileName: 'a', mode: FileMode.ReadWrite })));
    assert.match((await writer.nextPacket()).text, /Code=0/);
    assert.equal(await rename(peer, 'a', 'c'), 11);
    assert.equal(await rename(peer, 'b', 'a', 'replace'), 11);
  });

  it('renames a directory in which a file is being written: the upload goes on in it', async () => {
    await using server = await populated();
    using peer = await server.login(Upload);
    using writer = await server.login(Upload);
    await ask(writer, 'Upload', [
      ['DirName', 'sub'],
      ['FileName', 'y'],
    ]);
    assert.equal(await rename(peer, 'sub', 'other'), 0);
    await writer.send(request('Data', [], Buffer.from('late')));
    assert.equal(codeOf(await ask(writer, 'Eof')), 0);
    assert.equal(await readFile(server.path('other', 'y'), 'utf8'), 'late');
  });

  it('lets what is recorded of a file go with it, and of the files of a directory, too', async () => {
    await using server = await populated();
    using peer = await server.login(Upload);
    assert.equal(await recordOf(peer, '', 'a'), 'State=unrecorded');
    assert.equal(await recordOf(peer, '', 'a'), 'State=recorded');
    assert.equal(await rename(peer, 'a', 'sub/c'), 0);
    assert.equal(await recordOf(peer, 'sub', 'c'), 'State=recorded');
    assert.equal(await rename(peer, 'sub', 'renamed'), 0);
    assert.equal(await recordOf(peer, 'renamed', 'c'), 'State=recorded');
    assert.equal(await rename(peer, 'renamed/c', 'b', 'replace'), 0);
    assert.equal(await recordOf(peer, '', 'b'), 'State=recorded');
    assert.equal(await recordOf(peer, 'renamed', 'x'), 'State=unrecorded', 'and nothing that was not');
  });

  it('leaves a file that has changed since it was recorded one that has changed', async () => {
    await using server = await populated();
    using peer = await server.login(Upload);
    await recordOf(peer, '', 'a');
    await writeFile(server.path('a'), 'something else');
    assert.equal(await rename(peer, 'a', 'c'), 0);
    assert.equal(await recordOf(peer, '', 'c'), 'State=changed');
  });

  it('lets one of many that rename the same file win', async () => {
    await using server = await populated();
    const peers = await Promise.all(Array.from({ length: 8 }, () => server.login(Upload)));
    const codes = await Promise.all(peers.map((peer, i) => rename(peer, 'a', `to-${i}`)));
    for (const peer of peers) peer.destroy();
    assert.equal(codes.filter((code) => code === 0).length, 1, String(codes));
    assert.ok(codes.every((code) => code === 0 || code === 9 || code === 11));
    assert.equal((await readdir(server.root)).filter((name) => name.startsWith('to-')).length, 1);
  });

  it('lets one of many win the same name, and the others keep their files', async () => {
    await using server = await populated();
    for (let i = 0; i < 8; i += 1) await writeFile(server.path(`from-${i}`), `${i}`);
    const peers = await Promise.all(Array.from({ length: 8 }, () => server.login(Upload)));
    const codes = await Promise.all(peers.map((peer, i) => rename(peer, `from-${i}`, 'won')));
    for (const peer of peers) peer.destroy();
    assert.deepEqual(codes.toSorted(), [0, 16, 16, 16, 16, 16, 16, 16]);
    assert.equal(await readFile(server.path('won'), 'utf8'), String(codes.indexOf(0)));
    assert.equal((await readdir(server.root)).filter((name) => name.startsWith('from-')).length, 7);
  });

  it('is refused to who may only read, and by a server that is read-only (code 13)', async () => {
    await using directory = await temporaryDirectory();
    const file = `${directory.path}/users.json`;
    for (const role of ['admin', 'read-only'] as const) await addUser(file, role, 'admin', { settings: { role } });
    await using server = await TestServer.start({ users: await UserStore.load(file) });
    await writeFile(server.path('a'), '');
    using viewer = await server.connect();
    await viewer.send(
      Uint8Array.of(Upload),
      request('Login', [
        ['UserName', 'read-only'],
        ['Password', '21232f297a57a5a743894a0e4a801fc3'],
      ]),
    );
    assert.match((await viewer.nextPacket()).text, /Code=0/);
    assert.equal(await rename(viewer, 'a', 'c'), 13);
    using operator = await server.login(ProtocolFlag.Control);
    assert.equal(codeOf(await ask(operator, 'ReadOnly', [['Value', 'on']])), 0);
    using peer = await server.login(Upload);
    assert.equal(await rename(peer, 'a', 'c'), 13);
    assert.deepEqual(await readdir(server.root), ['a']);
  });

  it('is not a command of Download, nor for who has not logged in', async () => {
    await using server = await populated();
    using peer = await server.login(Download);
    assert.equal(await rename(peer, 'a', 'c'), 1);
    using stranger = await server.connect();
    await stranger.send(Uint8Array.of(Upload));
    assert.equal(await rename(stranger, 'a', 'c'), 8);
  });
});
