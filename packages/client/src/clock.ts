/** Ends a timer. Calling it again, or after the timer has fired, does nothing. */
export type Cancel = () => void;

/** Where the client's time comes from, so that a test can hold it still and move it by hand. */
export interface ClientClock {
  /** Milliseconds since an arbitrary start, monotonic. */
  nowMs(): number;
  /** Calls back once, after `delayMs` milliseconds. Keeps the process alive until then. */
  after(delayMs: number, callback: () => void): Cancel;
  /** Calls back every `periodMs` milliseconds. Does not keep the process alive. */
  every(periodMs: number, callback: () => void): Cancel;
}

/** The machine's monotonic clock. */
export const clientClock: ClientClock = {
  nowMs: () => performance.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
  every(periodMs, callback) {
    const timer = setInterval(callback, periodMs);
    (timer as { unref?: () => void }).unref?.(); // browsers have none, and need none
    return () => clearInterval(timer);
  },
};
