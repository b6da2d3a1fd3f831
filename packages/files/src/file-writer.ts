import { writevSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { skipBytes, totalBytes } from './byte-parts.js';
import { diskTurn } from './disk-turns.js';
import type { IoPace } from './io-pace.js';

/** Written bytes after which a sync is begun in the background, so that the last one, before "done", is short. docs/decisions.md has measurements. */
export const SYNC_EVERY_BYTES = 16 << 20;

/**
 * Writes a file from a position on, in order. Does not own the handle.
 *
 * Not for concurrent use: while `write` has returned a promise, wait for it before the next call.
 */
export class FileWriter {
  readonly #handle: FileHandle;
  readonly #pace: IoPace;
  readonly #syncEveryBytes: number;
  #position: number;
  #unsyncedBytes = 0;
  #backgroundSync: Promise<void> | undefined;
  /** What a sync failed with. */
  #failure: unknown;
  /** Everything before this place has been synced by this writer. */
  #syncedBytes = 0;

  /**
   * @param position where the next byte goes
   * @param pace of the file's device, {@link paceOfDevice}
   * @param syncEveryBytes written bytes after which a sync is begun in the background. @default 16 MiB
   */
  constructor(handle: FileHandle, position: number, pace: IoPace, syncEveryBytes = SYNC_EVERY_BYTES) {
    this.#handle = handle;
    this.#position = position;
    this.#pace = pace;
    this.#syncEveryBytes = syncEveryBytes;
  }

  /** Where the next byte goes. */
  get position(): number {
    return this.#position;
  }

  /** Lets the next byte go elsewhere. Not for who asks for `syncedBytes`. */
  moveTo(position: number): void {
    this.#position = position;
  }

  /**
   * Writes all parts, one behind the other. The parts may be overwritten as soon as the call returns, whatever it returns.
   *
   * @returns nothing when the bytes are with the system; a promise when the thread pool has them
   * @throws the system's error, or rejects with it. What was written before it counts in `position`
   */
  write(parts: readonly Uint8Array[]): void | Promise<void> {
    if (!this.#pace.mayWriteDirectly) return this.#writePooled(Buffer.concat(parts));
    const startedMs = performance.now();
    let bytes = totalBytes(parts);
    let rest = parts;
    while (bytes > 0) {
      const written = writevSync(this.#handle.fd, rest as Uint8Array[], this.#position);
      this.#advance(written);
      bytes -= written;
      if (bytes > 0) rest = skipBytes(rest, written);
    }
    this.#pace.record(performance.now() - startedMs);
  }

  async #writePooled(bytes: Uint8Array): Promise<void> {
    let at = 0;
    while (at < bytes.length) {
      const { bytesWritten } = await diskTurn(async () => {
        const startedMs = performance.now();
        const written = await this.#handle.write(bytes, at, bytes.length - at, this.#position);
        if (!this.#pace.isDirect) this.#pace.record(performance.now() - startedMs);
        return written;
      });
      this.#advance(bytesWritten);
      at += bytesWritten;
    }
  }

  /** Up to where, from the start of the file, a sync of this writer has succeeded. What was there before it counts only then. */
  get syncedBytes(): number {
    return this.#syncedBytes;
  }

  /**
   * Whether a sync has failed. The system says so once, and shows the bytes as written until it forgets them: behind `syncedBytes` nothing
   * may be taken for written any more.
   */
  get hasSyncFailed(): boolean {
    return this.#failure !== undefined;
  }

  #advance(written: number): void {
    this.#position += written;
    this.#unsyncedBytes += written;
    this.#pace.noteWritten(written);
    if (this.#mustSync && !this.#backgroundSync) {
      this.#unsyncedBytes = 0;
      this.#backgroundSync = this.#syncNow().finally(() => {
        this.#backgroundSync = undefined;
      });
    }
  }

  /** Also when others have written much to the same device. */
  get #mustSync(): boolean {
    if (this.#syncEveryBytes === Number.POSITIVE_INFINITY) return false;
    return this.#unsyncedBytes >= this.#syncEveryBytes || this.#pace.wantsSync;
  }

  /** Never rejects: a failure is kept. */
  async #syncNow(): Promise<void> {
    const position = this.#position;
    try {
      await this.#pace.sync(() => this.#handle.datasync());
      if (this.#failure === undefined) this.#syncedBytes = position;
    } catch (error) {
      this.#failure ??= error;
    }
  }

  /** Settles when all that was written is on the disk. Rejects with the system's error, also with one of an earlier sync. */
  async sync(): Promise<void> {
    await this.#backgroundSync;
    if (this.#failure === undefined) await this.#syncNow();
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Settles when no sync is going on in the background. Then, and after the promise of the last `write`, the handle may be closed. */
  async settle(): Promise<void> {
    await this.#backgroundSync;
  }
}
