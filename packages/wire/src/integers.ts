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
  const match = INTEGER.exec(text);
  if (!match) return undefined;
  const digits = match[2]!.replace(/^0+(?=[0-9])/, '');
  if (digits.length > 19) return undefined;
  const magnitude = BigInt(digits);
  const value = match[1] === '-' ? -magnitude : magnitude;
  const [min, max] = LIMITS[bits];
  return value < min || value > max ? undefined : value;
}
