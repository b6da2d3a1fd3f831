import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ChunkHash } from '@sluice/files';
import { ManualClock } from '@sluice/testkit';
import { DirectoryTree } from '../../../../../packages/server/dist/storage/directory-tree.js';
import type { StagedUpload } from '../../../../../packages/server/dist/storage/staging/staged-upload.js';
import { StagingArea } from '../../../../../packages/server/dist/storage/staging/staging-area.js';
import { temporaryDirectory } from '../temporary-directory.js';

const CHUNK = 4 << 20;
const CONTENT = Buffer.alloc(CHUNK, 7);
const silent = { error() {}, warn() {}, info() {}, debug() {} };

/** One connection that uploads. */
class Session {
  isTakenOver = false;
  async takeOver(): Promise<void> {
    this.isTakenOver = true;
  }
}

/** A staging area, and uploads of two chunks to one name. */
class Place implements AsyncDisposable {
  readonly area: StagingArea;
  readonly #tree: DirectoryTree;
  readonly #folder: AsyncDisposable;

  private constructor(area: StagingArea, tree: DirectoryTree, folder: AsyncDisposable) {
    this.area = area;
    this.#tree = tree;
    this.#folder = folder;
  }

  static async open(): Promise<Place> {
    const folder = await temporaryDirectory();
    const tree = await DirectoryTree.open(folder.path);
    const area = await StagingArea.open((isMade) => tree.openOwn('staging', isMade), {
      keepMs: 0,
      floorBytes: 0,
      clock: new ManualClock(),
      log: silent,
    });
    return new Place(area, tree, folder);
  }

  async begin(session: Session, sourceId = 'source', waits = true): Promise<StagedUpload> {
    await using directory = await this.#tree.resolve([]);
    return await this.area.begin(
      { user: 'ada', name: 'f', size: 2 * CHUNK, sourceId, waits, durable: true, quota: undefined },
      directory,
      'f',
      session,
      async () => undefined,
      new AbortController().signal,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.area.close();
    await this.#tree.close();
    await this.#folder[Symbol.asyncDispose]();
  }
}

/** How many turns of the event loop some work takes. */
async function turnsOf(work: Promise<void>): Promise<number> {
  let isDone = false;
  work.finally(() => {
    isDone = true;
  });
  let turns = 0;
  for (; !isDone; turns++) await nextTurn();
  return turns;
}

async function writeChunk(upload: StagedUpload, number: number): Promise<void> {
  const place = await upload.openPlace();
  place.moveTo(number * CHUNK);
  await place.write([CONTENT]);
  const hash = await ChunkHash.create();
  hash.update(CONTENT);
  await place.endChunk(hash.end());
}

describe('the staging area', () => {
  it('lets a newer session of an upload go on with it, at whatever moment of the end of the older one it comes', async () => {
    await using trial = await Place.open();
    const session = new Session();
    const upload = await trial.begin(session);
    await writeChunk(upload, 0);
    const most = await turnsOf(trial.area.leave(upload, session));
    for (let moment = 0; moment < 80; moment++) {
      const turns = Math.round((moment * most * 1.2) / 80);
      await using place = await Place.open();
      const [older, newer] = [new Session(), new Session()];
      const first = await place.begin(older);
      await writeChunk(first, 0);
      const leaving = place.area.leave(first, older);
      for (let i = 0; i < turns; i++) await nextTurn();
      const second = await place.begin(newer);
      await writeChunk(second, 1);
      await second.settle();
      assert.deepEqual([second.hasFailed, second.stagedBytes], [false, 2 * CHUNK], `after ${turns} turns`);
      await leaving;
      await place.area.leave(second, newer);
      assert.deepEqual(
        (await place.area.list()).map(({ stagedBytes, isHeld }) => [stagedBytes, isHeld]),
        [[2 * CHUNK, false]],
      );
    }
  });

  it('does not hand on an upload that is being given up', async () => {
    for (let turns = 0; turns < 20; turns++) {
      await using place = await Place.open();
      const first = await place.begin(new Session());
      await writeChunk(first, 0);
      const dropping = place.area.drop(first);
      for (let i = 0; i < turns; i++) await nextTurn();
      const second = await place.begin(new Session());
      await writeChunk(second, 1);
      await second.settle();
      assert.deepEqual([second.hasFailed, second.stagedBytes], [false, CHUNK], `after ${turns} turns`);
      await dropping;
      await place.area.drop(second);
      assert.deepEqual(await place.area.list(), []);
    }
  });

  it('keeps another upload to the name waiting until the first has ended, or refuses it', async () => {
    await using place = await Place.open();
    const first = await place.begin(new Session());
    await assert.rejects(place.begin(new Session(), 'other', false), { code: 'ERR_IN_USE' });
    let hasBegun = false;
    const waiting = place.begin(new Session(), 'other').then((upload) => {
      hasBegun = true;
      return upload;
    });
    for (let i = 0; i < 20; i++) await nextTurn();
    assert.equal(hasBegun, false);
    await place.area.drop(first);
    await place.area.drop(await waiting);
  });
});
