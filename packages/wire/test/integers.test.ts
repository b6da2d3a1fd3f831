import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { optionalInteger, parseInteger, RequestError, ResultCode, requiredInteger } from '@sluice/wire';
import fc from 'fast-check';
import { textOf } from './support.js';

const WIDTHS = [16, 32, 64] as const;

function limits(bits: 16 | 32 | 64): [min: bigint, max: bigint] {
  const half = 1n << BigInt(bits - 1);
  return [-half, half - 1n];
}

describe('numbers, specification 3.3', () => {
  const good: [text: string, value: bigint][] = [
    ['0', 0n],
    ['-0', 0n],
    ['+0', 0n],
    ['007', 7n],
    ['-007', -7n],
    [' +1000 ', 1000n],
    ['\t5\t', 5n],
    ['  -5', -5n],
    [`${'0'.repeat(1000)}9`, 9n],
    ['0'.repeat(50), 0n],
  ];
  for (const [text, value] of good) {
    it(`reads ${JSON.stringify(text.length > 60 ? `${text.slice(0, 5)}…` : text)} as ${value}`, () => {
      for (const bits of WIDTHS) assert.equal(parseInteger(text, bits), value);
    });
  }

  const bad = ['', ' ', '+', '-', '--1', '+-1', '- 1', '1-', '1.0', '1.', '1e3', '0x10', '1,000', '1 000', '1_000'];
  for (const text of [...bad, 'abc', '1a', '\u0661', '１', '1\n', '1\u00a0', '\u20031', 'Infinity', 'NaN', '1n']) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      for (const bits of WIDTHS) assert.equal(parseInteger(text, bits), undefined);
    });
  }

  for (const bits of WIDTHS) {
    it(`is exact at the limits of ${bits} bits, and refuses what is beyond`, () => {
      const [min, max] = limits(bits);
      for (const value of [min, min + 1n, max - 1n, max]) assert.equal(parseInteger(String(value), bits), value);
      for (const value of [min - 1n, max + 1n, min * 10n, max * 10n, 10n ** 40n]) {
        assert.equal(parseInteger(String(value), bits), undefined);
      }
    });

    it(`reads every number of ${bits} bits, and none beyond, however it is written`, () => {
      const [min, max] = limits(bits);
      fc.assert(
        fc.property(
          fc.bigInt({ min: min * 4n, max: max * 4n }),
          fc.nat(5),
          fc.constantFrom('', ' ', '\t '),
          (value, zeros, blanks) => {
            const sign = value < 0n ? '-' : zeros % 2 ? '+' : '';
            const text = `${blanks}${sign}${'0'.repeat(zeros)}${value < 0n ? -value : value}${blanks}`;
            assert.equal(parseInteger(text, bits), value >= min && value <= max ? value : undefined);
          },
        ),
      );
    });
  }

  it('tells numbers apart that are the same in a double', () => {
    assert.equal(parseInteger('9007199254740993', 64), 9007199254740993n);
    assert.equal(parseInteger('9223372036854775807', 64), 9223372036854775807n);
  });

  it('takes no time over long nonsense', () => {
    const startMs = performance.now();
    for (const text of ['0'.repeat(1e6), ' '.repeat(1e6), `${'1'.repeat(1e6)}x`, `1${' '.repeat(1e6)}x`]) {
      parseInteger(text, 64);
    }
    assert.ok(performance.now() - startMs < 5000, 'more than linear');
  });

  it('a bad number in a request is code 6, and so is a missing one that is required', () => {
    const text = textOf('[Request]\r\nCount=1.5\r\nOffset=-3');
    const isCode6 = (error: unknown) =>
      error instanceof RequestError && error.resultCode === ResultCode.ParameterError && error.message !== '';
    assert.throws(() => requiredInteger(text, 'Count', 32), isCode6);
    assert.throws(() => optionalInteger(text, 'Count', 32), isCode6);
    assert.throws(() => requiredInteger(text, 'Size', 64), isCode6);
    assert.equal(optionalInteger(text, 'Size', 64), undefined);
    assert.equal(requiredInteger(text, 'offset', 64), -3n);
  });
});
