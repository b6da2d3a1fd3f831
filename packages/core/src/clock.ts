/** Ends a timer. Calling it again, or after the timer has fired, does nothing. */
export type Cancel = () => void;

/** Where time comes from, so that a test can hold it still and move it by hand. */
export interface Clock {
  /** Milliseconds since an arbitrary start, monotonic: never set back by a change of the system's date. */
  nowMs(): number;
  /** Calls back once, after `delayMs` milliseconds. Does not keep the process alive. */
  after(delayMs: number, callback: () => void): Cancel;
  /** Calls back every `periodMs` milliseconds. Does not keep the process alive. */
  every(periodMs: number, callback: () => void): Cancel;
}

/** Node takes a longer time for none at all; this one is 24 days. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** The machine's monotonic clock. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, Math.min(delayMs, MAX_TIMER_MS)).unref();
    return () => clearTimeout(timer);
  },
  every(periodMs, callback) {
    const timer = setInterval(callback, Math.min(periodMs, MAX_TIMER_MS)).unref();
    return () => clearInterval(timer);
  },
};
