import type { FileHandle } from 'node:fs/promises';
import xxhash from 'xxhash-wasm';

/** Read in steps of this many bytes, so that hashing never holds the event loop for more than about a millisecond. */
const STEP_BYTES = 1 << 20;

const hashing = xxhash();

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
  const { create64 } = await hashing;
  const buffer = new Uint8Array(Math.min(STEP_BYTES, range.chunkBytes, range.count));
  const digests: bigint[] = [];
  const end = range.position + range.count;
  let position = range.position;
  let isAtEnd = false;
  while (position < end && !isAtEnd) {
    const hash = create64();
    const chunkEnd = Math.min(end, position + range.chunkBytes);
    const chunkStart = position;
    while (position < chunkEnd) {
      range.signal?.throwIfAborted();
      const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, chunkEnd - position), position);
      if (bytesRead === 0) {
        isAtEnd = true;
        break;
      }
      hash.update(buffer.subarray(0, bytesRead));
      position += bytesRead;
    }
    if (position > chunkStart) digests.push(hash.digest());
  }
  const bytes = new Uint8Array(digests.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [i, digest] of digests.entries()) view.setBigUint64(i * 8, digest);
  return bytes;
}
