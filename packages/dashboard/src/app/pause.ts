/** Waits, or until `wake` is called: a user who presses a button does not wait on. Rejects with the reason of the signal. */
export class Pause {
  #wake: () => void = () => {};

  wake(): void {
    this.#wake();
  }

  async for(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(end, ms);
      const onAbort = (): void => {
        clearTimeout(timer);
        reject(signal.reason);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#wake = end;
      function end(): void {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        resolve();
      }
    });
  }
}
