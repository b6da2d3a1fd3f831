/** Blocks that are kept are of this size: what a client of ours puts into one packet. */
const BLOCK_BYTES = 1 << 20;

/** Blocks that are kept for later. */
const MAX_SPARE_BLOCKS = 8;

/**
 * Memory for contents. New memory is cleared page by page as it is first written, which costs more than to copy into it, and makes the garbage
 * collector run: so some blocks are used again.
 */
export class MemoryPool {
  readonly #spare: Uint8Array[] = [];

  /** At least so many bytes; what is in them is not defined. */
  take(bytes: number): Uint8Array {
    const spare = bytes <= BLOCK_BYTES ? this.#spare.pop() : undefined;
    return spare ?? new Uint8Array(Math.max(bytes, BLOCK_BYTES));
  }

  /** Nobody uses it any more. */
  give(memory: Uint8Array): void {
    if (memory.length === BLOCK_BYTES && this.#spare.length < MAX_SPARE_BLOCKS) this.#spare.push(memory);
  }
}
