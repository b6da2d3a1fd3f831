import type { SeededRandom } from '../seeded-random.js';

/** Holds things back until there are `count` or `waitMs` has passed since the first of them, and then lets them through in another order, one after the other. */
export class ReorderGate<T> {
  readonly #count: number;
  readonly #waitMs: number;
  readonly #random: SeededRandom;
  readonly #letThrough: (thing: T) => Promise<void>;
  #held: T[] = [];
  #timer: NodeJS.Timeout | undefined;
  #previous = Promise.resolve();

  /** @param letThrough settles when the next one may follow; never rejects */
  constructor(count: number, waitMs: number, random: SeededRandom, letThrough: (thing: T) => Promise<void>) {
    this.#count = count;
    this.#waitMs = waitMs;
    this.#random = random;
    this.#letThrough = letThrough;
  }

  add(thing: T): void {
    this.#held.push(thing);
    if (this.#held.length >= this.#count) this.#open();
    else this.#timer ??= setTimeout(() => this.#open(), this.#waitMs);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#held = [];
  }

  #open(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const group = this.#random.shuffled(this.#held);
    this.#held = [];
    this.#previous = this.#previous.then(async () => {
      for (const thing of group) await this.#letThrough(thing);
    });
  }
}
