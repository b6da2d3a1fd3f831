import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ChunkHash } from '@sluice/files';
import fc from 'fast-check';
import { ChunkLedger } from '../../../packages/client/dist/chunk-ledger.js';
import { DownloadJournal, JournalState } from '../../../packages/client/dist/download-journal.js';
import {
  type DownloadRecord,
  decodeDownloadRecord,
  encodeDownloadRecord,
} from '../../../packages/client/dist/download-records.js';
import { JournaledPartial } from '../../../packages/client/dist/journaled-partial.js';
import { PartialFile } from '../../../packages/client/dist/partial-file.js';
import { someBytes } from './fixture.js';

const CHUNK = 4 << 20;
const u32 = fc.nat({ max: 2 ** 32 - 1 });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const i64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

/** Objects as other code makes them, with a prototype. */
function plain<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>;
}

const record: fc.Arbitrary<DownloadRecord> = fc.oneof(
  plain({
    kind: fc.constant('head' as const),
    head: plain({
      format: fc.constant(1 as const),
      remote: fc.string({ unit: 'grapheme' }),
      version: fc.string(),
      size: fc.maxSafeNat(),
      inode: u64,
      stampNs: i64,
      unknownBytes: fc.maxSafeNat(),
    }),
  }),
  plain({ kind: fc.constant('chunk' as const), chunk: u32, bytes: u32, digest: u64 }),
  plain({ kind: fc.constant('dropped' as const), first: u32, count: fc.nat({ max: 3 }) }),
  plain({ kind: fc.constant('digests' as const), first: u32, digests: fc.array(u64, { maxLength: 5 }) }),
  plain({ kind: fc.constant('synced' as const), chunkRecords: u32 }),
  plain({ kind: fc.constant('closed' as const), size: i64, modifiedNs: i64, changedNs: i64 }),
);

describe('records of a download', () => {
  it('come out as they went in', () => {
    fc.assert(fc.property(record, (each) => assert.deepEqual(decodeDownloadRecord(encodeDownloadRecord(each)), each)));
  });

  it('are recognized as none when they are anything else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const decoded = decodeDownloadRecord(bytes);
        if (decoded && decoded.kind !== 'head')
          assert.deepEqual(Buffer.from(encodeDownloadRecord(decoded)), Buffer.from(bytes));
      }),
    );
    const head = { format: 1, remote: '', version: '', size: 1, inode: '1', stampNs: '1', unknownBytes: 0 };
    for (const bad of [
      { format: 2 },
      { size: -1 },
      { size: 1.5 },
      { inode: 1 },
      { stampNs: 'x' },
      { unknownBytes: null },
    ]) {
      const bytes = Buffer.concat([Uint8Array.of(0), Buffer.from(JSON.stringify({ ...head, ...bad }))]);
      assert.equal(decodeDownloadRecord(bytes), undefined);
    }
  });
});

describe('The journal of a download', () => {
  it('comes, after any crash, to what some beginning of its records comes to', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-journal-'));
    try {
      await fc.assert(
        fc.asyncProperty(
          fc.array(record, { maxLength: 20 }),
          fc.double({ min: 0, max: 1, noNaN: true }),
          async (records, where) => {
            const target = join(folder, 'f');
            await rm(`${target}.sluice-journal`, { force: true });
            const journal = await DownloadJournal.open(target);
            for (const each of records) journal.add(each);
            await journal.close();
            const bytes = await readFile(journal.path);
            const length = Math.floor(where * bytes.length);
            await writeFile(journal.path, bytes.subarray(0, length));
            const torn = await DownloadJournal.open(target);
            await torn.close();
            const states = records.reduce<JournalState[]>(
              (all, _, count) => {
                const state = new JournalState();
                for (const each of records.slice(0, count + 1)) state.add(each);
                all.push(state);
                return all;
              },
              [new JournalState()],
            );
            assert.ok(states.some((state) => isSame(state, torn.state)));
            assert.equal(
              (await stat(journal.path)).size,
              length,
              'what is damaged is not hidden from the next one who opens it',
            );
            if (length === bytes.length) assert.equal(torn.damagedBytes, 0);
          },
        ),
        { numRuns: 60 },
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

function isSame(a: JournalState, b: JournalState): boolean {
  try {
    assert.deepEqual(a, b);
    return true;
  } catch {
    return false;
  }
}

describe('ChunkLedger', () => {
  it('hands out each missing chunk to one at a time, and all in the end, whatever is given back or arrives damaged', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 40 * CHUNK }), fc.infiniteStream(fc.nat()), (size, numbers) => {
        const pick = (count: number) => numbers.next().value % count;
        const ledger = new ChunkLedger(size);
        const handedOut = new Map<number, number[]>();
        const done = new Set<number>();
        let decided = 0;
        let lane = 0;
        for (let steps = 0; !ledger.isComplete; steps++) {
          const isCalm = steps > 300; // nothing goes wrong any more
          const action = pick(4);
          if (action === 0 && ledger.known < ledger.chunks) {
            const count = Math.min(1 + pick(5), ledger.chunks - ledger.known);
            ledger.learn(Array.from({ length: count }, (_, i) => BigInt(ledger.known + i)));
          } else if (action === 1 && decided < ledger.known) {
            const isHere = pick(2) === 0;
            if (isHere) done.add(decided);
            ledger.decide(decided++, isHere);
          } else if (action === 2) {
            const run = ledger.take(1 + pick(4));
            if (!run) continue;
            const chunks = Array.from({ length: run.end - run.first }, (_, i) => run.first + i);
            for (const chunk of chunks) {
              assert.ok(!done.has(chunk) && ![...handedOut.values()].flat().includes(chunk));
            }
            handedOut.set(lane++, chunks);
          } else {
            const [id, chunks] = [...handedOut][pick(Math.max(1, handedOut.size))] ?? [];
            if (id === undefined || !chunks) continue;
            const [first = 0] = chunks;
            if (!isCalm && pick(4) === 0) {
              ledger.giveBack({ first, end: first + chunks.length, begun: undefined });
              handedOut.delete(id);
            } else {
              const isRight = isCalm || pick(4) > 0;
              assert.equal(ledger.arrived(first, BigInt(isRight ? first : first + 1)) === 'done', isRight);
              if (isRight) done.add(first);
              chunks.shift();
              if (chunks.length === 0) handedOut.delete(id);
            }
          }
        }
        assert.equal(done.size, ledger.chunks);
        assert.equal(ledger.doneBytes, size);
        assert.equal(ledger.take(1), undefined);
      }),
      { numRuns: 200 },
    );
  });
});

