import type { Cancel, Clock } from '@sluice/core';
import type { RandomSource } from './random-source.js';

interface Event {
  dueMs: number;
  /** Decides between events that are due at the same time. */
  tie: number;
  readonly periodMs: number | undefined;
  readonly isTimer: boolean;
  readonly run: () => void;
  isCancelled: boolean;
}

/** Time of a simulation: it stands still while something happens, then jumps to the next event. Which of two simultaneous ones comes first, the seed says. */
export class SimulatedClock implements Clock {
  readonly #random: RandomSource;
  /** A binary heap, the earliest on top. */
  readonly #events: Event[] = [];
  #nowMs = 0;
  #timers = 0;

  constructor(random: RandomSource) {
    this.#random = random;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  /** Timers that have not fired or been cancelled; without the events of the network. */
  get pendingTimers(): number {
    return this.#timers;
  }

  after(delayMs: number, callback: () => void): Cancel {
    return this.#addTimer(delayMs, undefined, callback);
  }

  every(periodMs: number, callback: () => void): Cancel {
    return this.#addTimer(periodMs, periodMs, callback);
  }

  /** Something that happens by itself after `delayMs` milliseconds, as a segment that arrives. */
  happen(delayMs: number, run: () => void): void {
    this.#push({ dueMs: this.#nowMs + delayMs, periodMs: undefined, isTimer: false, run });
  }

  /** Lets the next event happen. @returns whether there was one until `untilMs`; if not, that is the time now */
  step(untilMs: number): boolean {
    let event = this.#events[0];
    while (event?.isCancelled) {
      this.#pop();
      event = this.#events[0];
    }
    if (!event || event.dueMs > untilMs) {
      this.#nowMs = Math.max(this.#nowMs, untilMs);
      return false;
    }
    this.#pop();
    this.#nowMs = Math.max(this.#nowMs, event.dueMs);
    if (event.periodMs !== undefined) {
      event.dueMs += event.periodMs;
      event.tie = this.#random.next();
      this.#insert(event);
    } else if (event.isTimer) {
      event.isCancelled = true;
      this.#timers -= 1;
    }
    event.run();
    return true;
  }

  #addTimer(delayMs: number, periodMs: number | undefined, run: () => void): Cancel {
    const event = this.#push({ dueMs: this.#nowMs + Math.max(delayMs, 0), periodMs, isTimer: true, run });
    this.#timers += 1;
    return () => {
      if (event.isCancelled) return;
      event.isCancelled = true;
      this.#timers -= 1;
    };
  }

  #push(event: Omit<Event, 'tie' | 'isCancelled'>): Event {
    const added = { ...event, tie: this.#random.next(), isCancelled: false };
    this.#insert(added);
    return added;
  }

  #insert(event: Event): void {
    const events = this.#events;
    let at = events.length;
    events.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, events[parent]!)) break;
      events[at] = events[parent]!;
      at = parent;
    }
    events[at] = event;
  }

  #pop(): void {
    const events = this.#events;
    const last = events.pop()!;
    if (events.length === 0) return;
    let at = 0;
    for (let child = 1; child < events.length; child = at * 2 + 1) {
      if (child + 1 < events.length && isBefore(events[child + 1]!, events[child]!)) child += 1;
      if (!isBefore(events[child]!, last)) break;
      events[at] = events[child]!;
      at = child;
    }
    events[at] = last;
  }
}

function isBefore(one: Event, other: Event): boolean {
  return one.dueMs < other.dueMs || (one.dueMs === other.dueMs && one.tie < other.tie);
}
