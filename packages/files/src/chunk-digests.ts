import type { FileHandle } from 'node:fs/promises';
import { ChunkDigester } from './chunk-digester.js';

/** Read in steps of this many bytes, so that hashing never holds the event loop for more than about a millisecond. */
const STEP_BYTES = 1 << 20;

/** A range of a file whose chunks are to be digested. */
export interface DigestRange {
  /** In bytes; a multiple of `chunkBytes`. */
  readonly position: number;
  /** In bytes; the end of the file ends the range earlier. */
  readonly count: number;
  /** Bytes under one digest; the last chunk may be shorter. */
  readonly chunkBytes: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The XXH64 digests (seed 0, 8 bytes each, big-endian) of the chunks of a range, one behind the other. Reads through the thread pool.
 *
 * @throws the system's error, or the signal's reason
 */
export async function digestChunks(handle: FileHandle, range: DigestRange): Promise<Uint8Array> {
  const digester = await ChunkDigester.create(range.chunkBytes);
  const buffer = new Uint8Array(Math.min(STEP_BYTES, range.chunkBytes, range.count));
  const end = range.position + range.count;
  let position = range.position;
  while (position < end) {
    range.signal?.throwIfAborted();
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, end - position), position);
    if (bytesRead === 0) break;
    digester.update(buffer.subarray(0, bytesRead));
    position += bytesRead;
  }
  return digester.digests();
}
