/** What of the unsynced survives the cut. Without a seed nothing does; a disk may also have kept some, in its own order. */
export class Survival {
  readonly #seed: number | undefined;
  #state: number;

  constructor(seed: number | undefined) {
    this.#seed = seed;
    this.#state = Math.imul(seed ?? 0, 0x9e3779b1); // seeds in a row begin far from each other
  }

  /** Whether a thing with this chance has survived. */
  isKept(chance: number): boolean {
    return this.#seed !== undefined && this.#next() < chance;
  }

  /** How many, of so many in a row, have survived: the first ones. */
  keptOf(count: number): number {
    return this.#seed === undefined ? 0 : Math.floor(this.#next() * (count + 1));
  }

  /** From 0 to below 1; the same numbers for the same seed (mulberry32). */
  #next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
}
