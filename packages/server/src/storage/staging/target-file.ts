import type { FileHandle } from 'node:fs/promises';
import { CHUNK_BYTES, chunkCount, chunkLength } from './chunk-table.js';
import { digestRange } from './staged-file.js';

/** The file that has the name of an upload now: what it has in common with the new one need not be sent. */
export class TargetFile {
  readonly handle: FileHandle;
  readonly size: number;
  /** By chunk: recorded, or computed when asked for. */
  readonly #digests = new Map<number, bigint>();

  /** @param recorded the digests of its chunks, if they are known, as the store has them. Takes the handle over. */
  constructor(handle: FileHandle, size: number, recorded: Uint8Array | undefined) {
    this.handle = handle;
    this.size = size;
    if (!recorded) return;
    const view = new DataView(recorded.buffer, recorded.byteOffset, recorded.byteLength);
    for (let number = 0; number < chunkCount(size); number += 1)
      this.#digests.set(number, view.getBigUint64(number * 8));
  }

  /** Whether the digest of this chunk is there without reading it. */
  knows(number: number): boolean {
    return this.#digests.has(number);
  }

  /** `undefined` when the file has no such chunk, or has become shorter. @throws the system's error, or the signal's reason */
  async digest(number: number, signal?: AbortSignal): Promise<bigint | undefined> {
    const known = this.#digests.get(number);
    if (known !== undefined) return known;
    const length = chunkLength(this.size, number);
    if (length === 0) return undefined;
    const { digest, bytes } = await digestRange(this.handle, number * CHUNK_BYTES, length, signal);
    if (bytes < length) return undefined;
    this.#digests.set(number, digest);
    return digest;
  }

  /** What a client was told; for chunks that were never asked for, `undefined`. */
  told(number: number): bigint | undefined {
    return this.#digests.get(number);
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}
