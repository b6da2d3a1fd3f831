import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { linesOf } from '#bench/lines.js';
import { type ReadingsRow, type ReadingsScenario, readingsTable } from '#bench/readings.js';

const scenario: ReadingsScenario = {
  kind: 'readings',
  name: 'ping-pong',
  description: 'messages',
  quantities: [
    { name: 'CPU', better: 'less', digits: 1, hasRatios: true },
    { name: 'p99', better: 'less', digits: 0 },
    { name: 'client cores', digits: 2 },
  ],
  limitName: 'limit',
  plainName: 'plain',
  subjects: [],
  note: 'a remark',
};

describe('a table of readings', () => {
  it('has medians, the spread, ratios to the limit and the plain rival, and the remark below', () => {
    const rows = [row('limit', [4, 4]), row('sluice', [8, 10, 12]), row('plain', [20])];
    const [header, , , sluice] = readingsTable(scenario, rows).split('\n');
    assert.deepEqual(header?.split(/ {2,}/), ['contender', 'CPU', 'spread', ':limit', ':plain', 'p99', 'client cores']);
    assert.deepEqual(sluice?.split(/ {2,}/), ['sluice', '10.0', '40 %', '2.50', '0.50', '7', '0.25']);
    assert.match(readingsTable(scenario, rows), /\n\na remark$/);
  });

  it('says why there are no figures', () => {
    const missing = { ...row('limit', []), missing: 'no C compiler (cc)' };
    assert.match(readingsTable(scenario, [missing]), /^limit +no C compiler \(cc\)$/m);
  });

  it('has a dash for what a contender does not measure', () => {
    const iperf: ReadingsRow = { ...row('iperf3', []), readings: [{ CPU: 3 }] };
    assert.match(readingsTable(scenario, [iperf]), /^iperf3 +3\.0 +- +- +- +- +-$/m);
  });
});

describe('lines of a result', () => {
  it('have a value for each round, and none for remarks on the measurement', () => {
    const lines = linesOf({ scenario, rows: [row('sluice', [8, 10])] });
    assert.deepEqual(
      lines.map(({ quantity, values }) => [quantity, values]),
      [
        ['CPU', [8, 10]],
        ['p99', [7, 7]],
      ],
    );
  });
});

function row(contender: string, values: readonly number[]): ReadingsRow {
  const readings = values.map((value) => ({ CPU: value, p99: 7, 'client cores': 0.25 }));
  return { contender, description: '', readings, missing: null };
}
