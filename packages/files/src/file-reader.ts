import { readvSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { skipBytes, totalBytes } from './byte-parts.js';
import type { IoPace } from './io-pace.js';

/** Reads a file at given positions. Does not own the handle. */
export class FileReader {
  readonly #handle: FileHandle;
  readonly #pace: IoPace;

  /** @param pace of the file's device, {@link paceOfDevice} */
  constructor(handle: FileHandle, pace: IoPace) {
    this.#handle = handle;
    this.#pace = pace;
  }

  /**
   * Fills the views, one after the other, from `position` on.
   *
   * @returns how many bytes were read, or a promise of it when the thread pool reads: fewer than the views hold only at the end of the
   *   file. Until then the views belong to the reader
   * @throws the system's error, or rejects with it
   */
  read(views: readonly Uint8Array[], position: number): number | Promise<number> {
    if (!this.#pace.isDirect) return this.readPooled(views, position);
    const startedMs = performance.now();
    const wanted = totalBytes(views);
    let got = 0;
    let rest = views;
    while (got < wanted) {
      const bytes = readvSync(this.#handle.fd, rest as Uint8Array[], position + got);
      if (bytes === 0) break;
      got += bytes;
      if (got < wanted) rest = skipBytes(views, got);
    }
    this.#pace.record(performance.now() - startedMs);
    return got;
  }

  /** As `read`, always through the thread pool: for callers with work to do meanwhile. */
  async readPooled(views: readonly Uint8Array[], position: number): Promise<number> {
    const wanted = totalBytes(views);
    let got = 0;
    let rest = views;
    while (got < wanted) {
      const startedMs = performance.now();
      const { bytesRead } = await this.#handle.readv(rest as Uint8Array[], position + got);
      if (!this.#pace.isDirect) this.#pace.record(performance.now() - startedMs);
      if (bytesRead === 0) break;
      got += bytesRead;
      if (got < wanted) rest = skipBytes(views, got);
    }
    return got;
  }
}
