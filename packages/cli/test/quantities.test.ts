import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  bytesText,
  durationText,
  formatBytes,
  formatRate,
  formatSeconds,
  parseBytes,
  parseDuration,
} from '../../../packages/cli/dist/options/quantities.js';

describe('quantities', () => {
  it('reads a duration without a unit as milliseconds', () => {
    assert.equal(parseDuration('6000'), 6000);
    assert.equal(parseDuration('0'), 0);
  });

  it('reads durations with units', () => {
    const read = ['250ms', '6s', '1.5m', '2h', '1d'].map(parseDuration);
    assert.deepEqual(read, [250, 6000, 90_000, 7_200_000, 86_400_000]);
  });

  it('reads bytes with units that are powers of 1024, in any case', () => {
    const read = ['0', '17', '17B', '64KiB', '64k', '64KB', '1G', '1.5MiB'].map(parseBytes);
    assert.deepEqual(read, [0, 17, 17, 65_536, 65_536, 65_536, 2 ** 30, 1_572_864]);
  });

  for (const text of ['', '-1', '6 s', '6x', 's', '1e3', '0x10', '1.', '.5', 'NaN', '6s6s', '999999P']) {
    it(`does not take ${JSON.stringify(text)} for a quantity`, () => {
      assert.equal(parseBytes(text), undefined);
      if (text !== '999999P') assert.equal(parseDuration(text), undefined);
    });
  }

  it('writes what it can read again', () => {
    for (const ms of [0, 1, 1500, 6000, 300_000, 86_400_000]) assert.equal(parseDuration(durationText(ms)), ms);
    for (const bytes of [0, 1, 1000, 65_536, 2 ** 30, 3 * 2 ** 40]) assert.equal(parseBytes(bytesText(bytes)), bytes);
    assert.deepEqual([6000, 300_000, 1500].map(durationText), ['6s', '5m', '1500ms']);
  });

  it('shows sizes with three digits', () => {
    const sizes = [0, 999, 1023, 1024, 12_900_000, 104_857_600, 1023.6 * 1024, 2 ** 40 * 2.5].map(formatBytes);
    assert.deepEqual(sizes, ['0 B', '999 B', '1023 B', '1.00 KiB', '12.3 MiB', '100 MiB', '1.00 MiB', '2.50 TiB']);
    assert.equal(formatRate(2048), '2.00 KiB/s');
  });

  it('shows times in the two units that matter', () => {
    const times = [0, 0.44, 9.94, 9.96, 59.4, 59.6, 185, 3600, 7384, 90_000].map(formatSeconds);
    assert.deepEqual(times, [
      '0 s',
      '0.4 s',
      '9.9 s',
      '10 s',
      '59 s',
      '1m 00s',
      '3m 05s',
      '1h 00m',
      '2h 03m',
      '1d 01h',
    ]);
  });
});
