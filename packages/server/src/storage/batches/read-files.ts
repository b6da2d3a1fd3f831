import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from 'node:fs';
import { xxh64 } from '@sluice/files';
import { storageErrorFrom, systemCodeOf } from '../storage-error.js';
import type { ReadJob, ReadJobResult, ReadOutcome } from './read-job.js';

const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** How often a file that changes while it is read is read again. */
const MAX_READS = 3;

/** Reads files as long as there is room. */
export function readFiles({ bytes, roomBytes, maxFileBytes, paths }: ReadJob): ReadJobResult {
  const outcomes: ReadOutcome[] = [];
  const numbers = new Float64Array(2 * paths.length);
  const wide = new BigUint64Array(2 * paths.length);
  let failure: string | undefined;
  let at = 0;
  for (const [i, path] of paths.entries()) {
    try {
      const file = readFile(path, bytes.subarray(at, roomBytes), maxFileBytes);
      if (file === 'no-room') break;
      if (file !== 'too-large') {
        numbers.set([file.size, file.mode], 2 * i);
        wide[2 * i] = file.modifiedNs;
        wide[2 * i + 1] = xxh64(bytes.subarray(at, at + file.size));
        at += file.size;
      }
      outcomes.push(file === 'too-large' ? file : 'read');
    } catch (error) {
      const { code, cause } = storageErrorFrom(error, 'file');
      if (code === 'ERR_IO') failure ??= systemCodeOf(cause) ?? code;
      outcomes.push(code);
    }
  }
  return { bytes, outcomes, numbers, wide, failure };
}

/** @throws the system's error */
function readFile(
  path: string,
  target: Uint8Array,
  maxBytes: number,
): 'no-room' | 'too-large' | { size: number; mode: number; modifiedNs: bigint } {
  // Looked at before: opening alone can already start something in a device, or wake the writer of a FIFO.
  if (!lstatSync(path).isFile()) throw notAFile();
  const descriptor = openSync(path, READ);
  try {
    for (let reads = 0; reads < MAX_READS; reads++) {
      const before = fstatSync(descriptor);
      if (!before.isFile()) throw notAFile();
      if (before.size > maxBytes) return 'too-large';
      if (before.size > target.length) return 'no-room';
      let read = 0;
      for (let got = -1; got !== 0 && read < before.size; read += got) {
        got = readSync(descriptor, target, read, before.size - read, read);
      }
      const after = fstatSync(descriptor, { bigint: true });
      const isUnchanged = Math.abs(Number(after.mtimeNs) / 1e6 - before.mtimeMs) < 0.001;
      if (!isUnchanged || read !== before.size || Number(after.size) !== read) continue;
      return { size: read, mode: Number(after.mode) & 0o777, modifiedNs: BigInt.asUintN(64, after.mtimeNs) };
    }
  } finally {
    closeSync(descriptor);
  }
  throw Object.assign(new Error('changes all the time'), { code: 'EBUSY' });
}

function notAFile(): Error {
  return Object.assign(new Error('not a file'), { code: 'EISDIR' });
}
