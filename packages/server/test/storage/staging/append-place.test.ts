import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { ManualClock } from '@sluice/testkit';
import fc from 'fast-check';
import { DirectoryTree } from '../../../../../packages/server/dist/storage/directory-tree.js';
import type { StagedUpload } from '../../../../../packages/server/dist/storage/staging/staged-upload.js';
import { StagingArea } from '../../../../../packages/server/dist/storage/staging/staging-area.js';
import { temporaryDirectory } from '../temporary-directory.js';

const CHUNK = 4 << 20;
const CONTENT = Buffer.alloc(2 * CHUNK + 12_345);
for (let at = 0; at + 32 <= CONTENT.length; at += 32) createHash('sha256').update(`${at}`).digest().copy(CONTENT, at);

const silent = { error() {}, warn() {}, info() {}, debug() {} };
const holder = { takeOver: async () => {} };

async function openArea(tree: DirectoryTree): Promise<StagingArea> {
  return await StagingArea.open((isMade) => tree.openOwn('staging', isMade), {
    keepMs: 0,
    floorBytes: 0,
    clock: new ManualClock(),
    log: silent,
  });
}

async function begin(tree: DirectoryTree, area: StagingArea): Promise<StagedUpload> {
  await using directory = await tree.resolve([]);
  const request = {
    user: 'admin',
    name: 'a',
    size: CONTENT.length,
    sourceId: 'source',
    waits: false,
    durable: true,
    quota: undefined,
  };
  return await area.begin(request, directory, 'a', holder, async () => undefined, new AbortController().signal);
}

/** What happens to an upload: a piece that is kept or discarded, a break after which it is opened anew, or a crash. */
const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('piece' as const), bytes: fc.integer({ min: 1, max: 5_000_000 }) }),
  },
  fc.record({ kind: fc.constant('discarded' as const), bytes: fc.integer({ min: 1, max: 5_000_000 }) }),
  fc.record({ kind: fc.constantFrom('put away' as const, 'crash' as const), bytes: fc.constant(0) }),
);

describe('a place at the end of a staged upload', () => {
  it('is behind what was kept, whatever pieces came, were discarded, put away or survived a crash', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
        await using folder = await temporaryDirectory();
        await using tree = await DirectoryTree.open(folder.path);
        let area = await openArea(tree);
        let upload = await begin(tree, area);
        let place = await upload.openAppendPlace();
        let kept = 0;
        const crashed: StagedUpload[] = [];
        for (const { kind, bytes } of steps) {
          if (kind === 'put away' || kind === 'crash') {
            if (kind === 'put away') {
              place.close();
              await area.leave(upload, holder);
            } else {
              await new Promise((resolve) => setImmediate(resolve)); // the journal is written at the end of the tick
              crashed.push(upload);
              area = await openArea(tree);
            }
            upload = await begin(tree, area);
            place = await upload.openAppendPlace();
          } else {
            const end = Math.min(CONTENT.length, kept + bytes);
            place.begin(kind === 'discarded');
            const source = kind === 'piece' ? CONTENT : Buffer.alloc(CONTENT.length, 0xff);
            for (let at = kept; at < end; at += 999_999)
              await place.write(source.subarray(at, Math.min(end, at + 999_999)));
            if (kind === 'piece') {
              place.keep();
              kept = end;
            } else await place.discard();
          }
          if (kind === 'crash') assert.ok(place.position <= kept);
          else assert.equal(place.position, kept);
          kept = place.position;
        }
        place.begin(false);
        await place.write(CONTENT.subarray(kept));
        place.keep();
        upload.seal();
        assert.notEqual(await upload.wholeDigest(CONTENT.length), undefined);
        await using directory = await tree.resolve([]);
        await upload.finish(CONTENT.length, { modifiedNs: undefined, mode: undefined, durable: false });
        await area.publish(upload, directory, 'a', false);
        await area.drop(upload);
        const handle = await open(`${folder.path}/a`);
        const stored = await handle.readFile();
        await handle.close();
        assert.ok(CONTENT.equals(stored));
        await area.close();
        for (const one of crashed) await one.close();
      }),
      { numRuns: 10 },
    );
  });

  it('asserts that nobody writes behind the end of the file', async () => {
    await using folder = await temporaryDirectory();
    await using tree = await DirectoryTree.open(folder.path);
    const area = await openArea(tree);
    const upload = await begin(tree, area);
    const place = await upload.openAppendPlace();
    place.begin(false);
    await place.write(CONTENT);
    assert.equal(place.position, CONTENT.length);
    assert.throws(() => place.write(Buffer.from('x')), /storage failed/);
    place.keep();
    await area.leave(upload, holder);
    await area.close();
  });
});
