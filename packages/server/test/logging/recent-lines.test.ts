import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RecentLines } from '../../../../packages/server/dist/logging/recent-lines.js';

describe('the newest lines of the log, in memory', () => {
  it('have the numbers that follow the first one', () => {
    const recent = new RecentLines(5);
    for (const line of ['a', 'b', 'c']) recent.push(line);
    assert.deepEqual(recent.between(5, 7, 100), ['a', 'b', 'c']);
    assert.deepEqual(recent.between(6, 6, 100), ['b']);
    assert.equal(recent.between(4, 7, 100), undefined, 'one is not here');
    assert.equal(recent.between(8, 9, 100), undefined, 'none has come');
  });

  it('are given as many as fit, one at least', () => {
    const recent = new RecentLines(1);
    for (const line of ['aaaa', 'bbbb']) recent.push(line);
    assert.deepEqual(recent.between(1, 2, 7), ['aaaa']);
    assert.deepEqual(recent.between(1, 2, 1), ['aaaa']);
  });

  it('are forgotten from the oldest on', () => {
    const recent = new RecentLines(1, 100);
    for (let seq = 1; seq <= 1000; seq++) recent.push(`line ${String(seq).padStart(4, '0')}.`);
    assert.equal(recent.between(989, 1000, 1000), undefined);
    assert.deepEqual(recent.between(999, 2000, 1000), ['line 0999.', 'line 1000.']);
  });

  it('are forgotten when some of them are lost', () => {
    const recent = new RecentLines(1);
    recent.push('a');
    recent.clear();
    recent.push('b');
    assert.equal(recent.between(1, 2, 100), undefined);
    assert.deepEqual(recent.between(2, 2, 100), ['b']);
  });
});
