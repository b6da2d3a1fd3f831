import type { Cancel, Clock } from '@sluice/core';

interface Timer {
  dueMs: number;
  readonly periodMs: number | undefined;
  readonly callback: () => void;
}

/** A clock that stands still until `advance` is called. */
export class ManualClock implements Clock {
  #nowMs = 0;
  readonly #timers = new Set<Timer>();

  nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): Cancel {
    return this.#add({ dueMs: this.#nowMs + delayMs, periodMs: undefined, callback });
  }

  every(periodMs: number, callback: () => void): Cancel {
    return this.#add({ dueMs: this.#nowMs + periodMs, periodMs, callback });
  }

  /** Timers that have not fired or been cancelled. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** Moves time forward by `ms` milliseconds and fires, in order, everything that falls due on the way. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (let timer = this.#nextUntil(endMs); timer; timer = this.#nextUntil(endMs)) {
      this.#nowMs = Math.max(this.#nowMs, timer.dueMs);
      if (timer.periodMs === undefined) this.#timers.delete(timer);
      else timer.dueMs += timer.periodMs;
      timer.callback();
    }
    this.#nowMs = endMs;
  }

  #add(timer: Timer): Cancel {
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  #nextUntil(endMs: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueMs <= endMs && (!next || timer.dueMs < next.dueMs)) next = timer;
    }
    return next;
  }
}
