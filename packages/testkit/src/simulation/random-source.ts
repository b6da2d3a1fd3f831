import { randomNumbers } from '../random.js';

/** Choices of a simulation: the same for the same seed. */
export class RandomSource {
  readonly seed: number;
  readonly #next: () => number;

  constructor(seed: number) {
    this.seed = seed;
    this.#next = randomNumbers(seed);
  }

  /** From 0 to below 1. */
  next(): number {
    return this.#next();
  }

  /** A whole number from 0 to below `count`. */
  below(count: number): number {
    return Math.floor(this.#next() * count);
  }

  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True once in `1 / probability` times. */
  chance(probability: number): boolean {
    return this.#next() < probability;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  /** One of the keys, the more often the larger its weight. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    const entries = Object.entries(weights) as [K, number][];
    let at = this.#next() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [key, weight] of entries) {
      at -= weight;
      if (at < 0) return key;
    }
    return entries.at(-1)![0];
  }

  bytes(count: number): Buffer {
    const bytes = Buffer.allocUnsafe(count);
    for (let i = 0; i < count; i++) bytes[i] = this.below(256);
    return bytes;
  }

  /** A source of its own for one purpose: what others draw does not change what it gives. */
  fork(purpose: number): RandomSource {
    const mixed = Math.imul(this.seed ^ 0x5bd1e995, 0x27d4eb2f) ^ Math.imul(purpose + 1, 0x165667b1);
    return new RandomSource((mixed ^ (mixed >>> 15)) >>> 0);
  }
}
