import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import {
  DEFAULT_DIRECTORY_ANCHOR,
  DirectoryHandle,
} from '../../../../../packages/server/dist/storage/directory-handle.js';
import {
  type JournalContent,
  type PartialIdentity,
  UploadJournal,
} from '../../../../../packages/server/dist/storage/staging/upload-journal.js';

const IDENTITY: PartialIdentity = {
  user: 'ada',
  targetKey: '7/f.bin',
  name: 'f.bin',
  size: 100,
  sourceId: 's',
  createdAtMs: 1,
  stamp: 5,
};

type Step = { readonly kind: 'finish' | 'drop'; readonly number: number } | { readonly kind: 'sync' | 'write' };

const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constantFrom('finish' as const, 'drop' as const), number: fc.nat(5) }),
    fc.record({ kind: fc.constantFrom('sync' as const, 'write' as const) }),
  ),
  { maxLength: 12 },
);

/** What a journal should say after some steps. */
class Model {
  readonly chunks = new Map<number, { digest: bigint; isSynced: boolean }>();
  lastSync = false;

  apply(step: Step, index: number): void {
    this.lastSync = step.kind === 'sync';
    if (step.kind === 'write') return;
    if (step.kind === 'finish') this.chunks.set(step.number, { digest: BigInt(index), isSynced: false });
    else if (step.kind === 'drop') this.chunks.delete(step.number);
    else for (const chunk of this.chunks.values()) chunk.isSynced = true;
  }

  requireEqual(content: JournalContent): void {
    const found = [...content.chunks].map(([number, { digest, isSynced }]) => [number, digest, isSynced]);
    const expected = [...this.chunks].map(([number, { digest, isSynced }]) => [number, digest, isSynced]);
    assert.deepEqual(found.sort(), expected.sort());
    assert.equal(content.lastSync !== undefined, this.lastSync);
  }
}

describe('the journal of an upload', () => {
  let folder = '';
  let directory: DirectoryHandle;
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'sluice-journal-'));
    directory = await DirectoryHandle.open(folder, DEFAULT_DIRECTORY_ANCHOR);
  });
  after(async () => {
    await directory.close();
    await rm(folder, { recursive: true });
  });

  /** Writes the steps. @returns the length of the journal after the head and after each step */
  async function write(name: string, list: readonly Step[]): Promise<number[]> {
    const { journal } = await UploadJournal.open(directory, name);
    const lengths: number[] = [];
    const measure = async (): Promise<void> => void lengths.push((await readFile(path.join(folder, name))).length);
    await journal.begin(IDENTITY);
    await measure();
    for (const [index, step] of list.entries()) {
      if (step.kind === 'finish') await journal.finishChunk(step.number, BigInt(index), 10);
      else if (step.kind === 'drop') await journal.dropChunk(step.number);
      else if (step.kind === 'write') await journal.beginWriting();
      else await journal.markSynced(journal.count, { size: 50, changedNs: 9n });
      await measure();
    }
    await journal.close();
    return lengths;
  }

  it('says after a crash at any byte what it said at the last whole record before', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.nat(), async (list, seed) => {
        const lengths = await write('j', list);
        const bytes = lengths.at(-1)!;
        const kept = seed % (bytes + 1);
        await truncate(path.join(folder, 'j'), kept);
        const { journal, content } = await UploadJournal.open(directory, 'j');
        await journal.close();
        const whole = lengths.filter((length) => length <= kept).length - 1;
        assert.deepEqual(content.identity, whole < 0 ? undefined : IDENTITY);
        const model = new Model();
        for (const [index, step] of list.slice(0, Math.max(0, whole)).entries()) model.apply(step, index);
        model.requireEqual(content);
        await rm(path.join(folder, 'j'));
      }),
      { numRuns: 60 },
    );
  });

  it('believes nothing that stands behind a damaged byte', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.nat(), fc.integer({ min: 1, max: 255 }), async (list, seed, mask) => {
        const lengths = await write('d', list);
        const bytes = await readFile(path.join(folder, 'd'));
        const at = seed % bytes.length;
        bytes[at] = bytes[at]! ^ mask;
        await writeFile(path.join(folder, 'd'), bytes);
        const content = await UploadJournal.read(directory, 'd');
        const whole = lengths.filter((length) => length <= at).length - 1;
        const model = new Model();
        for (const [index, step] of list.slice(0, Math.max(0, whole)).entries()) model.apply(step, index);
        model.requireEqual(content);
        assert.ok(content.damagedBytes > 0);
        await rm(path.join(folder, 'd'));
      }),
      { numRuns: 60 },
    );
  });

  it('does not take for synced what was finished while the sync went on', async () => {
    const { journal } = await UploadJournal.open(directory, 's');
    await journal.begin(IDENTITY);
    await journal.finishChunk(0, 1n, 10);
    const { count } = journal;
    await journal.finishChunk(1, 2n, 10);
    await journal.markSynced(count, { size: 20, changedNs: 1n });
    await journal.close();
    const content = await UploadJournal.read(directory, 's');
    assert.equal(content.chunks.get(0)?.isSynced, true);
    assert.equal(content.chunks.get(1)?.isSynced, false);
    assert.equal(content.lastSync, undefined);
  });
});
