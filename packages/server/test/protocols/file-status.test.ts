import assert from 'node:assert/strict';
import { chmod, mkdir, open, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { ChunkDigester, contentDigestOf } from '@sluice/files';
import type { RawPeer } from '@sluice/testkit';
import {
  type CommandText,
  decodeCommandText,
  decodeResponse,
  decodeStatFileResponse,
  decodeVerifyFileResponse,
  type Field,
  ProtocolFlag,
  type VerifyFileAnswer,
} from '@sluice/wire';
import { VerifyQueue } from '../../../../packages/server/dist/protocols/verify-queue.js';
import { answer, ask, login, request, TestServer } from '../support/test-server.js';

const CHUNK = 4 << 20;
const TIME = new Date('2026-01-01T00:00:00Z');

function textOf(text: string): CommandText {
  const bytes = Buffer.from(text);
  return decodeCommandText(bytes, 0, bytes.length);
}

async function stat(peer: RawPeer, fields: Field[]) {
  await peer.send(request('StatFile', fields));
  return decodeStatFileResponse(decodeResponse(textOf((await peer.nextPacket()).text)));
}

async function verify(peer: RawPeer, fields: Field[]): Promise<VerifyFileAnswer> {
  await peer.send(request('VerifyFile', [['DirName', ''], ['FileName', 'f'], ...fields]));
  const { text, data } = await peer.nextPacket();
  return decodeVerifyFileResponse(decodeResponse(textOf(text)), data);
}

function damagedOf({ chunks }: VerifyFileAnswer): number[] {
  return chunks.flatMap(({ isDamaged }, i) => (isDamaged ? [i] : []));
}

/** A file whose time can be set again exactly. */
async function plant(path: string, content: Uint8Array): Promise<void> {
  await writeFile(path, content);
  await utimes(path, TIME, TIME);
}

/** Changes a bit of a file that was planted, and leaves its size and its time as they are. */
async function flipBit(path: string, at: number): Promise<void> {
  await using file = await open(path, 'r+');
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, at);
  byte[0]! ^= 4;
  await file.write(byte, 0, 1, at);
  await file.utimes(TIME, TIME);
}

async function chunkDigestsOf(content: Uint8Array): Promise<Uint8Array> {
  const digester = await ChunkDigester.create(CHUNK);
  digester.update(content);
  return digester.digests();
}

/** Three chunks, of which the last is short. */
function threeChunks(): Buffer {
  return Buffer.from(Array.from({ length: 2 * CHUNK + 1000 }, (_, i) => (i * 31 + (i >> 12)) & 0xff));
}

for (const flag of [ProtocolFlag.Upload, ProtocolFlag.Download]) {
  describe(`StatFile on flag ${flag}`, () => {
    it('tells kind, size, time and permissions of files, directories and everything else', async () => {
      await using server = await TestServer.start();
      await mkdir(server.path('d'));
      await writeFile(server.path('d/f'), 'four');
      await chmod(server.path('d/f'), 0o640);
      await utimes(server.path('d/f'), TIME, TIME);
      await symlink('f', server.path('d/link'));
      using peer = await server.login(flag);
      const file = await stat(peer, [
        ['DirName', 'd'],
        ['FileName', 'f'],
      ]);
      assert.deepEqual(
        { ...file, version: file.version?.length },
        {
          kind: 'file',
          size: 4n,
          modifiedNs: BigInt(TIME.getTime()) * 1_000_000n,
          mode: 0o640,
          version: 32,
          contentDigest: undefined,
        },
      );
      assert.equal((await stat(peer, [['DirName', 'd']])).kind, 'directory');
      assert.equal((await stat(peer, [['DirName', '']])).kind, 'directory');
      assert.equal(
        (
          await stat(peer, [
            ['DirName', ''],
            ['FileName', 'd'],
          ])
        ).kind,
        'directory',
      );
      const link = await stat(peer, [
        ['DirName', 'd'],
        ['FileName', 'link'],
      ]);
      assert.deepEqual([link.kind, link.size, link.version], ['other', 0n, undefined]);
    });

    it('has the same version as long as the file is the same and unchanged', async () => {
      await using server = await TestServer.start();
      await writeFile(server.path('f'), 'four');
      using peer = await server.login(flag);
      const fields: Field[] = [
        ['DirName', ''],
        ['FileName', 'f'],
      ];
      const { version } = await stat(peer, fields);
      assert.equal((await stat(peer, fields)).version, version);
      await utimes(server.path('f'), TIME, TIME);
      assert.notEqual((await stat(peer, fields)).version, version);
    });

    it('answers 9 for what is missing, 6 for a bad name, and does not reach what belongs to the server', async () => {
      await using server = await TestServer.start();
      await mkdir(server.path('.sluice'));
      using peer = await server.login(flag);
      for (const [dirName, fileName, code] of [
        ['', 'none', 9],
        ['none', 'f', 9],
        ['..', 'f', 6],
        ['', 'a/b', 6],
        ['', '..', 6],
        ['', '', 6],
        ['', '.sluice', 6],
        ['.sluice', 'digests', 6],
      ] as const) {
        const lines = await ask(peer, 'StatFile', [
          ['DirName', dirName],
          ['FileName', fileName],
        ]);
        assert.equal(lines[1], `Code=${code}`, `${dirName} ${fileName}`);
      }
      assert.equal((await ask(peer, 'StatFile', []))[1], 'Code=6');
    });
  });
}

