import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { forEachLimited } from '../../../../packages/server/dist/storage/for-each-limited.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('forEachLimited', () => {
  it('calls for every item once, with its index, never more than the limit at a time', async () => {
    const seen: [string, number][] = [];
    let running = 0;
    let most = 0;
    await forEachLimited([...'abcdefghij'], 3, async (item, index) => {
      running += 1;
      most = Math.max(most, running);
      await turn();
      seen.push([item, index]);
      running -= 1;
    });
    assert.deepEqual(
      seen.sort(),
      [...'abcdefghij'].map((item, index) => [item, index]),
    );
    assert.equal(most, 3);
  });

  it('ends at once when there is nothing to do', () =>
    forEachLimited([], 3, () => Promise.reject(new Error('called'))));

  it('starts nothing after a failure, and ends when what was started has ended', async () => {
    let started = 0;
    let ended = 0;
    const work = async (item: number): Promise<void> => {
      started += 1;
      if (item === 1) throw new Error('first');
      for (let turns = 0; turns < 5; turns += 1) await turn();
      ended += 1;
    };
    await assert.rejects(forEachLimited([0, 1, 2, 3, 4, 5, 6, 7], 3, work), /first/);
    assert.deepEqual([started, ended], [3, 2]);
  });
});
