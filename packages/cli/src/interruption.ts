import { CommandError } from './command-error.js';
import { ExitCode } from './exit-code.js';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Ctrl-C: the first one aborts `signal`, so that transfers keep what has arrived; the second one ends the process at once. */
export class Interruption implements Disposable {
  readonly #controller = new AbortController();
  readonly #message: string;

  /** @param message what is said then */
  constructor(message = 'interrupted: the same command goes on where this one stopped') {
    this.#message = message;
    for (const name of signals) process.on(name, this.#onSignal);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** From a terminal in raw mode, where Ctrl-C is only a byte. */
  interrupt(): void {
    this.#onSignal();
  }

  [Symbol.dispose](): void {
    for (const name of signals) process.off(name, this.#onSignal);
  }

  readonly #onSignal = (): void => {
    if (this.#controller.signal.aborted) process.exit(ExitCode.Interrupted);
    this.#controller.abort(new CommandError(ExitCode.Interrupted, this.#message, { code: 'ERR_INTERRUPTED' }));
  };
}
