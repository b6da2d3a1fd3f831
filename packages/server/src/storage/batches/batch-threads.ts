import { Worker } from 'node:worker_threads';
import { StorageError } from '../storage-error.js';
import type { BatchJob, BatchJobResult } from './batch-job.js';
import type { ReadJob, ReadJobResult } from './read-job.js';

/**
 * Threads at most. On an SSD a fsync that waits leaves room for others, and the file system commits several in one go: four threads store
 * about 1.4 times as many files as one, eight no more.
 */
export const MAX_BATCH_THREADS = 4;

/** What is sent to a thread: one of the two. */
export interface BatchRequest {
  readonly id: number;
  readonly store?: BatchJob;
  readonly read?: ReadJob;
}

interface Pending {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** Threads that store and read the files of batches; each is started when there is something for it to do. */
export class BatchThreads {
  readonly #threads: BatchThread[] = [];
  #isClosed = false;

  /**
   * @param threads that may be running for it, at most
   * @throws {StorageError} `ERR_IO` when the thread fails, or all are closed
   */
  async store(store: BatchJob, threads: number): Promise<BatchJobResult> {
    return (await this.#thread(threads).run({ store }, store.bytes)) as BatchJobResult;
  }

  /** @throws as `store` */
  async read(read: ReadJob): Promise<ReadJobResult> {
    return (await this.#thread(MAX_BATCH_THREADS).run({ read }, read.bytes)) as ReadJobResult;
  }

  /** Ends the threads. To be called when nothing is being done. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#threads.splice(0).map((thread) => thread.end()));
  }

  /** One that does nothing, else a new one if there are fewer than so many, else the one with the least to do. */
  #thread(limit: number): BatchThread {
    if (this.#isClosed) throw new StorageError('ERR_IO', 'storage is closed');
    for (const thread of this.#threads.filter(({ hasEnded }) => hasEnded)) {
      this.#threads.splice(this.#threads.indexOf(thread), 1);
    }
    const least = this.#threads.reduce<BatchThread | undefined>(
      (best, thread) => (best && best.jobs <= thread.jobs ? best : thread),
      undefined,
    );
    if (least && (least.jobs === 0 || this.#threads.length >= limit)) return least;
    const thread = new BatchThread();
    this.#threads.push(thread);
    return thread;
  }
}

class BatchThread {
  hasEnded = false;
  readonly #worker = new Worker(new URL('./batch-worker.js', import.meta.url));
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;

  constructor() {
    this.#worker.on('message', ({ id, result }: { id: number; result: unknown }) => this.#settle(id, result));
    this.#worker.on('error', (error) => this.#fail(error));
    this.#worker.on('exit', () => this.#fail(undefined));
  }

  /** Jobs that are not done. */
  get jobs(): number {
    return this.#pending.size;
  }

  /** @param bytes go to the thread, and come back with the result */
  run(request: Omit<BatchRequest, 'id'>, bytes: Uint8Array): Promise<unknown> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#worker.ref();
      this.#worker.postMessage({ ...request, id }, [bytes.buffer as ArrayBuffer]);
    });
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #settle(id: number, result: unknown): void {
    this.#pending.get(id)?.resolve(result);
    this.#pending.delete(id);
    if (this.jobs === 0) this.#worker.unref(); // a thread that does nothing must not keep the process
  }

  #fail(cause: unknown): void {
    this.hasEnded = true;
    const error = new StorageError('ERR_IO', 'a thread that works on files has ended', { cause });
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}
