import type { FileVersion } from '../content-digests.js';
import type { StorageErrorCode } from '../storage-error.js';

/** What becomes of a file that has the name already. */
export type ExistingFilePolicy = 'replace' | 'fail' | 'skip' | 'newer';

/** A whole file that is to be stored. */
export interface BatchedFile {
  /** Where it goes: an entry of a directory that is held open until the job is done. */
  readonly path: string;
  /** Where its content begins in the bytes that it came with. */
  readonly at: number;
  /** In bytes. */
  readonly size: number;
  /** XXH64 of the content. */
  readonly digest: bigint;
  /** Time of last change, in microseconds since 1970-01-01 UTC: the system's calls that Node offers keep no more. @default now */
  readonly modifiedUs: number | undefined;
  /** Permission bits. @default those of the file that is replaced, else those of any new file */
  readonly mode: number | undefined;
}

/**
 * What became of a file. `kept`: a file that has the name stays, by the policy. `damaged`: the content is not what its digest says. Any
 * other: it is not stored, and nothing has changed.
 */
export type BatchOutcome = 'stored' | 'kept' | 'damaged' | StorageErrorCode;

/** Files for one thread, in their order. Columns instead of objects: those are copied at a tenth of the cost. */
export interface BatchJob {
  /** The contents, one behind the other; it belongs to the thread until the answer. */
  readonly bytes: Uint8Array;
  /** In front of the names of temporary files. */
  readonly temporaryPrefix: string;
  readonly ifExists: ExistingFilePolicy;
  /** Whether each file is synced before it gets its name. */
  readonly isDurable: boolean;
  /** With NUL between them, which no path has: one text is copied at a tenth of the cost of many. */
  readonly paths: string;
  readonly digests: BigUint64Array;
  /** Of each file {@link NUMBERS_OF_A_FILE}: size, `modifiedUs` or NaN, `mode` or NaN. */
  readonly numbers: Float64Array;
}

export const NUMBERS_OF_A_FILE = 3;

/** The answer of a thread. */
export interface BatchJobResult {
  /** Those of the job. */
  readonly bytes: Uint8Array;
  /** Of each a {@link BatchOutcome}, with a comma between them. */
  readonly outcomes: string;
  /** Of each file two: time of last change in nanoseconds, and inode, which is 0 for one that was not written. */
  readonly versions: BigInt64Array;
  /** The system's code of the first failure that is for an operator to look at. */
  readonly failure: string | undefined;
  /** How long all of it took. */
  readonly elapsedMs: number;
}

/** The columns for a job. @param bytes at least as long as all contents; they are copied into it from `source` */
export function jobColumns(
  files: readonly BatchedFile[],
  source: Uint8Array,
  bytes: Uint8Array,
): Pick<BatchJob, 'bytes' | 'paths' | 'digests' | 'numbers'> {
  const digests = new BigUint64Array(files.length);
  const numbers = new Float64Array(NUMBERS_OF_A_FILE * files.length);
  let end = 0;
  for (const [i, { at, size, digest, modifiedUs, mode }] of files.entries()) {
    digests[i] = digest;
    numbers[NUMBERS_OF_A_FILE * i] = size;
    numbers[NUMBERS_OF_A_FILE * i + 1] = modifiedUs ?? Number.NaN;
    numbers[NUMBERS_OF_A_FILE * i + 2] = mode ?? Number.NaN;
    bytes.set(source.subarray(at, at + size), end);
    end += size;
  }
  return { bytes, paths: files.map(({ path }) => path).join('\0'), digests, numbers };
}

/** The files of a job, from its columns. */
export function* filesOf({ paths, digests, numbers }: BatchJob): Generator<BatchedFile> {
  let at = 0;
  for (const [i, path] of paths.split('\0').entries()) {
    const [size, modifiedUs, mode] = numbers.subarray(NUMBERS_OF_A_FILE * i, NUMBERS_OF_A_FILE * (i + 1));
    yield { path, at, size: size!, digest: digests[i]!, modifiedUs: numberOf(modifiedUs!), mode: numberOf(mode!) };
    at += size!;
  }
}

/** What the files have become that were written. */
export function versionsOf(files: readonly BatchedFile[], versions: BigInt64Array): (FileVersion | undefined)[] {
  return files.map(({ size }, i) => {
    const inode = versions[2 * i + 1]!;
    return inode === 0n ? undefined : { size, modifiedNs: versions[2 * i]!, inode };
  });
}

function numberOf(column: number): number | undefined {
  return Number.isNaN(column) ? undefined : column;
}
