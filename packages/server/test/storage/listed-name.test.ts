import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { sortByCodePoint } from '../../../../packages/server/dist/storage/listed-name.js';

describe('names', () => {
  it('are sorted as their UTF-8 bytes are, with characters beyond the first plane and without', () => {
    const unit = fc.constantFrom('a', 'b', '\u00e9', '\u4e2d', '\ufffd', '\u{1f600}');
    for (const character of [unit, unit.filter((one) => one.length === 1)]) {
      fc.assert(
        fc.property(fc.array(fc.string({ unit: character, maxLength: 4 }), { maxLength: 20 }), (names) => {
          const bytes = names.map((name) => Buffer.from(name)).sort(Buffer.compare);
          assert.deepEqual(
            sortByCodePoint([...names]),
            bytes.map((each) => each.toString()),
          );
        }),
      );
    }
  });
});
