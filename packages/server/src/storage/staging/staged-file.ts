import { constants, futimesSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { ChunkHash, FileWriter, type IoPace, paceOfDevice } from '@sluice/files';
import type { DirectoryHandle } from '../directory-handle.js';
import { storageErrorFrom } from '../storage-error.js';
import { Turnstile } from '../turnstile.js';
import type { SyncedState } from './upload-journal.js';

/** Read in steps of this many bytes, so that hashing never holds the event loop for more than about a millisecond. */
const STEP_BYTES = 1 << 20;

/**
 * The data of a staged upload. After each write its time of change is set to a stamp that only the journal knows: a file that shows another
 * one was written by somebody else since.
 */
export class StagedFile {
  readonly handle: FileHandle;
  readonly #pace: IoPace;
  readonly #stamp: number;
  /** What was found when it was opened. */
  readonly found: SyncedState & { readonly hasStamp: boolean };

  private constructor(
    handle: FileHandle,
    device: number,
    stamp: number,
    found: SyncedState & { readonly hasStamp: boolean },
  ) {
    this.handle = handle;
    this.#pace = paceOfDevice(device);
    this.#stamp = stamp;
    this.found = found;
  }

  /** Opens it, or makes it. @throws {StorageError} */
  static async open(directory: DirectoryHandle, name: string, stamp: number): Promise<StagedFile> {
    let handle: FileHandle | undefined;
    try {
      handle = await directory.openFile(name, constants.O_RDWR | constants.O_CREAT);
      const { dev, size, mtimeNs, ctimeNs } = await handle.stat({ bigint: true });
      const found = { size: Number(size), changedNs: ctimeNs, hasStamp: mtimeNs === BigInt(stamp) * 1_000_000_000n };
      return new StagedFile(handle, Number(dev), stamp, found);
    } catch (error) {
      await handle?.close().catch(() => {}); // there is a failure to be told already
      throw storageErrorFrom(error, 'file');
    }
  }

  /** A writer of its own for each connection; syncing is not its business. */
  writer(): FileWriter {
    return new FileWriter(this.handle, 0, this.#pace, Number.POSITIVE_INFINITY);
  }

  /** Whether so much was written to its device that a sync should begin. */
  get wantsSync(): boolean {
    return this.#pace.wantsSync;
  }

  /** To be called after each write that did not go through the thread pool. Two microseconds. */
  stampNow(): void {
    futimesSync(this.handle.fd, this.#stamp, this.#stamp);
  }

  async stampPooled(): Promise<void> {
    await this.handle.utimes(this.#stamp, this.#stamp);
  }

  /** Puts all that is written on the disk. @returns what the file looks like since @throws the system's error */
  async sync(): Promise<SyncedState> {
    await this.#pace.sync(() => this.handle.datasync());
    const { size, ctimeNs } = await this.handle.stat({ bigint: true });
    return { size: Number(size), changedNs: ctimeNs };
  }
}

/** What was read of a range of a file. */
export interface RangeDigest {
  readonly digest: bigint;
  /** Fewer than asked for at the end of the file. */
  readonly bytes: number;
}

/** Ranges are read few at once, for all uploads: each holds a buffer of 1 MiB, and a request may ask for many. */
const reading = new Turnstile(4);

/**
 * Digests a range of a file, through the thread pool, when its turn comes.
 *
 * @param use gets each piece before it is overwritten
 * @throws the system's error, or the signal's reason
 */
export async function digestRange(
  handle: FileHandle,
  position: number,
  count: number,
  signal?: AbortSignal,
  use?: (piece: Uint8Array, position: number) => Promise<unknown>,
): Promise<RangeDigest> {
  return await reading.pass(() => readRange(handle, position, count, signal, use), signal);
}

async function readRange(
  handle: FileHandle,
  position: number,
  count: number,
  signal: AbortSignal | undefined,
  use: ((piece: Uint8Array, position: number) => Promise<unknown>) | undefined,
): Promise<RangeDigest> {
  const hash = await ChunkHash.create();
  const buffer = Buffer.allocUnsafe(Math.min(STEP_BYTES, count));
  let done = 0;
  while (done < count) {
    signal?.throwIfAborted();
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, count - done), position + done);
    if (bytesRead === 0) break;
    const piece = buffer.subarray(0, bytesRead);
    hash.update(piece);
    await use?.(piece, position + done);
    done += bytesRead;
  }
  return { digest: hash.end(), bytes: done };
}
