import type { StorageErrorCode } from '../storage-error.js';

/** Files that one thread reads whole, in their order, as many as there is room for. */
export interface ReadJob {
  /** Memory for the contents; it belongs to the thread until the answer. */
  readonly bytes: Uint8Array;
  /** How much of it may be filled. */
  readonly roomBytes: number;
  /** Larger files are not read, in bytes. */
  readonly maxFileBytes: number;
  readonly paths: readonly string[];
}

/** What became of a file: `read` is in the bytes. */
export type ReadOutcome = 'read' | 'too-large' | StorageErrorCode;

/** The answer of a thread. Columns, as in a `BatchJob`. */
export interface ReadJobResult {
  /** Those of the job: the contents of the files that were read, one behind the other. */
  readonly bytes: Uint8Array;
  /** Of the first files of the job; the others found no room. */
  readonly outcomes: readonly ReadOutcome[];
  /** Of each of these two: size in bytes, and nine permission bits. */
  readonly numbers: Float64Array;
  /** Of each two: time of last change in nanoseconds, and the XXH64 of the content. */
  readonly wide: BigUint64Array;
  /** The system's code of the first failure that is for an operator to look at. */
  readonly failure: string | undefined;
}
