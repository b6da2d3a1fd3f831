import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  OpenFiles,
  type ReadClaim,
  type WriteClaim,
  type WriteHolder,
} from '../../../../packages/server/dist/storage/open-files.js';
import { StorageError } from '../../../../packages/server/dist/storage/storage-error.js';

const isInUse = (error: unknown): boolean => error instanceof StorageError && error.code === 'ERR_IN_USE';

/** A holder whose closing ends when the test says so. */
class Holder implements WriteHolder {
  readonly kind: 'upload' | 'remote-stream';
  takeOvers = 0;
  letGo!: () => void;
  fail!: (error: Error) => void;
  readonly #gone = new Promise<void>((resolve, reject) => {
    this.letGo = resolve;
    this.fail = reject;
  });

  constructor(kind: 'upload' | 'remote-stream' = 'upload') {
    this.kind = kind;
    this.#gone.catch(() => {});
  }

  takeOver(): Promise<void> {
    this.takeOvers += 1;
    return this.#gone;
  }
}

async function stateOf(promise: Promise<void>): Promise<'pending' | 'ended' | 'rejected'> {
  let state: 'pending' | 'ended' | 'rejected' = 'pending';
  promise.then(
    () => {
      state = 'ended';
    },
    () => {
      state = 'rejected';
    },
  );
  await new Promise((resolve) => setImmediate(resolve));
  return state;
}

