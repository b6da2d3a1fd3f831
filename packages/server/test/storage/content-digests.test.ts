import assert from 'node:assert/strict';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { contentDigestOf } from '@sluice/files';
import fc from 'fast-check';
import {
  ContentDigests,
  type ContentDigestsOptions,
  type NamedDigest,
  type RecordedDigest,
} from '../../../../packages/server/dist/storage/content-digests.js';
import { DirectoryHandle } from '../../../../packages/server/dist/storage/directory-handle.js';
import { temporaryDirectory } from './temporary-directory.js';

const MIB = 1 << 20;

function digestOf(fields: Partial<RecordedDigest> & { readonly size: number }): RecordedDigest {
  const chunkDigests = Buffer.alloc(Math.ceil(fields.size / (4 * MIB)) * 8, fields.size & 0xff);
  return {
    modifiedNs: 1_700_000_000_123_456_789n,
    inode: 7n,
    sourceId: undefined,
    chunkDigests,
    contentDigest: contentDigestOf(chunkDigests),
    ...fields,
  };
}

/** As a value that `deepEqual` compares, whatever kind of bytes it holds. */
function plain(digest: RecordedDigest | undefined): unknown {
  if (!digest) return undefined;
  const { size, modifiedNs, inode, contentDigest, sourceId, chunkDigests } = digest;
  return { size, modifiedNs, inode, contentDigest, sourceId, chunks: Buffer.from(chunkDigests).toString('hex') };
}

/** A directory in which all names that are asked for exist, or only some. */
function place(inode: number, names?: readonly string[]) {
  const all = { has: () => true } as unknown as ReadonlySet<string>;
  return { key: `99:${inode}`, names: async () => (names ? new Set(names) : all) };
}

async function openAt(path: string, options: ContentDigestsOptions = {}): Promise<ContentDigests> {
  return await ContentDigests.open(() => DirectoryHandle.open(path, 'descriptor'), options);
}

const named: fc.Arbitrary<NamedDigest> = fc
  .record({
    name: fc.constantFrom('a', 'b', 'c', 'ö'.repeat(120)),
    size: fc.constantFrom(0, 1, 4 * MIB, 4 * MIB + 1, 50 * MIB),
    inode: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
    modifiedNs: fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }),
    sourceId: fc.option(fc.string({ unit: 'grapheme', maxLength: 20 }), { nil: undefined }),
  })
  .map(({ name, ...fields }) => ({ name, digest: digestOf(fields) }));

/** The bytes of the log that these records, one after the other, make. */
async function logOf(records: readonly NamedDigest[]): Promise<Buffer> {
  await using folder = await temporaryDirectory();
  const digests = await openAt(folder.path);
  for (const record of records) assert.equal(await digests.record(place(1), [record], false), true);
  await digests.close();
  return await readFile(join(folder.path, '99-1.digests'));
}

/** Which of the records are found in a log with these bytes. */
async function foundIn(log: Uint8Array, records: readonly NamedDigest[]): Promise<NamedDigest[]> {
  await using folder = await temporaryDirectory();
  await writeFile(join(folder.path, '99-1.digests'), log);
  const digests = await openAt(folder.path);
  const found: NamedDigest[] = [];
  for (const { name } of records) {
    const digest = await digests.lastOf('99:1', name);
    if (digest) found.push({ name, digest });
  }
  // and the log can be used
  assert.equal(await digests.record(place(1), [{ name: 'later', digest: digestOf({ size: 3 }) }], true), true);
  await digests.close();
  const again = await openAt(folder.path);
  assert.ok(await again.lastOf('99:1', 'later'));
  for (const { name, digest } of found) assert.deepEqual(plain(await again.lastOf('99:1', name)), plain(digest));
  await again.close();
  return found;
}

function assertAllTrue(found: readonly NamedDigest[], recorded: readonly NamedDigest[]): void {
  for (const { name, digest } of found) {
    const isTrue = recorded.some((each) => {
      return each.name === name && JSON.stringify(plain(each.digest), text) === JSON.stringify(plain(digest), text);
    });
    assert.ok(isTrue, `${name} was never recorded like this`);
  }
}