describe('A partial whose process was killed', () => {
  /** Writes 19 chunks, of which 16 and not all are synced, and is killed. */
  async function killed(folder: string, content: Buffer): Promise<void> {
    await writeFile(join(folder, 'content'), content);
    const dist = new URL('../../../packages/client/dist/', import.meta.url);
    const script = `
      import { readFileSync } from 'node:fs';
      import { ChunkHash } from '@sluice/files';
      import { JournaledPartial } from '${dist}journaled-partial.js';
      import { PartialFile } from '${dist}partial-file.js';
      const content = readFileSync('${folder}/content');
      const newHash = await ChunkHash.maker();
      const partial = await JournaledPartial.open(await PartialFile.open('${folder}/f'));
      await partial.begin('f', 'v', content.length);
      for (let chunk = 0; chunk < 19; chunk++) {
        const bytes = content.subarray(chunk * ${CHUNK}, (chunk + 1) * ${CHUNK});
        const hash = newHash();
        hash.update(bytes);
        await partial.write(chunk * ${CHUNK}, bytes);
        partial.keep(chunk, bytes.length, hash.end());
        if (chunk === 15) {
          const synced = Buffer.from([4, 0, 0, 0, 16]);
          while (!readFileSync('${folder}/f.sluice-journal').includes(synced)) {
            partial.written(${CHUNK}); // a sync begins with the fourth
            await new Promise(setImmediate);
          }
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 50)); // the last records
      process.kill(process.pid, 'SIGKILL');`;
    const cwd = fileURLToPath(new URL('../../../packages/client', import.meta.url));
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { cwd, stdio: 'inherit' });
    const [, signal] = await once(child, 'exit');
    assert.equal(signal, 'SIGKILL');
  }

  async function inFolder(work: (folder: string, content: Buffer) => Promise<void>): Promise<void> {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-partial-'));
    try {
      const content = someBytes(19 * CHUNK);
      await killed(folder, content);
      await work(folder, content);
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  /** What the partial says of its chunks, and of how many it had to read to say it. */
  async function look(
    folder: string,
    content: Buffer,
  ): Promise<{ right: number; read: number; damaged: readonly object[] }> {
    const file = await PartialFile.open(join(folder, 'f'));
    const partial = await JournaledPartial.open(file);
    try {
      const { handle } = file;
      let read = 0;
      const original = handle.read.bind(handle);
      Object.defineProperty(handle, 'read', {
        value: (...args: Parameters<typeof original>) => {
          read += 1;
          return original(...args);
        },
      });
      const newHash = await ChunkHash.maker();
      await partial.begin('f', 'v', content.length);
      let right = 0;
      for (let chunk = 0; chunk < 19; chunk++) {
        const hash = newHash();
        hash.update(content.subarray(chunk * CHUNK, (chunk + 1) * CHUNK));
        if ((await partial.digestOf(chunk, CHUNK)) === hash.end()) right += 1;
      }
      return { right, read, damaged: partial.damaged };
    } finally {
      await partial.close();
      await file.close();
    }
  }

  it('is believed without reading what was synced, and read otherwise', async () => {
    await inFolder(async (folder, content) => {
      const { right, read, damaged } = await look(folder, content);
      assert.deepEqual([right, damaged], [19, []]);
      assert.ok(read >= 1 && read <= 3, `${read} chunks read`);
    });
  });

  it('is read as a whole when somebody else has written to it and put its times back', async () => {
    await inFolder(async (folder, content) => {
      await pause(60);
      const path = join(folder, 'f.sluice-part');
      const { mtimeNs } = await stat(path, { bigint: true });
      const handle = await open(path, 'r+');
      await handle.write(Buffer.alloc(10), 0, 10, CHUNK + 5);
      await handle.close();
      const seconds = (Number(mtimeNs / 1_000n) + 0.5) / 1e6;
      await utimes(path, seconds, seconds);
      assert.equal((await stat(path, { bigint: true })).mtimeNs, mtimeNs);
      const { right, read, damaged } = await look(folder, content);
      assert.deepEqual([right, read], [18, 19]);
      assert.deepEqual(damaged, [{ file: 'partial', position: CHUNK, bytes: CHUNK }]);
    });
  });

  it('is read as a whole when it was written to, however soon', async () => {
    await inFolder(async (folder, content) => {
      const handle = await open(join(folder, 'f.sluice-part'), 'r+');
      await handle.write(Buffer.alloc(10), 0, 10, 2 * CHUNK);
      await handle.close();
      const { right, damaged } = await look(folder, content);
      assert.deepEqual([right, damaged], [18, [{ file: 'partial', position: 2 * CHUNK, bytes: CHUNK }]]);
    });
  });
});
