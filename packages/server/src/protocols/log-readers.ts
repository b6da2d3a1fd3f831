/** Who has all lines is sent new ones so often at most, in milliseconds: a line at a time would be more work than logging it. */
const PERIOD_MS = 50;
/** Of many readers each is sent something more rarely, so that all together are sent something 500 times a second. */
const PERIOD_PER_READER_MS = 2;

/** All who read the log, in either way. They take turns, so that whatever is logged, and whoever does not read, the others are served. */
export class LogReaders {
  #count = 0;
  readonly #waiting: (() => void)[] = [];

  /** @returns to be called once, when the reader has left */
  add(): () => void {
    this.#count += 1;
    return () => {
      this.#count -= 1;
    };
  }

  /** How long lines are gathered, in milliseconds. */
  get periodMs(): number {
    return Math.max(PERIOD_MS, this.#count * PERIOD_PER_READER_MS);
  }

  /** Settles when a reader may make its next page: one in each turn of the event loop. */
  turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#waiting.length === 1) setImmediate(this.#next);
    });
  }

  readonly #next = (): void => {
    this.#waiting.shift()?.();
    if (this.#waiting.length > 0) setImmediate(this.#next);
  };
}
