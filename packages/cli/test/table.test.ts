import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type TableColumn, tableLines } from '../../../packages/cli/dist/terminal/table.js';
import { displayWidth } from '../../../packages/cli/dist/terminal/terminal-text.js';

interface Row {
  readonly name: string;
  readonly size: number;
}

const columns: readonly TableColumn<Row>[] = [
  { heading: 'NAME', text: ({ name }) => name, giveWay: 0, minWidth: 6 },
  { heading: 'SIZE', text: ({ size }) => String(size), align: 'right', giveWay: 1 },
  { heading: 'TWICE', text: ({ size }) => String(2 * size), align: 'right', giveWay: 2 },
];
const rows: readonly Row[] = [
  { name: 'a', size: 1 },
  { name: 'longer-name', size: 1000 },
];

describe('a table', () => {
  it('is as wide as it usually is, when it is to be steady', () => {
    const steady = columns.map((column) => ({ ...column, usualWidth: 6 }));
    const few = [{ name: 'a', size: 1 }];
    const width = Number.POSITIVE_INFINITY;
    assert.deepEqual(tableLines(steady, few, { width, isSteady: true }), [
      'NAME      SIZE   TWICE',
      'a            1       2',
    ]);
    assert.deepEqual(tableLines(steady, few, { width }), tableLines(columns, few, { width }));
  });

  it('has its columns below one another, numbers to the right', () => {
    assert.deepEqual(tableLines(columns, rows, { width: Number.POSITIVE_INFINITY }), [
      'NAME         SIZE  TWICE',
      'a               1      2',
      'longer-name  1000   2000',
    ]);
  });

  it('shortens what may be shortened first, then leaves columns out, those with the highest number first', () => {
    assert.deepEqual(tableLines(columns, rows, { width: 22 })[2], 'long…name  1000   2000');
    assert.deepEqual(tableLines(columns, rows, { width: 18 })[2], 'longer-name  1000');
    assert.deepEqual(tableLines(columns, rows, { width: 11 }), ['NAME', 'a', 'longer-name']);
  });

  it('lets nothing of a peer act on the terminal', () => {
    assert.equal(tableLines(columns, [{ name: '\x1b[2J\n', size: 0 }], { width: 80 })[1]?.includes('\x1b'), false);
  });

  it('is never wider than the terminal, as long as the column that always stays fits', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ name: fc.string({ unit: 'grapheme', maxLength: 30 }), size: fc.nat() }), { maxLength: 8 }),
        fc.integer({ min: 6, max: 60 }),
        (some, width) => {
          for (const line of tableLines(columns, some, { width })) assert.ok(displayWidth(line) <= width, line);
        },
      ),
    );
  });
});
