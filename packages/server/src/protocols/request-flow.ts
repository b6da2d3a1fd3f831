/** Requests of one connection in progress together. docs/protocol.md, section 17.5. */
const MAX_IN_PROGRESS = 64;

/** Data that the requests in progress on one connection move together, in bytes; a single one may move more. */
const MAX_BYTES_IN_PROGRESS = 8 << 20;

/** The requests of one connection that do not wait for one another: how many there are, and who waits until there are fewer. */
export class RequestFlow {
  readonly #onIdle: () => void;
  #inProgress = 0;
  #bytes = 0;
  #waiting: { readonly isMet: () => boolean; readonly resolve: () => void }[] = [];

  /** @param onIdle called when the last request in progress has ended */
  constructor(onIdle: () => void) {
    this.#onIdle = onIdle;
  }

  get isIdle(): boolean {
    return this.#inProgress === 0;
  }

  /**
   * Counts work that has begun.
   *
   * @param work never rejects
   * @param bytes that it moves
   * @returns a promise when no further request may begin before it settles
   */
  add(work: Promise<void>, bytes: number): void | Promise<void> {
    this.#inProgress += 1;
    this.#bytes += bytes;
    void work.then(() => {
      this.#inProgress -= 1;
      this.#bytes -= bytes;
      if (this.#waiting.length > 0) this.#wake();
      if (this.isIdle) this.#onIdle();
    });
    return this.#until(() => this.#inProgress < MAX_IN_PROGRESS && this.#bytes < MAX_BYTES_IN_PROGRESS);
  }

  /** Settles when nothing is in progress; nothing when that is so now. */
  idle(): void | Promise<void> {
    return this.#until(() => this.isIdle);
  }

  #until(isMet: () => boolean): void | Promise<void> {
    if (!isMet()) return new Promise((resolve) => this.#waiting.push({ isMet, resolve }));
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = waiting.filter(({ isMet }) => !isMet());
    for (const waiter of waiting) if (waiter.isMet()) waiter.resolve();
  }
}
