import assert from 'node:assert/strict';
import { mkdir, symlink, utimes, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { xxh64 } from '@sluice/files';
import type { RawPeer } from '@sluice/testkit';
import {
  type BatchName,
  decodeCommandText,
  decodeFetchedTable,
  decodeResponse,
  encodeGetFilesRequest,
  encodeGetFilesTable,
  encodePacket,
  type FetchedFile,
  type Field,
  MAX_BATCHED_FILE_BYTES,
  ProtocolFlag,
  ResultCode,
} from '@sluice/wire';
import { answer, ask, TestServer } from '../support/test-server.js';

const { Download, Upload } = ProtocolFlag;
const EXTENDED: Field[] = [['Features', 'Batch']];
const { FileNotExist, FileIsInUse, ParameterError, TooLarge } = ResultCode;

interface Fetched extends FetchedFile {
  readonly content: string;
}

/** Asks for files and takes the answer apart. */
async function getFiles(
  peer: RawPeer,
  files: readonly BatchName[],
  directories: readonly string[] = [''],
  dirName = '',
): Promise<Fetched[]> {
  await peer.send(encodePacket(encodeGetFilesRequest(dirName), encodeGetFilesTable(directories, files)));
  const { text, data } = await peer.nextPacket();
  const bytes = Buffer.from(text);
  const response = decodeResponse(decodeCommandText(bytes, 0, bytes.length));
  assert.equal(response.code, 0, response.message);
  const table = decodeFetchedTable(data, Number(response.text.first('Count')));
  assert.ok(table);
  let at = table.contentStart;
  return table.files.map((file) => {
    const content = Buffer.from(data.subarray(at, at + file.facts.size)).toString('latin1');
    at += file.facts.size;
    return { ...file, content };
  });
}

function named(...names: string[]): BatchName[] {
  return names.map((name) => ({ directory: 0, name }));
}

describe('many small files of a server', () => {
  it('come in one answer, in order, with time, permissions and digest', async () => {
    await using server = await TestServer.start();
    await mkdir(server.path('a'));
    await writeFile(server.path('one'), 'first', { mode: 0o640 });
    await utimes(server.path('one'), 1_600_000_000, 1_600_000_000);
    await writeFile(server.path('a/two'), '');
    using peer = await server.login(Download, EXTENDED);
    const names = [
      { directory: 1, name: 'two' },
      { directory: 0, name: 'one' },
    ];
    const [two, one] = await getFiles(peer, names, ['', 'a']);
    assert.deepEqual([two?.code, two?.content, two?.facts.digest], [0, '', xxh64(Buffer.from(''))]);
    assert.equal(one?.content, 'first');
    const facts = { size: 5, digest: xxh64(Buffer.from('first')), modifiedNs: 1_600_000_000_000_000_000n, mode: 0o640 };
    assert.deepEqual(one?.facts, facts);
  });

  it('come as far as they fit; whoever asks for the rest gets it', async () => {
    await using server = await TestServer.start();
    const names = Array.from({ length: 40 }, (_, i) => `f${i}`);
    for (const name of names) await writeFile(server.path(name), name.repeat(20_000));
    using peer = await server.login(Download, EXTENDED);
    const got: Fetched[] = [];
    let answers = 0;
    for (; got.length < names.length; answers++) got.push(...(await getFiles(peer, named(...names.slice(got.length)))));
    assert.deepEqual(
      got.map(({ content }) => content),
      names.map((name) => name.repeat(20_000)),
    );
    assert.ok(answers > 1 && answers < 10, `${answers} answers`);
  });

  it('have a code each, and the others come', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('good'), 'g');
    await writeFile(server.path('large'), Buffer.alloc(MAX_BATCHED_FILE_BYTES + 1));
    await writeFile(server.path('fits'), Buffer.alloc(MAX_BATCHED_FILE_BYTES));
    await mkdir(server.path('directory'));
    await symlink(server.path('good'), server.path('link'));
    using writer = await server.login(Upload);
    await ask(writer, 'Upload', [
      ['DirName', ''],
      ['FileName', 'written'],
    ]);
    using peer = await server.login(Download, EXTENDED);
    const names = ['missing', 'good', '..', 'large', 'directory', 'link', 'written', 'fits'].map((name) => ({
      directory: 0,
      name,
    }));
    const files = [...names, { directory: 1, name: 'f' }, { directory: 2, name: 'users.json' }];
    const got = await getFiles(peer, files, ['', 'no-directory', '.sluice']);
    const P = ParameterError;
    assert.deepEqual(
      got.map(({ code }) => code),
      [FileNotExist, 0, P, TooLarge, P, P, FileIsInUse, 0, FileNotExist, P],
    );
    assert.equal(got[1]?.content, 'g');
    assert.equal(got[7]?.content.length, MAX_BATCHED_FILE_BYTES);
  });

  it('may be in more directories than are held at once', async () => {
    await using server = await TestServer.start();
    const directories = Array.from({ length: 90 }, (_, i) => `d${i}`);
    for (const directory of directories) {
      await mkdir(server.path(directory));
      await writeFile(server.path(directory, 'f'), directory);
    }
    using peer = await server.login(Download, EXTENDED);
    const files = directories.map((_, directory) => ({ directory, name: 'f' }));
    const got = await getFiles(peer, files, directories);
    assert.deepEqual(
      got.map(({ content }) => content),
      directories,
    );
  });

  it('are refused when the request cannot be read, when nobody has logged in, and to old clients', async () => {
    await using server = await TestServer.start();
    const table = encodeGetFilesTable([''], named('f'));
    using peer = await server.login(Download, EXTENDED);
    await peer.send(encodePacket(encodeGetFilesRequest(''), table.subarray(0, table.length - 1)));
    assert.deepEqual((await answer(peer)).slice(0, 2), ['Command=GetFiles', 'Code=6']);
    assert.equal((await getFiles(peer, []))[0], undefined);
    using old = await server.login(Download);
    await old.send(encodePacket(encodeGetFilesRequest(''), table));
    assert.deepEqual((await answer(old)).slice(0, 2), ['Command=GetFiles', 'Code=1']);
    using stranger = await server.connect();
    await stranger.send(Uint8Array.of(Download), encodePacket(encodeGetFilesRequest(''), table));
    assert.deepEqual((await answer(stranger)).slice(0, 2), ['Command=GetFiles', 'Code=8']);
  });
});
