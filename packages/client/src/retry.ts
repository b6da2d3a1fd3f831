import { ResultCode } from '@sluice/wire';
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

/** Longest pause that a server can ask for, in milliseconds. */
const MAX_RETRY_AFTER_MS = 60_000;

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
      const delayMs = pauseAfter(error, options, vainAttempts);
      vainAttempts += 1;
      options.onRetry({ attempt: number, delayMs, error });
      signal.throwIfAborted(); // onRetry may have called it off
      await pause(options.clock, signal, delayMs);
    }
  }
}

/**
 * Makes attempts for as long as the server says that it is busy, and not too often; any other failure is final. For calls that are tried once
 * otherwise.
 */
export function whileBusy<T>(
  options: ResolvedConnectOptions,
  signal: AbortSignal,
  attempt: () => Promise<T>,
): Promise<T> {
  return withRetries(options, signal, async () => {
    try {
      return await attempt();
    } catch (error) {
      if (error instanceof ClientError && error.retryable && error.resultCode !== ResultCode.Busy)
        throw new Final(error);
      throw error;
    }
  }).catch((error: unknown) => {
    throw error instanceof Final ? error.cause : error;
  });
}

/** Wraps a failure that is not to be tried again, though it could be. */
class Final extends Error {
  constructor(cause: unknown) {
    super('final', { cause });
  }
}

/** The pause that the server has asked for, and up to half as long again, so that clients that were refused together come back one by one. */
function pauseAfter({ retryAfterMs }: ClientError, options: ResolvedConnectOptions, vainAttempts: number): number {
  const ownMs = retryDelayMs(options, vainAttempts);
  if (retryAfterMs === undefined) return ownMs;
  const askedMs = Math.min(MAX_RETRY_AFTER_MS, retryAfterMs);
  return Math.max(ownMs, Math.round(askedMs * (1 + options.random() / 2)));
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
