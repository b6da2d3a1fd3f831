import { Turnstile } from '../storage/turnstile.js';

/** How many verifications go on, and for how long one of them is waited for and worked on. */
export interface VerifyQueueOptions {
  /** @default 2 */
  readonly maxAtOnce?: number;
  /** Wait for a turn after which a request is answered with nothing done, in milliseconds: well below what clients wait. @default 15_000 */
  readonly maxWaitMs?: number;
  /** Work after which a request is answered with what is done, in milliseconds. @default 5_000 */
  readonly maxWorkMs?: number;
}

/** Files that are read to be verified, few at once: the disk is there for transfers, too. */
export class VerifyQueue {
  readonly maxWorkMs: number;
  readonly #turnstile: Turnstile;
  readonly #maxWaitMs: number;

  constructor({ maxAtOnce = 2, maxWaitMs = 15_000, maxWorkMs = 5_000 }: VerifyQueueOptions = {}) {
    this.#turnstile = new Turnstile(maxAtOnce);
    this.#maxWaitMs = maxWaitMs;
    this.maxWorkMs = maxWorkMs;
  }

  /**
   * Does the work when its turn comes.
   *
   * @param gone ends the wait when nobody is there any more
   * @returns `undefined` when the turn has not come in time
   * @throws what the work throws, or the reason of `gone`
   */
  async pass<T>(work: () => Promise<T>, gone: AbortSignal): Promise<T | undefined> {
    const tooLong = new AbortController();
    const timer = setTimeout(() => tooLong.abort(), this.#maxWaitMs);
    try {
      return await this.#turnstile.pass(
        () => {
          clearTimeout(timer);
          return work();
        },
        AbortSignal.any([gone, tooLong.signal]),
      );
    } catch (error) {
      if (error === tooLong.signal.reason && tooLong.signal.aborted) return undefined;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}