describe('VerifyFile', () => {
  it('remembers what a file is that it has read as a whole, and finds each bit that is another later, by its chunk', async () => {
    await using server = await TestServer.start();
    const content = threeChunks();
    await plant(server.path('f'), content);
    using peer = await server.login(ProtocolFlag.Upload);
    const first = await verify(peer, []);
    assert.equal(first.state, 'unrecorded');
    assert.deepEqual(damagedOf(first), []);
    const digests = await chunkDigestsOf(content);
    assert.deepEqual(Buffer.concat(first.chunks.map(({ digest }) => digest)), Buffer.from(digests));

    const second = await verify(peer, []);
    assert.deepEqual([second.state, second.chunks.length, damagedOf(second)], ['recorded', 3, []]);
    const status = await stat(peer, [
      ['DirName', ''],
      ['FileName', 'f'],
    ]);
    assert.equal(status.contentDigest, contentDigestOf(digests));

    for (const [at, damaged] of [
      [CHUNK, [1]],
      [content.length - 1, [1, 2]],
      [0, [0, 1, 2]],
      [CHUNK, [0, 2]],
    ] as const) {
      await flipBit(server.path('f'), at);
      const found = await verify(peer, []);
      assert.deepEqual([found.state, damagedOf(found)], ['recorded', damaged], `${at}`);
    }
  });

  it('still knows it after the server has been started again', async () => {
    await using server = await TestServer.start();
    await plant(server.path('f'), threeChunks());
    using peer = await server.login(ProtocolFlag.Upload);
    await verify(peer, []);
    await flipBit(server.path('f'), 7);
    await using second = await TestServer.start({ root: server.root });
    using again = await second.login(ProtocolFlag.Download);
    const found = await verify(again, []);
    assert.deepEqual([found.state, damagedOf(found)], ['recorded', [0]]);
  });

  it('calls a file changed that is not the one that was recorded, and remembers the new one', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), 'one');
    using peer = await server.login(ProtocolFlag.Upload);
    const states: string[] = [];
    states.push((await verify(peer, [])).state, (await verify(peer, [])).state);
    await writeFile(server.path('f'), 'another');
    states.push((await verify(peer, [])).state, (await verify(peer, [])).state);
    assert.deepEqual(states, ['unrecorded', 'recorded', 'changed', 'recorded']);
  });

  it('reads a file range by range, and remembers it when the ranges make a whole', async () => {
    await using server = await TestServer.start();
    await plant(server.path('f'), threeChunks());
    using peer = await server.login(ProtocolFlag.Upload);
    const { version } = await verify(peer, [['Count', 0]]);
    const ranges: Field[][] = [0, 1, 2].map((i) => [
      ['Position', i * CHUNK],
      ['Count', CHUNK],
      ['Version', version],
    ]);
    for (const i of [0, 2]) assert.equal((await verify(peer, ranges[i]!)).state, 'unrecorded');
    assert.equal((await verify(peer, ranges[0]!)).state, 'unrecorded', 'one was missing');
    for (const i of [1, 2]) assert.equal((await verify(peer, ranges[i]!)).state, 'unrecorded');
    await flipBit(server.path('f'), CHUNK + 1);
    const [, middle] = [await verify(peer, ranges[0]!.slice(0, 2)), await verify(peer, ranges[1]!.slice(0, 2))];
    assert.deepEqual([middle?.state, damagedOf(middle!)], ['recorded', [0]]);
    // a range that ends within a chunk has the whole chunk read
    const part = await verify(peer, [
      ['Position', CHUNK],
      ['Count', 5],
    ]);
    assert.deepEqual([part.chunks.length, damagedOf(part)], [1, [0]]);
    assert.equal((await verify(peer, [['Position', 10 * CHUNK]])).chunks.length, 0);
  });

  it('answers 15 when the file is not the one that is meant any more', async () => {
    await using server = await TestServer.start();
    await plant(server.path('f'), threeChunks());
    using peer = await server.login(ProtocolFlag.Upload);
    const { version } = await verify(peer, [['Count', CHUNK]]);
    await truncate(server.path('f'), 5);
    const fields: Field[] = [
      ['DirName', ''],
      ['FileName', 'f'],
      ['Position', CHUNK],
      ['Version', version],
    ];
    assert.equal((await ask(peer, 'VerifyFile', fields))[1], 'Code=15');
  });

  it('answers with nothing done when its turn does not come in time, and with a part when the time is up', async () => {
    const queue = new VerifyQueue({ maxAtOnce: 1, maxWaitMs: 1 });
    const gone = new AbortController();
    let end: (() => void) | undefined;
    const first = queue.pass(() => new Promise<string>((resolve) => (end = () => resolve('done'))), gone.signal);
    assert.equal(await queue.pass(async () => 'never', gone.signal), undefined);
    const third = new VerifyQueue({ maxAtOnce: 1 }).pass(async () => 'at once', gone.signal);
    assert.equal(await third, 'at once');
    end?.();
    assert.equal(await first, 'done');
    gone.abort(new Error('gone'));
    await assert.rejects(
      queue.pass(async () => 'never', gone.signal),
      /gone/,
    );
  });

  it('refuses bad ranges, and files that are being uploaded', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), 'x');
    using peer = await server.login(ProtocolFlag.Upload);
    for (const [key, value] of [
      ['Position', 1],
      ['Position', -CHUNK],
      ['Count', -1],
      ['Count', (1 << 30) + 1],
      ['Version', ''],
    ] as const) {
      const lines = await ask(peer, 'VerifyFile', [
        ['DirName', ''],
        ['FileName', 'f'],
        [key, value],
      ]);
      assert.equal(lines[1], 'Code=6', `${key}=${value}`);
    }
    using uploader = await server.login(ProtocolFlag.Upload);
    assert.equal(
      (
        await ask(uploader, 'Upload', [
          ['DirName', ''],
          ['FileName', 'f'],
        ])
      )[1],
      'Code=0',
    );
    assert.equal(
      (
        await ask(peer, 'VerifyFile', [
          ['DirName', ''],
          ['FileName', 'f'],
        ])
      )[1],
      'Code=11',
    );
    assert.equal(
      (
        await ask(peer, 'VerifyFile', [
          ['DirName', ''],
          ['FileName', 'none'],
        ])
      )[1],
      'Code=9',
    );
  });

  it('needs a login', async () => {
    await using server = await TestServer.start();
    using peer = await server.connect();
    await peer.send(
      Uint8Array.of(ProtocolFlag.Download),
      request('VerifyFile', [
        ['DirName', ''],
        ['FileName', 'f'],
      ]),
    );
    assert.equal((await answer(peer))[1], 'Code=8');
    await peer.send(login());
    assert.equal((await answer(peer))[1], 'Code=0');
  });
});

