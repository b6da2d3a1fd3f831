import type { DirectoryHandle } from '../directory-handle.js';
import type { DirectoryTree } from '../directory-tree.js';
import type { HeldDirectory } from '../held-directory.js';
import { StorageError, storageErrorFrom, systemCodeOf } from '../storage-error.js';
import type { BatchedFile, ExistingFilePolicy } from './batch-job.js';
import { BatchThreads } from './batch-threads.js';
import { BatchWriter, type WrittenBatch } from './batch-writer.js';
import { MemoryPool } from './memory-pool.js';
import type { ReadJobResult } from './read-job.js';

/** The server's own directory for what has no name yet. */
const STAGING_DIRECTORY = 'staging';

/** What a temporary file of a batch ends in. */
const TEMPORARY_SUFFIX = '.batch';

/** Contents that may wait to be stored, of all connections together, in bytes, unless told otherwise. */
const MAX_PENDING_BYTES = 128 << 20;

/** Contents of a batch, until it is disposed. */
export interface BatchContents extends Disposable {
  readonly bytes: Uint8Array;
}

export interface FileBatchesOptions {
  /** Contents that may wait to be stored; a single batch may always. @default 128 MiB */
  readonly maxPendingBytes?: number;
  /** Whether nobody else can be in the middle: then what is left there is removed. @default true */
  readonly isAlone?: boolean;
}

/** Stores many small files at once, each complete under its name or not there; and reads many. */
export class FileBatches {
  readonly #tree: DirectoryTree;
  readonly #threads = new BatchThreads();
  readonly #memory = new MemoryPool();
  readonly #writer = new BatchWriter(this.#threads, this.#memory);
  #staging: Promise<DirectoryHandle> | undefined;
  #pendingBytes = 0;

  readonly #maxPendingBytes: number;

  private constructor(tree: DirectoryTree, maxPendingBytes: number) {
    this.#tree = tree;
    this.#maxPendingBytes = maxPendingBytes;
  }

  /**
   * Removes what an earlier run of the server has left behind in the middle.
   *
   * @param tree of the server's root; stays open as long as this
   * @throws {StorageError} `ERR_IO`
   */
  static async open(
    tree: DirectoryTree,
    { maxPendingBytes = MAX_PENDING_BYTES, isAlone = true }: FileBatchesOptions = {},
  ): Promise<FileBatches> {
    if (!isAlone) return new FileBatches(tree, maxPendingBytes);
    try {
      await using staging = await tree.openOwn(STAGING_DIRECTORY, false);
      for (const { name } of staging ? await staging.list() : []) {
        if (staging && name.toString().endsWith(TEMPORARY_SUFFIX)) await staging.unlink(name).catch(undefinedIfMissing);
      }
    } catch (error) {
      throw storageErrorFrom(error, 'file');
    }
    return new FileBatches(tree, maxPendingBytes);
  }

  /** Copies contents, so that they stay while they are stored. @returns `undefined` when too much waits already */
  keep(contents: Uint8Array): BatchContents | undefined {
    if (this.#pendingBytes > 0 && this.#pendingBytes + contents.length > this.#maxPendingBytes) return undefined;
    this.#pendingBytes += contents.length;
    const memory = this.#memory.take(contents.length);
    memory.set(contents);
    return {
      bytes: memory.subarray(0, contents.length),
      [Symbol.dispose]: () => {
        this.#pendingBytes -= contents.length;
        this.#memory.give(memory);
      },
    };
  }

  /** Whether files can come to a directory: it is on the file system of the server's root. @throws {StorageError} `ERR_IO`; `ERR_DISK_FULL` */
  async canReach(directory: HeldDirectory): Promise<boolean> {
    const key = await (await this.#openStaging()).readKey();
    return deviceOf(key) === deviceOf(directory.key);
  }

  /**
   * Stores files in directories that are held open, and claimed in the table of open files. The names are not on the disk before the directories
   * are synced.
   *
   * @throws {StorageError} `ERR_IO`; `ERR_DISK_FULL`
   */
  async write(
    { bytes }: BatchContents,
    files: readonly BatchedFile[],
    options: { readonly ifExists: ExistingFilePolicy; readonly isDurable: boolean },
  ): Promise<WrittenBatch> {
    const temporaryDirectory = (await this.#openStaging()).entryPrefix;
    if (temporaryDirectory === undefined) throw new StorageError('ERR_IO', 'the root has no usable path');
    return await this.#writer.write({ ...options, bytes, temporaryDirectory, files });
  }

  /**
   * Reads files whole, in their order, as many as there is room for.
   *
   * @param use gets what was read; the bytes are used again when it has returned
   * @throws {StorageError} `ERR_IO`
   */
  async read<T>(
    paths: readonly string[],
    limits: { readonly roomBytes: number; readonly maxFileBytes: number },
    use: (result: ReadJobResult) => T,
  ): Promise<T> {
    const result = await this.#threads.read({ ...limits, bytes: this.#memory.take(limits.roomBytes), paths });
    try {
      return use(result);
    } finally {
      this.#memory.give(result.bytes);
    }
  }

  /** Ends the threads. To be called when nothing is being stored, and before the tree is closed. */
  async close(): Promise<void> {
    await this.#threads.close();
    await (await this.#staging?.catch(() => undefined))?.close();
  }

  #openStaging(): Promise<DirectoryHandle> {
    const opening = this.#staging ?? this.#tree.openOwn(STAGING_DIRECTORY, true);
    this.#staging = opening;
    opening.catch(() => {
      this.#staging = undefined; // what stood in the way may be mended by the next time
    });
    return opening;
  }
}

/** Of a directory's key, `dev:ino`. */
function deviceOf(key: string): string {
  return key.slice(0, key.indexOf(':'));
}

function undefinedIfMissing(error: unknown): undefined {
  if (systemCodeOf(error) !== 'ENOENT') throw error;
}
