import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as command from '../../../packages/cli/dist/options/quantities.js';
import {
  counted,
  formatBytes,
  formatMs,
  formatSeconds,
  formatShare,
} from '../../../packages/dashboard/build/model/quantities.js';
import { ageText, clockText, preciseClockText } from '../../../packages/dashboard/build/model/time-text.js';

describe('quantities on the page', () => {
  it('are written as the command writes them', () => {
    for (const bytes of [0, 1, 999, 1023, 1024, 10_239, 1_048_523, 1_048_576, 5e9, 3e15])
      assert.equal(formatBytes(bytes), command.formatBytes(bytes));
    for (const seconds of [0, 0.4, 4, 9.94, 9.96, 59.6, 61, 3599, 7260, 90_000])
      assert.equal(formatSeconds(seconds), command.formatSeconds(seconds));
  });

  it('have the digits that matter of milliseconds', () => {
    assert.deepEqual([0.054, 3.21, 140.4, 1500].map(formatMs), ['0.05 ms', '3.2 ms', '140 ms', '1.50 s']);
  });

  it('are 100 % only when all is done', () => {
    assert.deepEqual([0, 0.5, 0.999, 1, 1.2].map(formatShare), ['0 %', '50 %', '99 %', '100 %', '100 %']);
  });

  it('count one thing, and many', () => {
    assert.equal(counted(1, 'file'), '1 file');
    assert.equal(counted(12_345, 'file'), '12,345 files');
  });

  it('tell how long ago a time was, and never a negative age', () => {
    const nowMs = Date.parse('2026-01-01T00:01:00.000Z');
    assert.equal(ageText('2026-01-01T00:00:00.500Z', nowMs), '59 s');
    assert.equal(ageText('2026-01-01T00:02:00.000Z', nowMs), '0 s');
    assert.equal(ageText('gestern', nowMs), 'gestern');
  });

  it('tell the time of day', () => {
    const time = new Date(2026, 0, 31, 4, 5, 9, 7);
    assert.equal(clockText(time.getTime()), '04:05:09');
    assert.equal(preciseClockText(time.toISOString()), '04:05:09.007');
    assert.equal(preciseClockText('never'), 'never');
  });
});