describe('Digest on a Download connection', () => {
  it('tells what was recorded of a file that is as it was, without reading it', async () => {
    await using server = await TestServer.start();
    const content = threeChunks();
    await plant(server.path('f'), content);
    using peer = await server.login(ProtocolFlag.Download);
    await verify(peer, []);
    await flipBit(server.path('f'), 3);
    const digests = Buffer.from(await chunkDigestsOf(content));
    const digest = async (position: number, count: number): Promise<Buffer> => {
      const fields: Field[] = [
        ['DirName', ''],
        ['FileName', 'f'],
        ['Position', position],
        ['Count', count],
      ];
      await peer.send(request('Digest', fields));
      return Buffer.from((await peer.nextPacket()).data);
    };
    assert.deepEqual(await digest(0, 1 << 30), digests);
    assert.deepEqual(await digest(CHUNK, CHUNK), digests.subarray(8, 16));
    assert.deepEqual(await digest(4 * CHUNK, CHUNK), Buffer.alloc(0));
    // a part of a chunk is not recorded: it is read
    const part = Buffer.from(content.subarray(0, 10));
    part[3]! ^= 4;
    assert.deepEqual(await digest(0, 10), Buffer.from(await chunkDigestsOf(part)));
    await utimes(server.path('f'), new Date(), new Date());
    assert.notDeepEqual(await digest(0, 1 << 30), digests);
  });
});
