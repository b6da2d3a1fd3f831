import { randomNumbers } from '@sluice/testkit';

/** What of the unsynced survives the cut. Without a seed nothing does; a disk may also have kept some, in its own order. */
export class Survival {
  readonly #next: (() => number) | undefined;

  constructor(seed: number | undefined) {
    this.#next = seed === undefined ? undefined : randomNumbers(seed);
  }

  /** Whether a thing with this chance has survived. */
  isKept(chance: number): boolean {
    return this.#next !== undefined && this.#next() < chance;
  }

  /** How many, of so many in a row, have survived: the first ones. */
  keptOf(count: number): number {
    return this.#next === undefined ? 0 : Math.floor(this.#next() * (count + 1));
  }
}
