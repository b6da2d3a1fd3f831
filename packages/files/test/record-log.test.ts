import assert from 'node:assert/strict';
import { type FileHandle, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { parseRecords, RecordLog } from '@sluice/files';
import fc from 'fast-check';

const payloads = fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 12 });

/** A file for a log, removed when disposed. */
class Scratch implements AsyncDisposable {
  readonly file: string;
  readonly #folder: string;
  readonly #handles: FileHandle[] = [];

  private constructor(folder: string) {
    this.#folder = folder;
    this.file = path.join(folder, 'log');
  }

  static async make(): Promise<Scratch> {
    return new Scratch(await mkdtemp(path.join(os.tmpdir(), 'sluice-log-')));
  }

  async open(maxBytes?: number) {
    const handle = await open(this.file, 'a').then(async (made) => {
      await made.close();
      return open(this.file, 'r+');
    });
    this.#handles.push(handle);
    return { handle, ...(await RecordLog.open(handle, maxBytes === undefined ? {} : { maxBytes })) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const handle of this.#handles) await handle.close().catch(() => {});
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** A log with these records, as bytes. */
async function logOf(records: readonly Uint8Array[]): Promise<Buffer> {
  await using scratch = await Scratch.make();
  const { log } = await scratch.open();
  await Promise.all(records.map((record) => log.append(record)));
  return await readFile(scratch.file);
}

function texts(records: readonly Uint8Array[]): string[] {
  return records.map((record) => Buffer.from(record).toString('hex'));
}

describe('record log', () => {
  it('gives back what was appended, in order, also to the next one who opens it and appends', async () => {
    await fc.assert(
      fc.asyncProperty(payloads, payloads, async (first, second) => {
        await using scratch = await Scratch.make();
        const one = await scratch.open();
        for (const record of first) await one.log.append(record);
        const two = await scratch.open();
        assert.deepEqual(texts(two.records), texts(first));
        assert.equal(two.damagedBytes, 0);
        await Promise.all(second.map((record) => two.log.append(record)));
        await two.log.sync();
        const three = await scratch.open();
        assert.deepEqual(texts(three.records), texts([...first, ...second]));
        assert.equal(three.log.bytes, (await readFile(scratch.file)).length);
      }),
      { numRuns: 60 },
    );
  });

  it('keeps what is in front of a torn end, wherever it is torn, and goes on there', async () => {
    await fc.assert(
      fc.asyncProperty(
        payloads,
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.boolean(),
        async (all, where, zeroed) => {
          const whole = await logOf(all);
          const at = Math.floor(where * whole.length);
          await using scratch = await Scratch.make();
          const torn = zeroed
            ? Buffer.concat([whole.subarray(0, at), Buffer.alloc(whole.length - at)])
            : whole.subarray(0, at);
          await writeFile(scratch.file, torn);
          const { log, records } = await scratch.open();
          const kept = texts(records);
          // what ends in zeros anyway may be whole although they were zeroed
          assert.deepEqual(kept, texts(all).slice(0, kept.length));
          await log.append(Buffer.from('more'));
          assert.deepEqual(texts((await scratch.open()).records), [...kept, texts([Buffer.from('more')])[0]]);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('never takes a record for good that has a changed bit, nor one behind it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 80 }), { minLength: 1, maxLength: 12 }),
        fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
        async (all, where) => {
          const bytes = await logOf(all);
          const bit = Math.floor(where * bytes.length * 8);
          bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
          let hit = 0;
          for (let end = 0; hit < all.length; hit++) {
            end += 12 + (all[hit]?.length ?? 0);
            if (bit >> 3 < end) break;
          }
          const { records, goodBytes } = await parseRecords(bytes);
          assert.deepEqual(texts(records), texts(all.slice(0, hit)));
          assert.equal(
            goodBytes,
            all.slice(0, hit).reduce((sum, each) => sum + 12 + each.length, 0),
          );
        },
      ),
    );
  });

  it('does not take a record for good at another place than its own', async () => {
    const bytes = await logOf([Buffer.from('one'), Buffer.from('two')]);
    const { records } = await parseRecords(Buffer.concat([bytes, bytes]));
    assert.deepEqual(texts(records), texts([Buffer.from('one'), Buffer.from('two')]));
    assert.deepEqual((await parseRecords(bytes.subarray(15))).records, []);
    assert.deepEqual((await parseRecords(Buffer.alloc(1000))).records, []);
  });

  it('reads no more than it may, and counts the rest as damaged', async () => {
    await using scratch = await Scratch.make();
    const one = await scratch.open();
    for (let i = 0; i < 10; i++) await one.log.append(Buffer.alloc(88));
    const { records, damagedBytes } = await scratch.open(250);
    assert.deepEqual([records.length, damagedBytes], [2, 800]);
    assert.equal((await readFile(scratch.file)).length, 200);
  });

  it('refuses everything once a write has failed', async () => {
    await using scratch = await Scratch.make();
    const { log, handle } = await scratch.open();
    await log.append(Buffer.from('good'));
    await handle.close();
    await assert.rejects(log.append(Buffer.from('lost')), { code: 'EBADF' });
    await assert.rejects(log.append(Buffer.from('later')), { code: 'EBADF' });
    await assert.rejects(log.sync(), { code: 'EBADF' });
    await log.settle();
    assert.deepEqual(texts((await scratch.open()).records), texts([Buffer.from('good')]));
  });
});
