/** Lets so much work through at once; the rest waits, in the order of the calls. */
export class Turnstile {
  readonly #maxAtOnce: number;
  readonly #waiting = new Set<() => void>();
  #inside = 0;

  constructor(maxAtOnce: number) {
    this.#maxAtOnce = maxAtOnce;
  }

  /**
   * Does the work when its turn comes.
   *
   * @param signal ends the wait, not the work
   * @throws the signal's reason, or what the work throws
   */
  async pass<T>(work: () => T | Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    if (this.#inside < this.#maxAtOnce) this.#inside += 1;
    else await this.#turn(signal);
    try {
      return await work();
    } finally {
      const next = this.#waiting.values().next();
      if (next.done) this.#inside -= 1;
      else {
        this.#waiting.delete(next.value);
        next.value();
      }
    }
  }

  #turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const enter = (): void => {
        signal?.removeEventListener('abort', leave);
        resolve();
      };
      const leave = (): void => {
        this.#waiting.delete(enter);
        reject(signal?.reason);
      };
      this.#waiting.add(enter);
      signal?.addEventListener('abort', leave, { once: true });
    });
  }
}
