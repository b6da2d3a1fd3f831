import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  isAtEnd,
  rowForKey,
  scrollTopFor,
  virtualWindow,
} from '../../../packages/dashboard/build/model/virtual-window.js';

describe('the window of a virtual list', () => {
  it('has the rows that are seen and some around them, not all', () => {
    const { first, end, offset, height } = virtualWindow(10_000, 38, { scrollTop: 38_000, height: 760 });
    assert.deepEqual({ first, end, offset, height }, { first: 992, end: 1028, offset: 37_696, height: 380_000 });
  });

  it('begins with the first row at the top, and ends with the last one at the bottom', () => {
    assert.equal(virtualWindow(10_000, 38, { scrollTop: 0, height: 760 }).first, 0);
    assert.equal(virtualWindow(10_000, 38, { scrollTop: 379_240, height: 760 }).end, 10_000);
  });

  it('is empty without rows', () => {
    assert.deepEqual(virtualWindow(0, 38, { scrollTop: 500, height: 760 }), { first: 0, end: 0, offset: 0, height: 0 });
  });

  it('has what is seen, whatever the numbers, also when rows have gone since the last scroll', () => {
    const numbers = fc.record({
      rows: fc.nat(20_000),
      rowHeight: fc.integer({ min: 10, max: 80 }),
      scrollTop: fc.nat(2_000_000),
      height: fc.integer({ min: 0, max: 3000 }),
    });
    fc.assert(
      fc.property(numbers, ({ rows, rowHeight, scrollTop, height }) => {
        const window = virtualWindow(rows, rowHeight, { scrollTop, height });
        assert.ok(window.first >= 0 && window.first <= window.end && window.end <= rows);
        assert.equal(window.first % 2, 0);
        assert.equal(window.height, rows * rowHeight);
        assert.ok(window.end - window.first <= height / rowHeight + 20, 'no more than fits and the overscan');
        const top = Math.max(0, Math.min(scrollTop, rows * rowHeight - height));
        const seenRows = Math.min(rows, Math.ceil((top + height) / rowHeight));
        assert.ok(window.offset <= top && window.end >= seenRows);
      }),
    );
  });

  it('stays below the height at which browsers stop to draw', () => {
    assert.ok(virtualWindow(5_000_000, 38, { scrollTop: 0, height: 760 }).height <= 16_000_000);
  });
});

describe('the keyboard in a virtual list', () => {
  it('moves by a row, by a page, to the beginning and to the end, and no further', () => {
    assert.equal(rowForKey('ArrowDown', 4, 10, 3), 5);
    assert.equal(rowForKey('ArrowUp', 0, 10, 3), 0);
    assert.equal(rowForKey('PageDown', 4, 10, 3), 7);
    assert.equal(rowForKey('PageDown', 9, 10, 3), 9);
    assert.equal(rowForKey('PageUp', 4, 10, 3), 1);
    assert.equal(rowForKey('Home', 4, 10, 3), 0);
    assert.equal(rowForKey('End', 4, 10, 3), 9);
  });

  it('begins at the top with no row chosen, or at the bottom when it goes up', () => {
    assert.equal(rowForKey('ArrowDown', -1, 10, 3), 0);
    assert.equal(rowForKey('Home', -1, 10, 3), 0);
    assert.equal(rowForKey('ArrowUp', -1, 10, 3), 9);
    assert.equal(rowForKey('End', -1, 10, 3), 9);
  });

  it('leaves other keys, and every key in an empty list, to others', () => {
    assert.equal(rowForKey('Enter', 4, 10, 3), undefined);
    assert.equal(rowForKey('ArrowDown', -1, 0, 3), undefined);
  });

  it('scrolls as little as brings the row into sight', () => {
    const viewport = { scrollTop: 380, height: 380 };
    assert.equal(scrollTopFor(12, 38, viewport), 380);
    assert.equal(scrollTopFor(3, 38, viewport), 114);
    assert.equal(scrollTopFor(25, 38, viewport), 608);
  });

  it('knows that the end is seen, to within a row', () => {
    assert.equal(isAtEnd(100, 28, { scrollTop: 2400, height: 400 }), true);
    assert.equal(isAtEnd(100, 28, { scrollTop: 2380, height: 400 }), true);
    assert.equal(isAtEnd(100, 28, { scrollTop: 2300, height: 400 }), false);
    assert.equal(isAtEnd(3, 28, { scrollTop: 0, height: 400 }), true);
  });
});
