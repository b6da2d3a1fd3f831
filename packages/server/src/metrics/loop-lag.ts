import type { Clock } from '@sluice/core';
import { Histogram } from './histogram.js';

const PERIOD_MS = 100;

/** How late the event loop is: looked at ten times a second. */
export class LoopLag {
  readonly times = new Histogram();
  readonly #stop: () => void;
  #dueMs: number;

  constructor(clock: Clock) {
    this.#dueMs = clock.nowMs() + PERIOD_MS;
    this.#stop = clock.every(PERIOD_MS, () => {
      const nowMs = clock.nowMs();
      this.times.observe(Math.max(0, nowMs - this.#dueMs));
      this.#dueMs = nowMs + PERIOD_MS;
    });
  }

  close(): void {
    this.#stop();
  }
}
