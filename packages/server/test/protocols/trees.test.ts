import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import type { RawPeer } from '@sluice/testkit';
import {
  decodeCommandText,
  decodeListTreeResponse,
  decodeResponse,
  type Field,
  ProtocolFlag,
  type TreePage,
} from '@sluice/wire';
import fc from 'fast-check';
import { DirectoryTree } from '../../../../packages/server/dist/storage/directory-tree.js';
import { temporaryDirectory } from '../storage/temporary-directory.js';
import { ask, request, TestServer } from '../support/test-server.js';

async function page(peer: RawPeer, fields: Field[]): Promise<TreePage> {
  await peer.send(request('ListTree', fields));
  const { text, data } = await peer.nextPacket();
  const bytes = Buffer.from(text);
  return decodeListTreeResponse(decodeResponse(decodeCommandText(bytes, 0, bytes.length)), data);
}

/** All parts, with as many entries each as the server has time for, or as are asked for. */
async function allParts(peer: RawPeer, fields: Field[]): Promise<TreePage['entries']> {
  const first = await page(peer, fields);
  const entries = [...first.entries];
  for (let { cursor } = first; cursor !== undefined; ) {
    const part: TreePage = await page(peer, [...fields, ['Cursor', cursor]]);
    entries.push(...part.entries);
    cursor = part.cursor;
  }
  return entries;
}

/** A tree with these files, each path of several names. */
async function plant(root: string, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const isDirectory = path.endsWith('/');
    const directory = isDirectory ? path : path.slice(0, path.lastIndexOf('/') + 1);
    await mkdir(`${root}/${directory}`, { recursive: true });
    if (!isDirectory) await writeFile(`${root}/${path}`, path);
  }
}

