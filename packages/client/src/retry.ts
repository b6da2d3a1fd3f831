import type { ClientClock } from './clock.js';
import { ClientError } from './errors.js';
import type { ResolvedConnectOptions } from './options.js';

/** Longest pause between two attempts, in milliseconds. */
const MAX_RETRY_DELAY_MS = 15_000;

/** One try at a call. */
export interface Attempt {
  /** The first is 1. */
  readonly number: number;
  /** Says that something was brought forward: the count of vain attempts starts again. */
  progressed(): void;
}

/** Makes attempts until one succeeds, fails for good, or too many in a row brought nothing forward. */
export async function withRetries<T>(
  options: ResolvedConnectOptions,
  signal: AbortSignal,
  attempt: (attempt: Attempt) => Promise<T>,
): Promise<T> {
  let vainAttempts = 0;
  for (let number = 1; ; number++) {
    let hasProgressed = false;
    try {
      return await attempt({
        number,
        progressed: () => {
          hasProgressed = true;
        },
      });
    } catch (error) {
      signal.throwIfAborted();
      if (hasProgressed) vainAttempts = 0;
      if (!(error instanceof ClientError) || !error.retryable || vainAttempts >= options.retries) throw error;
      const delayMs = retryDelayMs(options, vainAttempts);
      vainAttempts += 1;
      options.onRetry({ attempt: number, delayMs, error });
      signal.throwIfAborted(); // onRetry may have called it off
      await pause(options.clock, signal, delayMs);
    }
  }
}

/** Pause after so many attempts in a row that brought nothing forward, in milliseconds. */
export function retryDelayMs(options: ResolvedConnectOptions, vainAttempts: number): number {
  const fullMs = Math.min(MAX_RETRY_DELAY_MS, options.retryDelayMs * 2 ** vainAttempts);
  return Math.round(fullMs * (1 - options.random() / 2));
}

/** @throws the signal's reason */
export function pause(clock: ClientClock, signal: AbortSignal, delayMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      cancel();
      reject(signal.reason);
    };
    const cancel = clock.after(delayMs, () => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    });
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
