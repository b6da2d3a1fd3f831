import type { Clock } from './clock.js';

/** Those who wait work for so long, in milliseconds, before the event loop looks for new bytes and new connections again. */
const ROUND_MS = 0.25;

/**
 * Connections that have had their turn and have more to do: they go on one after the other, with a look at the event loop between. Node accepts
 * one connection for each turn of the loop, so whoever fills the turns keeps newcomers out.
 */
export class TurnQueue {
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();
  /** Whether the next round is going to begin, or goes on. */
  #isScheduled = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether anybody waits. */
  get isBusy(): boolean {
    return this.#waiting.size > 0;
  }

  /** Calls `work` when it is its turn; once, however often it is added before. */
  add(work: () => void): void {
    this.#waiting.add(work);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#run);
  }

  /** @param work that is not to be called any more */
  remove(work: () => void): void {
    this.#waiting.delete(work);
  }

  readonly #run = (): void => {
    const endMs = this.#clock.nowMs() + ROUND_MS;
    let left = this.#waiting.size; // those that add themselves again wait for the next round
    for (const work of this.#waiting) {
      this.#waiting.delete(work);
      work();
      left -= 1;
      if (left <= 0 || this.#clock.nowMs() >= endMs) break;
    }
    this.#isScheduled = this.#waiting.size > 0;
    if (this.#isScheduled) setImmediate(this.#run);
  };
}