describe('ListTree', () => {
  it('lists all that is below a directory: in each, first what is no directory, then directories with what is in them', async () => {
    await using server = await TestServer.start();
    await plant(server.root, ['t/b', 't/a/z', 't/a/y/x', 't/c', 't/empty/', 't/ab', '.sluice/secret', 'other']);
    await symlink('b', server.path('t/link'));
    using peer = await server.login(ProtocolFlag.Upload);
    const { entries, cursor } = await page(peer, [['DirName', 't']]);
    assert.equal(cursor, undefined);
    assert.deepEqual(
      entries.map(({ path, kind, size }) => [path, kind, size]),
      [
        ['ab', 'file', 4],
        ['b', 'file', 3],
        ['c', 'file', 3],
        ['link', 'other', 0],
        ['a', 'directory', 0],
        ['a/z', 'file', 5],
        ['a/y', 'directory', 0],
        ['a/y/x', 'file', 7],
        ['empty', 'directory', 0],
      ],
    );
    assert.ok(entries.every(({ modifiedNs, mode }) => BigInt(modifiedNs) > 0n && mode > 0));
    const all = await page(peer, [['DirName', '']]);
    assert.deepEqual(
      all.entries.slice(0, 2).map(({ path }) => path),
      ['other', 't'],
    );
    assert.equal(all.entries.length, 11, 'and nothing that belongs to the server');
  });

  it('tells the digest of a file that is as it was recorded', async () => {
    await using server = await TestServer.start();
    await plant(server.root, ['d/f', 'd/g']);
    using peer = await server.login(ProtocolFlag.Download);
    await ask(peer, 'VerifyFile', [
      ['DirName', 'd'],
      ['FileName', 'f'],
    ]);
    const digestsOf = async (): Promise<(string | undefined)[]> =>
      (await page(peer, [['DirName', 'd']])).entries.map(({ digest }) => digest);
    const [first, second] = await digestsOf();
    assert.match(first ?? '', /^[0-9a-f]{16}$/);
    assert.equal(second, undefined);
    await writeFile(server.path('d/f'), 'new');
    assert.deepEqual(await digestsOf(), [undefined, undefined]);
  });

  it('comes in parts that make the same whole, whatever their size', async () => {
    const name = fc.constantFrom('a', 'b', 'ab', 'Z', '~', 'ö', '😀');
    const path = fc.tuple(fc.array(name, { minLength: 1, maxLength: 4 }), fc.boolean());
    await fc.assert(
      fc.asyncProperty(fc.array(path, { maxLength: 14 }), fc.integer({ min: 1, max: 7 }), async (paths, limit) => {
        await using server = await TestServer.start();
        for (const [names, isDirectory] of paths) {
          await plant(server.root, [`${names.join('/')}${isDirectory ? '/' : ''}`]).catch(() => {}); // one is in the way
        }
        using peer = await server.login(ProtocolFlag.Upload);
        const whole = await allParts(peer, [['DirName', '']]);
        const parts = await allParts(peer, [
          ['DirName', ''],
          ['Count', limit],
        ]);
        assert.deepEqual(parts, whole);
      }),
      { numRuns: 40 },
    );
  });

  it('goes on behind a place that is gone', async () => {
    await using server = await TestServer.start();
    await plant(server.root, ['a', 'c', 'd/x', 'f/y']);
    using peer = await server.login(ProtocolFlag.Upload);
    const after = async (cursor: string): Promise<string[]> =>
      (
        await page(peer, [
          ['DirName', ''],
          ['Cursor', cursor],
        ])
      ).entries.map(({ path }) => path);
    assert.deepEqual(await after('f/b'), ['c', 'd', 'd/x', 'f', 'f/y']);
    assert.deepEqual(await after('d/e'), ['f', 'f/y']);
    assert.deepEqual(await after('f/e/z'), ['f', 'f/y']);
    assert.deepEqual(await after('d/d'), ['d/x', 'f', 'f/y']);
    assert.deepEqual(await after('f/../../etc'), ['d', 'd/x', 'f', 'f/y']);
  });

  it('leaves out names that no peer can address, and what is deeper than one can name', async () => {
    await using server = await TestServer.start();
    await writeFile(Buffer.concat([Buffer.from(`${server.root}/bad`), Buffer.of(0xff)]), '');
    await writeFile(server.path('line\nbreak'), '');
    await writeFile(server.path('good'), '');
    const deepest = Array.from({ length: 130 }, () => 'd').join('/');
    await mkdir(server.path(deepest), { recursive: true });
    using peer = await server.login(ProtocolFlag.Upload);
    const entries = await allParts(peer, [['DirName', '']]);
    assert.equal(entries[0]?.path, 'good');
    assert.equal(entries.length, 1 + 129);
    assert.deepEqual(entries.map(({ isUnreadable }) => isUnreadable).slice(-2), [undefined, true]);
    assert.ok(server.events.filter(({ event }) => event === 'a name cannot be listed').length >= 2);
  });

  it('is refused for what is no directory, a bad name, a bad number or a cursor of nobody', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), '');
    using peer = await server.login(ProtocolFlag.Download);
    for (const [fields, code] of [
      [[['DirName', 'none']], 0x02000001],
      [[['DirName', 'f']], 0x02000001],
      [[['DirName', '..']], 6],
      [[], 6],
      [
        [
          ['DirName', ''],
          ['Count', 0],
        ],
        6,
      ],
      [
        [
          ['DirName', ''],
          ['Count', 10_001],
        ],
        6,
      ],
      [
        [
          ['DirName', ''],
          ['Cursor', 'x/y'],
        ],
        6,
      ],
      [
        [
          ['DirName', ''],
          ['Cursor', ''],
        ],
        6,
      ],
    ] as [Field[], number][]) {
      assert.equal((await ask(peer, 'ListTree', fields))[1], `Code=${code}`, JSON.stringify(fields));
    }
  });

  it('ends a part early when it is long enough or has taken long enough, but not before its first entry', async () => {
    await using folder = await temporaryDirectory();
    await plant(folder.path, ['a/x', 'b/y', 'c']);
    await using tree = await DirectoryTree.open(folder.path);
    const options = { maxEntries: 100, maxPathLength: 1e6, isEnough: () => false };
    const pathsOf = async (given: Partial<typeof options>): Promise<string[]> => {
      const { entries, hasMore } = await tree.listTree([], { ...options, ...given });
      return [...entries.map(({ path }) => path.join('/')), ...(hasMore ? ['...'] : [])];
    };
    assert.deepEqual(await pathsOf({}), ['c', 'a', 'a/x', 'b', 'b/y']);
    assert.deepEqual(await pathsOf({ isEnough: () => true }), ['c', '...']);
    assert.deepEqual(await pathsOf({ maxPathLength: 5 }), ['c', 'a', 'a/x', '...']);
  });
});
