import type { LengthFieldLayout } from '@sluice/framing';

/** A length of 4 bytes, then a kind, a number that the answer repeats, and what belongs to the kind. */
export const layout: LengthFieldLayout = { maxLength: 64 << 10 };
export const HEAD_BYTES = 9;

/** What a client may ask for. */
export const Kind = {
  /** Keep this entry, and say so. */
  Keep: 1,
  /** The same, by a handler that takes its time. */
  KeepLater: 2,
  /** So many bytes, in blocks, no faster than they are read. */
  Bulk: 3,
  /** The sum of these bytes; large ones are taken in pieces. */
  Sum: 4,
  /** An answer from memory that is lent. */
  Lend: 5,
  /** Some messages later on, without being asked again. */
  Watch: 6,
  /** All that is published from now on, by the policy that the body names. */
  Follow: 9,
  /** An error in the handler. */
  Fail: 7,
  /** The server ends the connection, after its answer. */
  Leave: 8,
} as const;

/** A message that answers nothing. */
export const PUSHED = 0x80;
/** Something that was published; its number is the next one. */
export const PUBLISHED = 0x81;
/** So many published messages were left out. */
export const GAP = 0x82;

/** To who is refused: there is no place. */
export const BUSY = 0x83;

export const POLICIES = ['drop-newest', 'drop-oldest', 'latest-per-key', 'close'] as const;

export function message(kind: number, id: number, body: Uint8Array = new Uint8Array(0)): Buffer {
  const bytes = Buffer.alloc(HEAD_BYTES + body.length);
  bytes.writeUInt32BE(bytes.length - 4);
  bytes[4] = kind;
  bytes.writeUInt32BE(id, 5);
  bytes.set(body, HEAD_BYTES);
  return bytes;
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Byte `at` of the answer to the bulk request `id`. */
export function bulkByte(id: number, at: number): number {
  return (id * 31 + at * 7) & 0xff;
}

export function sumOf(bytes: Uint8Array): number {
  let sum = 0;
  for (const byte of bytes) sum = (sum * 33 + byte) >>> 0;
  return sum;
}
