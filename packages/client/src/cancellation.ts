/** Waits for a promise no longer than until the signal aborts. Leaves no listener behind. */
export function abortable<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      promise.catch(() => {});
      reject(signal.reason);
      return;
    }
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort);
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/**
 * Signals for calls that end when their caller's signal aborts, or when all are called off together. AbortSignal.any would do the same, but
 * leaves a trace in a long-lived signal for each call.
 */
export class Cancellation {
  readonly #running = new Map<AbortController, Promise<unknown>>();
  #reason: Error | undefined;

  /** Runs a call with a signal of its own. */
  async run<T>(given: AbortSignal | undefined, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    given?.throwIfAborted();
    if (this.#reason) throw this.#reason;
    const controller = new AbortController();
    const onAbort = () => controller.abort(given?.reason);
    given?.addEventListener('abort', onAbort);
    const running = call(controller.signal);
    this.#running.set(controller, running);
    try {
      return await running;
    } finally {
      this.#running.delete(controller);
      given?.removeEventListener('abort', onAbort);
    }
  }

  /** Aborts every call with `reason`, also all later ones. Settles when they have ended. */
  async abortAll(reason: Error): Promise<void> {
    this.#reason ??= reason;
    const running = [...this.#running];
    for (const [controller] of running) controller.abort(this.#reason);
    await Promise.allSettled(running.map(([, call]) => call));
  }
}
