import { ResultCode } from '@sluice/wire';
import { ClientError } from '../errors.js';
import type { Platform } from '../platform.js';

/** Work of which so much is under way at once. */
export class Lanes {
  readonly #count: number;
  readonly #running = new Set<Promise<void>>();
  /** What ended the first that failed. */
  failure: { readonly error: unknown } | undefined;

  constructor(count: number) {
    this.#count = count;
  }

  /** Starts work as soon as a lane is free; settles when it is begun. After a failure nothing is begun any more. */
  async run(work: () => Promise<void>): Promise<void> {
    while (this.#running.size >= this.#count) await Promise.race(this.#running);
    if (this.failure) return;
    const running = work()
      .catch((error: unknown) => {
        this.failure ??= { error };
      })
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Ends when all work has ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#running);
  }
}

/** Gives the rest of the process its turn, now and then, while much is done synchronously. */
export class Turns {
  /** So long it may go on, in milliseconds. */
  static readonly turnMs = 4;
  readonly #nextTurn: () => Promise<void>;
  #begunMs = performance.now();

  constructor({ nextTurn }: Pick<Platform, 'nextTurn'>) {
    this.#nextTurn = nextTurn;
  }

  /** @returns a promise when it is time to wait for it */
  next(): Promise<void> | undefined {
    if (performance.now() - this.#begunMs < Turns.turnMs) return undefined;
    return this.#nextTurn().then(() => {
      this.#begunMs = performance.now();
    });
  }
}

const ENDS_ALL = new Set(['ERR_CONNECT', 'ERR_TLS', 'ERR_LOGIN_REFUSED', 'ERR_CLOSED', 'ERR_PROTOCOL']);

/** Whether everything else would fail in the same way. */
export function endsAll(error: unknown, signal: AbortSignal): boolean {
  return signal.aborted || !(error instanceof ClientError) || ENDS_ALL.has(error.code);
}

/** Lets a refusal that says "later" be tried again. */
export function retryIfBusy(error: unknown): never {
  if (error instanceof ClientError && error.resultCode === ResultCode.Busy) {
    const { code, message, resultCode, retryAfterMs } = error;
    throw new ClientError(code, message, {
      cause: error,
      resultCode,
      retryable: true,
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    });
  }
  throw error;
}
