import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  futimesSync,
  openSync,
  readFileSync,
  utimesSync,
  writeSync,
} from 'node:fs';

/** What a system may not have written back when the power fails: the last megabyte and a bit, on no boundary of anything. */
const LOST_BYTES = (1 << 20) + 12_345;
const BLOCK_BYTES = 64 << 10;
const EXTRA_BYTES = 300_001;

/** What befalls the bytes that a broken transfer has left. A disk does not change the time of a file by it. */
export type Damage = (file: string) => void;

/** The length reached the disk, the last bytes did not. */
export const zeroTail: Damage = (file) => {
  const end = endOfBytes(file);
  overwrite(file, end - LOST_BYTES, Buffer.alloc(LOST_BYTES));
};

/** Neither did the length. */
export const truncateTail: Damage = (file) => {
  const end = endOfBytes(file);
  change(file, (descriptor) => ftruncateSync(descriptor, end - LOST_BYTES));
};

/** A block that the disk gives back as zeros. */
export const zeroBlock: Damage = (file) => {
  overwrite(file, Math.floor(endOfBytes(file) / 3), Buffer.alloc(BLOCK_BYTES));
};

/** Bytes that nobody has sent, behind those that were. */
export const extend: Damage = (file) => {
  overwrite(file, endOfBytes(file), randomBytes(EXTRA_BYTES));
};

export const flipBit: Damage = (file) => {
  const at = Math.floor(endOfBytes(file) / 3);
  overwrite(file, at, Buffer.of(readFileSync(file)[at]! ^ 0x10));
};

/** Someone saves the source again: the same length, a block in its first quarter is another, and so is its time. */
export const edit: Damage = (file) => {
  overwrite(file, Math.floor(endOfBytes(file) / 5), randomBytes(BLOCK_BYTES));
  const later = Date.now() / 1000 + 5;
  utimesSync(file, later, later);
};

/** Where what was received ends: a program may have given the file its final length at once. */
function endOfBytes(file: string): number {
  const content = readFileSync(file);
  let end = content.length;
  while (end > 0 && content[end - 1] === 0) end -= 1;
  return end;
}

function overwrite(file: string, position: number, bytes: Buffer): void {
  change(file, (descriptor) => {
    if (position < 0 || position > fstatSync(descriptor).size) throw new Error(`${file} is too short to be damaged`);
    writeSync(descriptor, bytes, 0, bytes.length, position);
  });
}

/** Leaves the times as they were. */
function change(file: string, work: (descriptor: number) => void): void {
  const descriptor = openSync(file, 'r+');
  const { atimeMs, mtimeMs } = fstatSync(descriptor);
  work(descriptor);
  futimesSync(descriptor, atimeMs / 1000, mtimeMs / 1000);
  closeSync(descriptor);
}
