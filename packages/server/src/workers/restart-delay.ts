import type { Clock } from '@sluice/core';

const FIRST_MS = 100;
const LONGEST_MS = 30_000;

/** A worker that has lived so long has not died of its start, in milliseconds. */
const HEALTHY_MS = 10_000;

/** How long to wait before a worker is started again: twice as long each time, as long as they die soon. */
export class RestartDelay {
  #nextMs = FIRST_MS;
  readonly #timers = new Set<() => void>();

  /** @param livedMs how long the one that has died was there. @returns milliseconds */
  after(livedMs: number): number {
    if (livedMs >= HEALTHY_MS) this.#nextMs = FIRST_MS;
    const delayMs = this.#nextMs;
    this.#nextMs = Math.min(LONGEST_MS, this.#nextMs * 2);
    return delayMs;
  }

  start(clock: Clock, delayMs: number, restart: () => void): void {
    const cancel = clock.after(delayMs, () => {
      this.#timers.delete(cancel);
      restart();
    });
    this.#timers.add(cancel);
  }

  cancel(): void {
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
  }
}
