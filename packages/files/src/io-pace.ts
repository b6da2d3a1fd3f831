import { diskTurn } from './disk-turns.js';

/** What counts as slow, and as fast, in milliseconds. */
export interface IoPaceLimits {
  /** A direct call that takes longer has held the event loop up: the next ones go to the thread pool. */
  readonly slowCallMs: number;
  /** A pooled call that takes at most this long counts as fast. */
  readonly fastCallMs: number;
}

/** Calls that move up to a megabyte or two, one behind the other: each has some time. */
const STREAMING: IoPaceLimits = { slowCallMs: 25, fastCallMs: 10 };

/** Calls for some bytes anywhere in a file, of which there may be any number: a disk that has to seek is too slow for the event loop. */
const RANDOM: IoPaceLimits = { slowCallMs: 5, fastCallMs: 4 };

/** So many fast pooled calls in a row, and the device is trusted again. */
const FAST_CALLS_TO_RETURN = 16;

/** While a sync goes on for longer than this, in milliseconds, the disk may have stopped: writes wait for it in threads. */
const SLOW_SYNC_MS = 250;

/** The same from so many bytes on that were written meanwhile: a system takes some without its disk, and then no more. */
const MAX_UNSYNCED_BYTES = 48 << 20;

/** Bytes that may be written to the files of a device before one of them is synced. */
const SYNC_EVERY_BYTES = 16 << 20;

/**
 * Decides how the files of one device are read and written. A call that finds its pages in memory takes microseconds when made directly,
 * and several times that through the thread pool; a call that waits for a disk must never be made on the event loop. Which it will be is
 * not known beforehand, so every call is timed: direct while they are fast, pooled after a slow one, direct again after a row of fast ones.
 */
export class IoPace {
  readonly #limits: IoPaceLimits;
  #isDirect = true;
  #fastCalls = 0;
  /** Written since a sync has begun. */
  #unsyncedBytes = 0;
  #syncs = 0;
  /** When the last sync began that found none going on, or one ended. */
  #syncingSinceMs = 0;

  /** @param limits @default those of streaming: 25 and 10 ms */
  constructor(limits: IoPaceLimits = STREAMING) {
    this.#limits = limits;
  }

  /** Whether the next call may be made on the event loop. */
  get isDirect(): boolean {
    return this.#isDirect;
  }

  /** Whether the next write may be made on the event loop: not while a sync tells that the disk may have stopped. */
  get mayWriteDirectly(): boolean {
    if (!this.#isDirect) return false;
    if (this.#syncs === 0) return true;
    return this.#unsyncedBytes <= MAX_UNSYNCED_BYTES && performance.now() - this.#syncingSinceMs <= SLOW_SYNC_MS;
  }

  /** Whether so much was written that a sync should begin: only that shows whether the disk still takes it. */
  get wantsSync(): boolean {
    return this.#syncs === 0 && this.#unsyncedBytes >= SYNC_EVERY_BYTES;
  }

  noteWritten(bytes: number): void {
    this.#unsyncedBytes += bytes;
  }

  /** Makes a sync of a file of the device, in its turn. @throws what that throws */
  async sync<T>(call: () => Promise<T>): Promise<T> {
    if (this.#syncs === 0) this.#syncingSinceMs = performance.now();
    this.#syncs += 1;
    this.#unsyncedBytes = 0;
    try {
      return await diskTurn(call);
    } finally {
      this.#syncs -= 1;
      this.#syncingSinceMs = performance.now();
    }
  }

  /** Says how long the last call took, made the way `isDirect` told. */
  record(elapsedMs: number): void {
    if (this.#isDirect) {
      if (elapsedMs > this.#limits.slowCallMs) {
        this.#isDirect = false;
        this.#fastCalls = 0;
      }
    } else {
      this.#fastCalls = elapsedMs <= this.#limits.fastCallMs ? this.#fastCalls + 1 : 0;
      if (this.#fastCalls >= FAST_CALLS_TO_RETURN) this.#isDirect = true;
    }
  }
}

const paces = { streaming: new Map<number, IoPace>(), random: new Map<number, IoPace>() };

/**
 * The pace of a device, `st_dev`; one for the whole process and each way to use it.
 *
 * @param use `random` for calls of some KiB at any place @default 'streaming'
 */
export function paceOfDevice(device: number, use: 'streaming' | 'random' = 'streaming'): IoPace {
  let pace = paces[use].get(device);
  if (!pace) {
    pace = new IoPace(use === 'streaming' ? STREAMING : RANDOM);
    paces[use].set(device, pace);
  }
  return pace;
}