describe('OpenFiles', () => {
  it('gives a free file to a writer at once', async () => {
    const files = new OpenFiles();
    const claim = files.claimForWriting('k', new Holder());
    assert.equal(await stateOf(claim.ready), 'ended');
    assert.ok(files.isInUse('k') && files.isWritten('k') && !files.isInUse('other'));
    assert.equal(files.size, 1);
    claim.release();
    assert.ok(!files.isInUse('k') && !files.isWritten('k'));
    assert.equal(files.size, 0);
  });

  it('lets any number read, and forgets the file when the last one ends (D34)', () => {
    const files = new OpenFiles();
    const claims = [files.claimForReading('k'), files.claimForReading('k'), files.claimForReading('k')];
    assert.ok(files.isInUse('k') && !files.isWritten('k'));
    claims[0]!.release();
    claims[0]!.release();
    claims[0]!.release();
    assert.ok(files.isInUse('k'), 'releasing twice counts once');
    claims[1]!.release();
    claims[2]!.release();
    assert.equal(files.size, 0);
  });

  it('keeps a file for who takes its name away: no writer, nobody who replaces or moves it, readers stay', async () => {
    const files = new OpenFiles();
    const reader = files.claimForReading('k');
    const move = await files.claimForMoving('k');
    assert.throws(() => files.claimForWriting('k', new Holder()), isInUse);
    assert.throws(() => files.claimForReplacing('k'), isInUse);
    await assert.rejects(files.claimForMoving('k'), isInUse);
    files.claimForReading('k').release();
    move.release();
    move.release();
    reader.release();
    assert.equal(files.size, 0);
    const others = [
      files.claimForWriting('k', new Holder()),
      files.claimForWriting('l', new Holder('remote-stream')),
      files.claimForReplacing('m'),
    ];
    for (const key of ['k', 'l', 'm']) await assert.rejects(files.claimForMoving(key), isInUse);
    for (const claim of others) claim.release();
    for (const key of ['k', 'l', 'm']) (await files.claimForMoving(key)).release();
    assert.equal(files.size, 0);
  });

  for (const kind of ['upload', 'remote-stream'] as const) {
    it(`refuses a reader while an ${kind} writes`, () => {
      const files = new OpenFiles();
      const claim = files.claimForWriting('k', new Holder(kind));
      assert.throws(() => files.claimForReading('k'), isInUse);
      claim.release();
      files.claimForReading('k').release();
      assert.equal(files.size, 0);
    });

    it(`refuses an ${kind} while somebody reads`, () => {
      const files = new OpenFiles();
      const reader = files.claimForReading('k');
      assert.throws(() => files.claimForWriting('k', new Holder(kind)), isInUse);
      reader.release();
      files.claimForWriting('k', new Holder(kind)).release();
      assert.equal(files.size, 0);
    });

    it(`refuses a remote stream while an ${kind} writes`, () => {
      const files = new OpenFiles();
      const holder = new Holder(kind);
      files.claimForWriting('k', holder);
      assert.throws(() => files.claimForWriting('k', new Holder('remote-stream')), isInUse);
      assert.equal(holder.takeOvers, 0);
    });
  }

  it('refuses an upload while a remote stream writes, and does not take over from it', () => {
    const files = new OpenFiles();
    const stream = new Holder('remote-stream');
    files.claimForWriting('k', stream);
    assert.throws(() => files.claimForWriting('k', new Holder()), isInUse);
    assert.equal(stream.takeOvers, 0);
  });

  it('gives the file to a newer upload at once, which waits until the older has let go (6.2)', async () => {
    const files = new OpenFiles();
    const older = new Holder();
    const first = files.claimForWriting('k', older);
    const second = files.claimForWriting('k', new Holder());
    assert.equal(older.takeOvers, 1);
    assert.ok(first.isSuperseded && !second.isSuperseded);
    assert.equal(await stateOf(first.ready), 'ended', 'the older one was not waiting any more');
    assert.equal(await stateOf(second.ready), 'pending');
    older.letGo();
    assert.equal(await stateOf(second.ready), 'ended');
    second.release();
    assert.equal(files.size, 0);
  });

  it('keeps the new owner when the superseded one releases, however often', async () => {
    const files = new OpenFiles();
    const older = new Holder();
    const first = files.claimForWriting('k', older);
    const second = files.claimForWriting('k', new Holder());
    first.release();
    older.letGo();
    await second.ready;
    first.release();
    first[Symbol.dispose]();
    assert.ok(files.isWritten('k'));
    assert.throws(() => files.claimForReading('k'), isInUse);
  });

  it('goes on when the older one fails to close, or throws at once', async () => {
    const files = new OpenFiles();
    const older = new Holder();
    files.claimForWriting('k', older);
    const throwing: WriteHolder = {
      kind: 'upload',
      takeOver() {
        throw new Error('not even a promise');
      },
    };
    const second = files.claimForWriting('k', throwing);
    older.fail(new Error('close failed'));
    await second.ready;
    const third = files.claimForWriting('k', new Holder());
    await third.ready;
    third.release();
    assert.equal(files.size, 0);
  });

  it('makes the third of three uploads wait for the second and the first, and tells the second', async () => {
    const files = new OpenFiles();
    const [a, b, c] = [new Holder(), new Holder(), new Holder()];
    files.claimForWriting('k', a);
    const second = files.claimForWriting('k', b);
    const third = files.claimForWriting('k', c);
    assert.ok(second.isSuperseded);
    await assert.rejects(second.ready, isInUse);
    assert.deepEqual([a.takeOvers, b.takeOvers, c.takeOvers], [1, 1, 0]);
    b.letGo();
    assert.equal(await stateOf(third.ready), 'pending', 'the first still has the file open');
    a.letGo();
    assert.equal(await stateOf(third.ready), 'ended');
  });

  it('tells a waiting claim that it was superseded before its connection is closed', async () => {
    const files = new OpenFiles();
    const a = new Holder();
    files.claimForWriting('k', a);
    // Closing waits for the handler, and the handler waits for `ready`.
    let handler: Promise<void> = Promise.resolve();
    const b: WriteHolder = { kind: 'upload', takeOver: () => handler };
    const second = files.claimForWriting('k', b);
    handler = second.ready.catch(() => second.release());
    const third = files.claimForWriting('k', new Holder());
    a.letGo();
    assert.equal(await stateOf(third.ready), 'ended');
  });

  it('stays in use after a waiting owner gave up, until the holder before it has let go', async () => {
    const files = new OpenFiles();
    const older = new Holder();
    files.claimForWriting('k', older);
    files.claimForWriting('k', new Holder()).release();
    assert.ok(files.isInUse('k') && files.isWritten('k'));
    assert.throws(() => files.claimForReading('k'), isInUse);
    assert.throws(() => files.claimForWriting('k', new Holder('remote-stream')), isInUse);
    const next = files.claimForWriting('k', new Holder());
    assert.equal(await stateOf(next.ready), 'pending');
    next.release();
    older.letGo();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(files.size, 0);
    assert.equal(older.takeOvers, 1);
  });

  it('holds when the older one releases while it is told to let go', () => {
    const files = new OpenFiles();
    let first: WriteClaim | undefined;
    const releasing: WriteHolder = {
      kind: 'upload',
      async takeOver() {
        first?.release();
      },
    };
    first = files.claimForWriting('k', releasing);
    const second = files.claimForWriting('k', new Holder());
    assert.ok(!second.isSuperseded && files.isWritten('k'));
  });

  it('in any order of claims and releases: one writer or some readers, and nothing left at the end (D5, D36, D37)', async () => {
    const step = fc.constantFrom('upload', 'stream', 'read', 'release', 'letGo', 'turn');
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(step, fc.nat(9)), { maxLength: 60 }), async (steps) => {
        const files = new OpenFiles();
        const holders: Holder[] = [];
        const writers: WriteClaim[] = [];
        const readers: ReadClaim[] = [];
        const write = (kind: 'upload' | 'remote-stream'): void => {
          const holder = new Holder(kind);
          try {
            writers.push(files.claimForWriting('k', holder));
            holders.push(holder);
          } catch (error) {
            assert.ok(isInUse(error));
          }
        };
        for (const [what, index] of steps) {
          if (what === 'upload') write('upload');
          else if (what === 'stream') write('remote-stream');
          else if (what === 'read') {
            try {
              readers.push(files.claimForReading('k'));
              assert.ok(!files.isWritten('k'));
            } catch (error) {
              assert.ok(isInUse(error) && files.isWritten('k'));
            }
          } else if (what === 'release') {
            writers.at(index)?.release();
            readers.splice(index, 1)[0]?.release();
          } else if (what === 'letGo') holders[index]?.letGo();
          else await new Promise((resolve) => setImmediate(resolve));
          if (readers.length > 0) assert.ok(files.isInUse('k') && !files.isWritten('k'));
        }
        for (const claim of [...writers, ...readers]) claim.release();
        for (const holder of holders) holder.letGo();
        await new Promise((resolve) => setImmediate(resolve));
        assert.equal(files.size, 0);
        for (const holder of holders) assert.ok(holder.takeOvers <= 1);
      }),
      { numRuns: 300 },
    );
  });
});
