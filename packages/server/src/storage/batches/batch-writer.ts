import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import type { FileVersion } from '../content-digests.js';
import { type BatchedFile, type BatchOutcome, type ExistingFilePolicy, jobColumns, versionsOf } from './batch-job.js';
import { type BatchThreads, MAX_BATCH_THREADS } from './batch-threads.js';
import type { MemoryPool } from './memory-pool.js';

/** A file that takes longer than this, in milliseconds of its thread, waits for a disk: then a batch is shared among all threads. */
const SLOW_FILE_MS = 0.2;

/** Threads where files are fast: what is not on the disk's time is on that of the event loop, which feeds them. */
const FAST_THREADS = Math.max(1, Math.min(2, Math.floor(availableParallelism() / 2)));

/** Files of a batch that are worth another thread. */
const MIN_SHARE = 16;

/** What is to be written together. */
export interface BatchToWrite {
  /** Holds the contents. */
  readonly bytes: Uint8Array;
  /** In front of the names of temporary files: a directory that stays open meanwhile, on the same file system as all targets. */
  readonly temporaryDirectory: string;
  readonly ifExists: ExistingFilePolicy;
  readonly isDurable: boolean;
  /** No path twice. */
  readonly files: readonly BatchedFile[];
}

/** What became of the files, in their order. */
export interface WrittenBatch {
  readonly outcomes: readonly BatchOutcome[];
  /** Of those that were written. */
  readonly versions: readonly (FileVersion | undefined)[];
  /** See `BatchJobResult`. */
  readonly failure: string | undefined;
}

/** Stores batches, on as many threads as it is worth. */
export class BatchWriter {
  readonly #threads: BatchThreads;
  readonly #memory: MemoryPool;
  /** Files that were stored last took this long each, in milliseconds. */
  #fileMs = 0;

  constructor(threads: BatchThreads, memory: MemoryPool) {
    this.#threads = threads;
    this.#memory = memory;
  }

  /** @throws {StorageError} `ERR_IO` when a thread fails, or the writer is closed */
  async write(batch: BatchToWrite): Promise<WrittenBatch> {
    if (batch.files.length === 0) return { outcomes: [], versions: [], failure: undefined };
    const { files } = batch;
    const isSlow = this.#fileMs > SLOW_FILE_MS;
    const shares = isSlow ? Math.max(1, Math.min(MAX_BATCH_THREADS, Math.floor(files.length / MIN_SHARE))) : 1;
    const parts = await Promise.all(
      Array.from({ length: shares }, (_, share) => {
        const from = Math.floor((files.length * share) / shares);
        const to = Math.floor((files.length * (share + 1)) / shares);
        return this.#writeShare(batch, files.slice(from, to));
      }),
    );
    return {
      outcomes: parts.flatMap(({ outcomes }) => outcomes),
      versions: parts.flatMap(({ versions }) => versions),
      failure: parts.find(({ failure }) => failure !== undefined)?.failure,
    };
  }

  async #writeShare(
    { bytes, temporaryDirectory, ifExists, isDurable }: BatchToWrite,
    files: readonly BatchedFile[],
  ): Promise<WrittenBatch> {
    const memory = this.#memory.take(files.reduce((sum, { size }) => sum + size, 0));
    const temporaryPrefix = `${temporaryDirectory}/${randomBytes(12).toString('hex')}-`;
    const columns = jobColumns(files, bytes, memory);
    const threads = this.#fileMs > SLOW_FILE_MS ? MAX_BATCH_THREADS : FAST_THREADS;
    const result = await this.#threads.store({ ...columns, temporaryPrefix, ifExists, isDurable }, threads);
    this.#memory.give(result.bytes);
    this.#fileMs = result.elapsedMs / files.length;
    return {
      outcomes: result.outcomes.split(',') as BatchOutcome[],
      versions: versionsOf(files, result.versions),
      failure: result.failure,
    };
  }
}
