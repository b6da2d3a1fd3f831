import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { compareLines, comparisonTable, readOldLines, verdictOf } from '#bench/compare.js';
import type { Line } from '#bench/lines.js';

describe('a verdict on two sets of rounds', () => {
  it('is better or worse only when every round of the one lies beyond every round of the other', () => {
    assert.equal(verdictOf([100, 101, 102], [120, 121, 122], 'more'), 'better');
    assert.equal(verdictOf([100, 101, 102], [120, 121, 122], 'less'), 'worse');
    assert.equal(verdictOf([120, 121, 122], [100, 101, 102], 'less'), 'better');
    assert.equal(verdictOf([100, 101, 125], [120, 121, 122], 'more'), 'unclear');
  });

  it('is the same within 5 %, even when the rounds lie apart', () => {
    assert.equal(verdictOf([100, 100, 100], [104, 104, 104], 'more'), 'same');
  });

  it('is unclear when a side has a single round, whose spread nobody knows', () => {
    assert.equal(verdictOf([100], [150, 151, 152], 'more'), 'unclear');
    assert.equal(verdictOf([100], [102], 'more'), 'same');
  });

  it('is the same for a value that was 0 and is 0', () => {
    assert.equal(verdictOf([0, 0], [0, 0], 'less'), 'same');
  });
});

describe('a comparison of two runs', () => {
  it('takes what has happened to the rivals out of our lines', () => {
    const before = [line('sluice', [100, 101, 102]), line('limit', [1000, 1000, 1000])];
    const after = [line('sluice', [80, 81, 82]), line('limit', [800, 800, 800])];
    const [ours, limit] = compareLines(before, after);
    assert.equal(ours?.drift, 0.8);
    assert.equal(ours?.verdict, 'same');
    assert.equal(limit?.verdict, 'worse', 'a rival shows what the machine did');
  });

  it('does not let the drift alone make a difference', () => {
    const before = [line('sluice', [100, 101, 102]), line('limit', [1000, 1000, 1000])];
    const after = [line('sluice', [100, 101, 102]), line('limit', [800, 800, 800])];
    assert.equal(compareLines(before, after)[0]?.verdict, 'unclear');
  });

  it('takes the drift from the same scenario and quantity only', () => {
    const before = [line('sluice', [100, 101]), { ...line('limit', [10, 10]), scenario: 'other' }];
    const after = [line('sluice', [200, 201]), { ...line('limit', [20, 20]), scenario: 'other' }];
    assert.equal(compareLines(before, after)[0]?.verdict, 'better');
  });

  it('has no line for what only one of the runs has measured', () => {
    assert.deepEqual(compareLines([line('sluice', [1])], [line('plain-net', [1])]), []);
  });

  it('is told as a table with a verdict in each line', () => {
    const table = comparisonTable(compareLines([line('sluice', [100, 101])], [line('sluice', [50, 51])]));
    assert.match(table, /^ping-pong, sluice, messages\/s +101 +51 +\+0 % +−50 % +worse$/m);
  });
});

describe('the result of an older run', () => {
  it('is read back, and anything else is refused with its name', (t) => {
    const directory = mkdtempSync(path.join(os.tmpdir(), 'bench-compare-'));
    t.after(() => rmSync(directory, { recursive: true }));
    const file = path.join(directory, 'old.json');
    writeFileSync(file, JSON.stringify({ lines: [line('sluice', [1])] }));
    assert.deepEqual(readOldLines(file), [line('sluice', [1])]);
    for (const content of ['', '{}', '{"lines":[{}]}', '{"lines":7}']) {
      writeFileSync(file, content);
      assert.throws(() => readOldLines(file), /--compare .*old\.json/);
    }
    assert.throws(() => readOldLines(path.join(directory, 'missing.json')), /missing\.json/);
  });
});

function line(contender: string, values: readonly number[]): Line {
  return { scenario: 'ping-pong', contender, quantity: 'messages/s', better: 'more', digits: 0, values };
}
