/** Files that take longer than this on average, in milliseconds, hold the event loop up too much. */
const SLOW_MS = 2;

/** How much of the average one file is. */
const WEIGHT = 0.1;

/** So many files are then left to the thread pool before it is tried again. */
const POOLED_FILES = 256;

/**
 * Decides how many small files in a row are read or written: directly, which costs a quarter of what it costs through the thread pool, as
 * long as the disk answers at once; the rest of the process has its turn in between, so a single one may be slow.
 */
export class DirectPace {
  #averageMs = 0;
  #pooledLeft = 0;

  /** Whether the next file may be done on the event loop. */
  get isDirect(): boolean {
    return this.#pooledLeft === 0;
  }

  /** Says how long the last one took, done the way `isDirect` told. */
  record(elapsedMs: number): void {
    if (this.#pooledLeft > 0) {
      this.#pooledLeft -= 1;
      return;
    }
    this.#averageMs += WEIGHT * (elapsedMs - this.#averageMs);
    if (this.#averageMs <= SLOW_MS) return;
    this.#averageMs = 0;
    this.#pooledLeft = POOLED_FILES;
  }
}
