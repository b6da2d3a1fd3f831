const INTEGER = /^[ \t]*([+-]?)([0-9]+)[ \t]*$/;

const LIMITS = {
  16: [-(1n << 15n), (1n << 15n) - 1n],
  32: [-(1n << 31n), (1n << 31n) - 1n],
  64: [-(1n << 63n), (1n << 63n) - 1n],
} as const;

/**
 * A decimal integer as peers write it: blanks around it, one sign and leading zeros are allowed. Specification 3.3.
 *
 * @returns `undefined` for anything else, and for a value that does not fit into `bits` bits with sign
 */
export function parseInteger(text: string, bits: 16 | 32 | 64): bigint | undefined {
  const small = smallNumber(text);
  if (small !== undefined && (bits > 16 || small < 2 ** 15)) return BigInt(small);
  const match = INTEGER.exec(text);
  if (!match) return undefined;
  const digits = match[2]!.replace(/^0+(?=[0-9])/, '');
  if (digits.length > 19) return undefined;
  const magnitude = BigInt(digits);
  const value = match[1] === '-' ? -magnitude : magnitude;
  const [min, max] = LIMITS[bits];
  return value < min || value > max ? undefined : value;
}

/** What nearly all numbers are, several times as fast: up to nine digits and nothing else. */
function smallNumber(text: string): number | undefined {
  const { length } = text;
  if (length === 0 || length > 9) return undefined;
  let value = 0;
  for (let i = 0; i < length; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return value;
}
