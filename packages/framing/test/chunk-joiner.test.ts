import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ChunkJoiner } from '@sluice/framing';
import fc from 'fast-check';

const RECORD = 16 << 10;

/** A joiner, and what it has handed on. */
function joined() {
  const chunks: Buffer[] = [];
  const joiner = new ChunkJoiner((source, start, end) => {
    chunks.push(Buffer.from(source.subarray(start, end)));
  }, setImmediate);
  return { joiner, chunks, lengths: () => chunks.map(({ length }) => length) };
}

describe('ChunkJoiner', () => {
  it('hands on the full records of one turn as one chunk', async () => {
    const { joiner, chunks, lengths } = joined();
    const records = Array.from({ length: 5 }, () => randomBytes(RECORD));
    for (const record of records) joiner.push(record);
    assert.deepEqual(lengths(), []);
    await nextTurn();
    assert.deepEqual(lengths(), [5 * RECORD]);
    assert.ok(chunks[0]?.equals(Buffer.concat(records)));
  });

  it('hands on a chunk of 128 KiB without waiting for the end of the turn', () => {
    const { joiner, lengths } = joined();
    for (let i = 0; i < 9; i++) joiner.push(Buffer.alloc(RECORD));
    assert.deepEqual(lengths(), [8 * RECORD]);
    joiner.drop();
  });

  it('hands on a small record at once, behind those that are held', () => {
    const { joiner, lengths } = joined();
    joiner.push(Buffer.alloc(100));
    joiner.push(Buffer.alloc(RECORD));
    joiner.push(Buffer.alloc(200));
    assert.deepEqual(lengths(), [100, RECORD, 200]);
  });

  it('hands nothing on while it is paused, and the rest in a later turn', async () => {
    const { joiner, lengths } = joined();
    joiner.push(Buffer.alloc(RECORD));
    joiner.pause();
    await nextTurn();
    assert.deepEqual(lengths(), []);
    joiner.resume();
    assert.deepEqual(lengths(), []);
    await nextTurn();
    assert.deepEqual(lengths(), [RECORD]);
  });

  it('keeps back the chunk during which it is paused by what it has handed on', async () => {
    for (const bytes of [200, RECORD, 200 << 10]) {
      const lengths: number[] = [];
      const joiner = new ChunkJoiner((_source, start, end) => {
        lengths.push(end - start);
        if (lengths.length === 1) joiner.pause();
      }, setImmediate);
      joiner.push(Buffer.alloc(RECORD));
      joiner.push(Buffer.alloc(bytes));
      await nextTurn();
      const isJoined = bytes === RECORD;
      assert.deepEqual(lengths, [isJoined ? 2 * RECORD : RECORD]);
      joiner.resume();
      await nextTurn();
      assert.deepEqual(lengths, isJoined ? [2 * RECORD] : [RECORD, bytes]);
    }
  });

  it('tells the end behind the last record, also when it is paused', async () => {
    for (const isPaused of [false, true]) {
      const { joiner, chunks } = joined();
      joiner.push(Buffer.alloc(RECORD));
      if (isPaused) joiner.pause();
      const before: number[] = [];
      joiner.end(() => before.push(chunks.length));
      assert.deepEqual(before, isPaused ? [] : [1]);
      joiner.resume();
      await nextTurn();
      assert.deepEqual(before, [1]);
    }
  });

  it('hands nothing on after drop', async () => {
    const { joiner, lengths } = joined();
    joiner.push(Buffer.alloc(RECORD));
    joiner.pause();
    joiner.end(() => assert.fail('told of the end'));
    joiner.drop();
    joiner.resume();
    await nextTurn();
    assert.deepEqual(lengths(), []);
  });

  it('holds no more than 16 MiB for all connections together; further records are handed on as they come', () => {
    const all = Array.from({ length: 200 }, () => joined());
    for (const { joiner } of all) joiner.push(Buffer.alloc(RECORD));
    assert.equal(all.filter(({ chunks }) => chunks.length === 0).length, 128);
    for (const { joiner } of all) joiner.drop();
    const { joiner, chunks } = joined();
    joiner.push(Buffer.alloc(RECORD));
    assert.equal(chunks.length, 0);
    joiner.drop();
  });

  it('keeps every byte in its place, whatever comes in which order', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('push' as const), bytes: fc.integer({ min: 1, max: 20_000 }) }),
      fc.constant({ kind: 'turn' as const, bytes: 0 }),
      fc.constant({ kind: 'pauseAndResume' as const, bytes: 0 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { joiner, chunks } = joined();
        const sent: Buffer[] = [];
        for (const { kind, bytes } of steps) {
          if (kind === 'turn') await nextTurn();
          else if (kind === 'pauseAndResume') {
            joiner.pause();
            await nextTurn();
            joiner.resume();
          } else {
            const record = Buffer.alloc(bytes, sent.length);
            sent.push(record);
            joiner.push(record);
          }
        }
        joiner.end(() => {});
        assert.ok(Buffer.concat(chunks).equals(Buffer.concat(sent)));
      }),
    );
  });
});