function text(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}` : value;
}

describe('ContentDigests', () => {
  it('gives back what was recorded, also to the next one that opens it, by directory, name and version', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(named, { minLength: 1, maxLength: 12 }), async (records) => {
        await using folder = await temporaryDirectory();
        const newest = new Map(records.map(({ name, digest }) => [name, digest]));
        for (let opening = 0; opening < 2; opening += 1) {
          const digests = await openAt(folder.path);
          if (opening === 0) for (const record of records) await digests.record(place(1), [record], false);
          for (const [name, digest] of newest) {
            assert.deepEqual(plain(await digests.lookup('99:1', name, digest)), plain(digest));
            assert.equal(await digests.lookup('99:2', name, digest), undefined);
            assert.equal(await digests.lookup('99:1', `${name}.`, digest), undefined);
            assert.equal(await digests.lookup('99:1', name, { ...digest, size: digest.size + 1 }), undefined);
            assert.equal(
              await digests.lookup('99:1', name, { ...digest, modifiedNs: digest.modifiedNs ^ 1n }),
              undefined,
            );
            assert.equal(await digests.lookup('99:1', name, { ...digest, inode: digest.inode ^ 1n }), undefined);
          }
          assert.deepEqual([...(await digests.summariesOf('99:1')).keys()].sort(), [...newest.keys()].sort());
          await digests.close();
        }
      }),
      { numRuns: 30 },
    );
  });

  it('has none but true records in a log that ends too early, and all that are whole', async () => {
    const records = ['a', 'b', 'c', 'd'].map((name, i) => ({ name, digest: digestOf({ size: 3 + i * 20 * MIB }) }));
    const whole = await logOf(records);
    const ends = [48]; // of the header
    for (let count = 1; count <= records.length; count += 1) ends.push((await logOf(records.slice(0, count))).length);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: whole.length }), async (length) => {
        const found = await foundIn(whole.subarray(0, length), records);
        assertAllTrue(found, records);
        assert.equal(
          found.length,
          Math.max(
            0,
            ends.findLastIndex((end) => end <= length),
          ),
        );
      }),
      { numRuns: 60 },
    );
  });

  it('loses no more than the one record in which bytes were changed, and never gives out another than was recorded', async () => {
    const records = ['a', 'b', 'c', 'd', 'e'].map((name, i) => ({
      name,
      digest: digestOf({ size: 3 + i * 20 * MIB, sourceId: name }),
    }));
    const whole = await logOf(records);
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), async (at, bits) => {
        const damaged = Buffer.from(whole);
        damaged[at]! ^= bits;
        const found = await foundIn(damaged, records);
        assertAllTrue(found, records);
        assert.ok(found.length >= records.length - 1, `${found.length} of ${records.length} are left`);
      }),
      { numRuns: 100 },
    );
  });

  it('gives out nothing but what was recorded, however a log was damaged', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(named, { minLength: 1, maxLength: 6 }),
        fc.array(fc.tuple(fc.nat(), fc.nat(), fc.uint8Array({ maxLength: 40 })), { maxLength: 4 }),
        async (records, splices) => {
          let log = await logOf(records);
          for (const [at, count, bytes] of splices) {
            const start = at % (log.length + 1);
            log = Buffer.concat([log.subarray(0, start), bytes, log.subarray(start + (count % 64))]);
          }
          assertAllTrue(await foundIn(log, records), records);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('does not take a record for good that a peer has put into the name of a source', async () => {
    // A record of another log, as text: its checksum is another one here.
    const other = await logOf([{ name: 'a', digest: digestOf({ size: 1, contentDigest: '00'.repeat(8) }) }]);
    const log = await logOf([{ name: 'b', digest: digestOf({ size: 2 }) }]);
    const found = await foundIn(Buffer.concat([log, other.subarray(48)]), [
      { name: 'a', digest: digestOf({ size: 1 }) },
    ]);
    assert.deepEqual(found, []);
  });

  it('writes what is recorded at the same time together, and syncs it once', async () => {
    await using folder = await temporaryDirectory();
    const handle = await DirectoryHandle.open(folder.path, 'descriptor');
    let openings = 0;
    let syncs = 0;
    const counting = {
      readKey: () => handle.readKey(),
      sync: () => handle.sync(),
      close: () => handle.close(),
      async openFile(name: string, flags: number, mode?: number) {
        openings += 1;
        const file = await handle.openFile(name, flags, mode);
        const datasync = file.datasync.bind(file);
        file.datasync = () => {
          syncs += 1;
          return datasync();
        };
        return file;
      },
    };
    const digests = await ContentDigests.open(async () => counting as unknown as DirectoryHandle);
    const results = await Promise.all(
      Array.from({ length: 500 }, (_, i) =>
        digests.record(place(1), [{ name: `${i}`, digest: digestOf({ size: i }) }], true),
      ),
    );
    assert.ok(results.every((isRecorded) => isRecorded));
    assert.deepEqual([openings, syncs], [1, 1]);
    for (let i = 0; i < 500; i += 1) assert.equal((await digests.lastOf('99:1', `${i}`))?.size, i);
    await digests.close();
  });

  it('keeps a log short: what was replaced goes, and what is of files that are gone', async () => {
    await using folder = await temporaryDirectory();
    const digests = await openAt(folder.path);
    const directory = place(1, ['kept', 'replaced']);
    await digests.record(directory, [{ name: 'kept', digest: digestOf({ size: 900 * MIB }) }], false);
    for (let i = 0; i < 40; i += 1) {
      const entries = Array.from({ length: 100 }, (_, j) => ({
        name: `gone-${i}-${j}`,
        digest: digestOf({ size: j }),
      }));
      await digests.record(directory, [...entries, { name: 'replaced', digest: digestOf({ size: i }) }], false);
    }
    await digests.close();
    const { size } = await stat(join(folder.path, '99-1.digests'));
    assert.ok(size < 80 << 10, `${size} bytes`);
    assert.deepEqual(await readdir(folder.path), ['99-1.digests']);
    const again = await openAt(folder.path);
    assert.equal((await again.lastOf('99:1', 'replaced'))?.size, 39);
    assert.deepEqual(plain(await again.lastOf('99:1', 'kept')), plain(digestOf({ size: 900 * MIB })));
    await again.close();
  });

  it('goes on finding what it does not keep in memory', async () => {
    await using folder = await temporaryDirectory();
    const digests = await openAt(folder.path, { maxRecordsInMemory: 10 });
    for (let i = 0; i < 30; i += 1) {
      await digests.record(place(i), [{ name: 'a', digest: digestOf({ size: i * 10 * MIB }) }], false);
    }
    for (let i = 0; i < 30; i += 1) {
      assert.deepEqual(plain(await digests.lastOf(`99:${i}`, 'a')), plain(digestOf({ size: i * 10 * MIB })));
    }
    await digests.close();
  });

  it('forgets the oldest records of a directory that has too many', async () => {
    await using folder = await temporaryDirectory();
    const digests = await openAt(folder.path, { maxRecordsOfDirectory: 3 });
    for (const name of ['a', 'b', 'a', 'c', 'd']) {
      await digests.record(place(1), [{ name, digest: digestOf({ size: 1 }) }], false);
    }
    assert.deepEqual([...(await digests.summariesOf('99:1')).keys()], ['a', 'c', 'd']);
    await digests.close();
  });

  it('lives with another process that writes to the same logs', async () => {
    await using folder = await temporaryDirectory();
    const stores = [await openAt(folder.path), await openAt(folder.path)];
    for (let i = 0; i < 2000; i += 1) {
      const entries = [{ name: `${i % 40}`, digest: digestOf({ size: i * MIB }) }];
      assert.equal(await stores[i % 2]!.record(place(1), entries, false), true);
    }
    for (const store of stores) await store.close();
    const third = await openAt(folder.path);
    for (let i = 0; i < 40; i += 1) assert.equal((await third.lastOf('99:1', `${i}`))?.size, (1960 + i) * MIB);
    await third.close();
  });

  it('records nothing where nothing can be written, says so, and does not fail', async () => {
    const nowhere = await ContentDigests.open(async () => undefined);
    const record = { name: 'a', digest: digestOf({ size: 1 }) };
    assert.equal(await nowhere.record(place(1), [record], true), false);
    assert.equal(await nowhere.lookup('99:1', 'a', record.digest), undefined);
    assert.equal((await nowhere.summariesOf('99:1')).size, 0);
    await nowhere.close();

    const codes: string[] = [];
    const full = {
      readKey: async () => '1:2',
      close: async () => {},
      openFile: () => Promise.reject(Object.assign(new Error('full'), { code: 'ENOSPC' })),
    };
    const onFailure = (code: string): void => void codes.push(code);
    const digests = await ContentDigests.open(async () => full as unknown as DirectoryHandle, { onFailure });
    assert.equal(await digests.record(place(1), [record], true), false);
    assert.equal(await digests.lookup('99:1', 'a', record.digest), undefined);
    assert.deepEqual(codes, ['ENOSPC', 'ENOSPC']);
    await digests.close();
  });
});
