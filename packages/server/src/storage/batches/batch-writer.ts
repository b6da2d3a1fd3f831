import { randomBytes } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import type { FileVersion } from '../content-digests.js';
import { StorageError } from '../storage-error.js';
import {
  type BatchedFile,
  type BatchJob,
  type BatchJobResult,
  type BatchOutcome,
  type ExistingFilePolicy,
  jobColumns,
  versionsOf,
} from './batch-job.js';
import { MemoryPool } from './memory-pool.js';

/**
 * Threads at most. On an SSD a fsync that waits leaves room for others, and the file system commits several in one go: four threads store
 * about 1.4 times as many files as one, eight no more.
 */
const MAX_WORKERS = 4;

/** A file that takes longer than this, in milliseconds of its thread, waits for a disk: then a batch is shared among all threads. */
const SLOW_FILE_MS = 0.2;

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

interface Pending {
  resolve(result: BatchJobResult): void;
  reject(error: Error): void;
}

/** Threads that store batches; each is started when there is something for it to do. */
export class BatchWriter {
  readonly #workers: BatchThread[] = [];
  readonly #memory = new MemoryPool();
  /** Files that were stored last took this long each, in milliseconds. */
  #fileMs = 0;
  #isClosed = false;

  /** @throws {StorageError} `ERR_IO` when a thread fails, or the writer is closed */
  async write(batch: BatchToWrite): Promise<WrittenBatch> {
    if (this.#isClosed) throw new StorageError('ERR_IO', 'storage is closed');
    const { files } = batch;
    const isSlow = this.#fileMs > SLOW_FILE_MS;
    const shares = isSlow ? Math.max(1, Math.min(MAX_WORKERS, Math.floor(files.length / MIN_SHARE))) : 1;
    const startedMs = performance.now();
    const parts = await Promise.all(
      Array.from({ length: shares }, (_, share) => {
        const from = Math.floor((files.length * share) / shares);
        const to = Math.floor((files.length * (share + 1)) / shares);
        return this.#writeShare(batch, files.slice(from, to));
      }),
    );
    if (files.length > 0) this.#fileMs = ((performance.now() - startedMs) / files.length) * shares;
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
    const result = await this.#thread().run({ ...columns, temporaryPrefix, ifExists, isDurable });
    this.#memory.give(result.bytes);
    return {
      outcomes: result.outcomes,
      versions: versionsOf(files, result.versions),
      failure: result.failure,
    };
  }

  /** Ends the threads. To be called when nothing is being written. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#workers.splice(0).map((worker) => worker.end()));
  }

  /** One that does nothing, else a new one, else the one with the least to do. */
  #thread(): BatchThread {
    for (const worker of this.#workers.filter(({ hasEnded }) => hasEnded)) {
      this.#workers.splice(this.#workers.indexOf(worker), 1);
    }
    const least = this.#workers.reduce<BatchThread | undefined>(
      (best, worker) => (best && best.jobs <= worker.jobs ? best : worker),
      undefined,
    );
    if (least && (least.jobs === 0 || this.#workers.length >= MAX_WORKERS)) return least;
    const worker = new BatchThread();
    this.#workers.push(worker);
    return worker;
  }
}

class BatchThread {
  hasEnded = false;
  readonly #worker = new Worker(new URL('./batch-worker.js', import.meta.url));
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;

  constructor() {
    this.#worker.on('message', (result: BatchJobResult) => this.#settle(result));
    this.#worker.on('error', (error) => this.#fail(error));
    this.#worker.on('exit', () => this.#fail(undefined));
  }

  /** Jobs that are not done. */
  get jobs(): number {
    return this.#pending.size;
  }

  run(job: Omit<BatchJob, 'id'>): Promise<BatchJobResult> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#worker.ref();
      this.#worker.postMessage({ ...job, id }, [job.bytes.buffer as ArrayBuffer]);
    });
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #settle(result: BatchJobResult): void {
    this.#pending.get(result.id)?.resolve(result);
    this.#pending.delete(result.id);
    if (this.jobs === 0) this.#worker.unref(); // a thread that does nothing must not keep the process
  }

  #fail(cause: unknown): void {
    this.hasEnded = true;
    const error = new StorageError('ERR_IO', 'a thread that stores files has ended', { cause });
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}
