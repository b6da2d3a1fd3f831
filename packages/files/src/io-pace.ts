/** A direct call that takes longer than this, in milliseconds, has held the event loop up: the next ones go to the thread pool. */
const SLOW_CALL_MS = 25;
/** A pooled call that takes at most this long, in milliseconds, counts as fast. */
const FAST_CALL_MS = 10;
/** So many fast pooled calls in a row, and the device is trusted again. */
const FAST_CALLS_TO_RETURN = 16;

/**
 * Decides how the files of one device are read and written. A call that finds its pages in memory takes microseconds when made directly,
 * and several times that through the thread pool; a call that waits for a disk must never be made on the event loop. Which it will be is
 * not known beforehand, so every call is timed: direct while they are fast, pooled after a slow one, direct again after a row of fast ones.
 */
export class IoPace {
  #isDirect = true;
  #fastCalls = 0;

  /** Whether the next call may be made on the event loop. */
  get isDirect(): boolean {
    return this.#isDirect;
  }

  /** Says how long the last call took, made the way `isDirect` told. */
  record(elapsedMs: number): void {
    if (this.#isDirect) {
      if (elapsedMs > SLOW_CALL_MS) {
        this.#isDirect = false;
        this.#fastCalls = 0;
      }
    } else {
      this.#fastCalls = elapsedMs <= FAST_CALL_MS ? this.#fastCalls + 1 : 0;
      if (this.#fastCalls >= FAST_CALLS_TO_RETURN) this.#isDirect = true;
    }
  }
}

const paces = new Map<number, IoPace>();

/** The pace of a device, `st_dev`; one for the whole process. */
export function paceOfDevice(device: number): IoPace {
  let pace = paces.get(device);
  if (!pace) {
    pace = new IoPace();
    paces.set(device, pace);
  }
  return pace;
}
