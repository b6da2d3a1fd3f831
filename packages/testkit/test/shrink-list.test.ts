import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { shrinkList } from '@sluice/testkit';
import fc from 'fast-check';

const MANY = 100_000;

describe('shrinkList', () => {
  it('keeps exactly what a failure needs, in order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 80 }),
        fc.array(fc.nat(79), { maxLength: 5 }),
        async (length, wanted) => {
          const list = Array.from({ length }, (_, i) => i);
          const needed = [...new Set(wanted.filter((item) => item < length))].sort((a, b) => a - b);
          const fails = async (part: readonly number[]) => needed.every((item) => part.includes(item));
          assert.deepEqual(await shrinkList(list, fails, MANY), needed);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('gives the shortest so far when it has tried often enough', async () => {
    let tries = 0;
    const shortest = await shrinkList([1, 2, 3, 4, 5, 6, 7, 8], async (part) => ++tries > 0 && part.includes(1), 2);
    assert.equal(tries, 2);
    assert.ok(shortest.length < 8 && shortest.includes(1));
  });
});
