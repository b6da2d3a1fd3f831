/** Holds a flow of bytes to a rate: what has gone too early is waited for afterwards. */
export class RatePacer {
  #bytesPerSecond: number;
  /** When all that has gone would have gone at the rate. */
  #paidAtMs = Number.NEGATIVE_INFINITY;

  /** @param bytesPerSecond 0 for no limit */
  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** Goes on at another rate. @param bytesPerSecond 0 for no limit */
  setRate(bytesPerSecond: number): void {
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** Counts bytes that go now. */
  note(bytes: number, nowMs: number): void {
    if (this.#bytesPerSecond === 0) return;
    this.#paidAtMs = Math.max(nowMs, this.#paidAtMs) + (bytes * 1000) / this.#bytesPerSecond;
  }

  /** How long the next bytes must wait, in milliseconds; 0 or more. */
  waitMs(nowMs: number): number {
    return Math.max(0, this.#paidAtMs - nowMs);
  }
}
