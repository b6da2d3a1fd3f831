/** What becomes of a newcomer. */
export type SlotAnswer = 'admitted' | 'waiting' | 'refused';

/**
 * Who may come in: so many at once, so many more waiting, in order, and no others. A slot that is given back goes to the longest waiting
 * at once.
 */
export class SlotQueue<T> {
  readonly #maxActive: number;
  readonly #maxWaiting: number;
  /** Who waits, the longest first, and since when. */
  readonly #waiting = new Map<T, number>();
  #active = 0;

  constructor(maxActive: number, maxWaiting: number) {
    this.#maxActive = maxActive;
    this.#maxWaiting = maxWaiting;
  }

  /** Slots in use. */
  get active(): number {
    return this.#active;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** `admitted` takes a slot: give it back with `release`. */
  offer(newcomer: T, nowMs: number): SlotAnswer {
    if (this.#active < this.#maxActive) {
      this.#active += 1;
      return 'admitted';
    }
    if (this.#waiting.size >= this.#maxWaiting) return 'refused';
    this.#waiting.set(newcomer, nowMs);
    return 'waiting';
  }

  /** Gives a slot back. @returns who has it now, if anyone waited */
  release(): T | undefined {
    const next = this.#waiting.keys().next();
    if (next.done) {
      this.#active -= 1;
      return undefined;
    }
    this.#waiting.delete(next.value);
    return next.value;
  }

  /** Ends the waiting of one. @returns whether it waited */
  withdraw(waiting: T): boolean {
    return this.#waiting.delete(waiting);
  }

  /** Ends the waiting of those that have waited since `sinceMs` or longer. @returns who they are */
  withdrawSince(sinceMs: number): T[] {
    const expired: T[] = [];
    for (const [waiting, startedMs] of this.#waiting) {
      if (startedMs > sinceMs) break;
      this.#waiting.delete(waiting);
      expired.push(waiting);
    }
    return expired;
  }

  /** Ends all waiting. @returns who waited */
  withdrawAll(): T[] {
    const all = [...this.#waiting.keys()];
    this.#waiting.clear();
    return all;
  }
}
