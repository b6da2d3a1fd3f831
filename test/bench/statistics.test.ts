import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { median, relativeSpread } from '#bench/statistics.js';

describe('statistics of rounds', () => {
  it('take the middle of an odd number of rounds, and the mean of the middle two of an even one', () => {
    assert.equal(median([9, 1, 5]), 5);
    assert.equal(median([4, 1, 2, 100]), 3);
  });

  it('leave the values in their order', () => {
    const values = [3, 1, 2];
    median(values);
    assert.deepEqual(values, [3, 1, 2]);
  });

  it('have no median of nothing', () => {
    assert.ok(Number.isNaN(median([])));
  });

  it('tell the spread as a part of the median', () => {
    assert.equal(relativeSpread([90, 100, 120]), 0.3);
    assert.equal(relativeSpread([7]), 0);
    assert.equal(relativeSpread([0, 0, 0]), 0);
  });
});
