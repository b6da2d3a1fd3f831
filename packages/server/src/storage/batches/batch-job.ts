import type { FileVersion } from '../content-digests.js';
import type { StorageErrorCode } from '../storage-error.js';

/** What becomes of a file that has the name already. */
export type ExistingFilePolicy = 'replace' | 'fail' | 'skip' | 'newer';

/** A whole file that is to be stored. */
export interface BatchedFile {
  /** Where it goes: an entry of a directory that is held open until the job is done. */
  readonly path: string;
  /** Where its content begins in the bytes of the job. */
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

/** Files for one worker, in their order. */
export interface BatchJob {
  readonly id: number;
  /** Shared by all jobs of a batch. */
  readonly bytes: Uint8Array;
  /** In front of the names of temporary files. */
  readonly temporaryPrefix: string;
  readonly ifExists: ExistingFilePolicy;
  /** Whether each file is synced before it gets its name. */
  readonly isDurable: boolean;
  readonly files: readonly BatchedFile[];
}

/**
 * What became of a file. `kept`: a file that has the name stays, by the policy. `damaged`: the content is not what its digest says. Any
 * other: it is not stored, and nothing has changed.
 */
export type BatchOutcome = 'stored' | 'kept' | 'damaged' | StorageErrorCode;

/** The answer of a worker. */
export interface BatchJobResult {
  readonly id: number;
  readonly outcomes: readonly BatchOutcome[];
  /** Of those that were written. */
  readonly versions: readonly (FileVersion | undefined)[];
  /** The system's words for the first failure that is for an operator to look at. */
  readonly failure: string | undefined;
}
