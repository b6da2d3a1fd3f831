import type { Clock } from '@sluice/core';

/** A measurement is good for so long before a write that finds no room measures again, in milliseconds. */
const MEASURE_AGAIN_AFTER_MS = 5000;

/** How much a user may have. The methods are those of {@link StorageQuota}. */
export interface Quota {
  limitBytes: number;
  take(bytes: number): boolean | Promise<boolean>;
  reserve(bytes: number): boolean | Promise<boolean>;
  release(bytes: number): void;
  add(bytes: number): void;
}

/**
 * How much all files of a tree may have together. What is there is measured when it is first asked for; from then on all growth is added.
 * What becomes free shows when it is measured again: when a write finds no room, and the last measurement is older than 5 s.
 *
 * A file counts with its length, not with what it takes on the disk. What others change on the disk shows at the next measurement.
 */
export class StorageQuota implements Quota {
  readonly #measure: () => Promise<number>;
  readonly #clock: Clock;
  #limitBytes: number;
  #usedBytes: number | undefined;
  /** Promised to uploads that are not complete. */
  #reservedBytes = 0;
  #measuredMs = 0;
  #measuring: Promise<void> | undefined;

  constructor(limitBytes: number, measure: () => Promise<number>, clock: Clock) {
    this.#limitBytes = limitBytes;
    this.#measure = measure;
    this.#clock = clock;
  }

  get limitBytes(): number {
    return this.#limitBytes;
  }

  set limitBytes(bytes: number) {
    this.#limitBytes = bytes;
  }

  /**
   * Takes room for bytes by which files will grow.
   *
   * @returns whether there is room; a promise when that has to be measured
   */
  take(bytes: number): boolean | Promise<boolean> {
    return this.#ifRoom(bytes, () => this.add(bytes));
  }

  /** Promises room for bytes that will come. @returns as `take` */
  reserve(bytes: number): boolean | Promise<boolean> {
    return this.#ifRoom(bytes, () => {
      this.#reservedBytes += bytes;
    });
  }

  /** Takes a promise back. */
  release(bytes: number): void {
    this.#reservedBytes -= bytes;
  }

  /** Files have grown, or shrunk if it is negative. Says nothing as long as nothing was measured. */
  add(bytes: number): void {
    if (this.#usedBytes !== undefined) this.#usedBytes += bytes;
  }

  #ifRoom(bytes: number, take: () => void): boolean | Promise<boolean> {
    const takeIfItFits = (): boolean => {
      const fits = (this.#usedBytes ?? 0) + this.#reservedBytes + bytes <= this.#limitBytes;
      if (fits) take();
      return fits;
    };
    if (this.#usedBytes !== undefined && takeIfItFits()) return true;
    const isFresh = this.#usedBytes !== undefined && this.#clock.nowMs() - this.#measuredMs < MEASURE_AGAIN_AFTER_MS;
    return isFresh ? false : this.#measured().then(takeIfItFits);
  }

  /** One measurement for all that wait for one. */
  #measured(): Promise<void> {
    this.#measuring ??= (async () => {
      try {
        this.#usedBytes = await this.#measure();
        this.#measuredMs = this.#clock.nowMs();
      } finally {
        this.#measuring = undefined;
      }
    })();
    return this.#measuring;
  }
}
