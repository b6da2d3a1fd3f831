const SMALLEST_BYTES = 256;
const LARGEST_BYTES = 1 << 20;

/**
 * Buffers of 256 B to 1 MiB, in powers of two, that are lent and given back. A larger one is made for the purpose and dropped
 * afterwards, so that one large frame does not leave its memory behind.
 */
export class BufferPool {
  readonly #maxRetainedBytes: number;
  readonly #free = new Map<number, Uint8Array[]>();
  #retainedBytes = 0;

  /** @param maxRetainedBytes free buffers kept for reuse, in bytes in total. @default 4 MiB */
  constructor(maxRetainedBytes = 4 << 20) {
    this.#maxRetainedBytes = maxRetainedBytes;
  }

  /** Free buffers kept for reuse, in bytes. */
  get retainedBytes(): number {
    return this.#retainedBytes;
  }

  /** A buffer of at least `minBytes` bytes. Its content is undefined. */
  take(minBytes: number): Uint8Array {
    const bytes = sizeClass(minBytes);
    const free = this.#free.get(bytes)?.pop();
    if (!free) return new Uint8Array(bytes);
    this.#retainedBytes -= bytes;
    return free;
  }

  /** Takes a buffer back. The caller keeps no view of it. */
  give(buffer: Uint8Array): void {
    const bytes = buffer.length;
    if (bytes > LARGEST_BYTES || this.#retainedBytes + bytes > this.#maxRetainedBytes) return;
    let free = this.#free.get(bytes);
    if (!free) {
      free = [];
      this.#free.set(bytes, free);
    }
    free.push(buffer);
    this.#retainedBytes += bytes;
  }
}

function sizeClass(minBytes: number): number {
  if (minBytes > LARGEST_BYTES) return minBytes;
  let bytes = SMALLEST_BYTES;
  while (bytes < minBytes) bytes *= 2;
  return bytes;
}
