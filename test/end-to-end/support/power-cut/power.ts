import { Survival } from './survival.js';
import { system } from './system-calls.js';
import { type Step, UnsyncedData } from './unsynced-data.js';
import { UnsyncedNames } from './unsynced-names.js';

export interface PowerOptions {
  /** Where files are kept that were replaced or removed: a directory on the file system that is written to. */
  readonly store: string;
  /** What of the unsynced survives; `undefined` for nothing. */
  readonly seed: number | undefined;
  /** The file operation, counted from 1, in front of which the power is cut; `undefined` for none. */
  readonly cutAt: number | undefined;
}

const never = new Promise<never>(() => {});

/**
 * The power of a process: what it has written is not on the disk before a sync says so. When the power is cut, everything unsynced is taken
 * back, and the process killed. File operations that go on at that moment end first, for the system has them already; nobody is told their outcome.
 */
export class Power {
  readonly data = new UnsyncedData();
  readonly names: UnsyncedNames;
  readonly #options: PowerOptions;
  #operations = 0;
  #inFlight = 0;
  #isCut = false;

  constructor(options: PowerOptions) {
    this.#options = options;
    this.names = new UnsyncedNames(options.store);
  }

  get isCut(): boolean {
    return this.#isCut;
  }

  cut(): void {
    if (this.#isCut) return;
    this.#isCut = true;
    if (this.#inFlight === 0) this.#end();
  }

  /** Runs an operation that is done when the call returns. Without power it does nothing, and nobody will see that. */
  now<T>(begin: () => Step | undefined, call: () => T, withoutPower: T): T {
    if (this.#isCutBefore()) return withoutPower;
    const step = begin();
    try {
      const result = call();
      step?.done(result);
      return result;
    } catch (error) {
      step?.failed();
      throw error;
    }
  }

  /** Runs an operation of the thread pool. Without power it does not end. @param outcome what `begin` is to be told */
  async later<T>(
    begin: () => Step | undefined,
    call: () => Promise<T>,
    outcome = (result: T): unknown => result,
  ): Promise<T> {
    if (this.#isCutBefore()) return never;
    const step = begin();
    this.#inFlight += 1;
    let failure: { readonly error: unknown } | undefined;
    let result: T | undefined;
    try {
      result = await call();
    } catch (error) {
      failure = { error };
    }
    this.#inFlight -= 1;
    if (this.#isCut) {
      if (this.#inFlight === 0) this.#end();
      return never;
    }
    if (failure) {
      step?.failed();
      throw failure.error;
    }
    step?.done(outcome(result as T));
    return result as T;
  }

  #isCutBefore(): boolean {
    this.#operations += 1;
    if (this.#operations === this.#options.cutAt) this.cut();
    return this.#isCut;
  }

  #end(): never {
    const survival = new Survival(this.#options.seed);
    let text: string;
    try {
      const data = this.data.undo(survival);
      const names = this.names.undo(survival);
      text = `power cut at operation ${this.#operations}: ${data} changes of data and ${names} of names lost\n`;
    } catch (error) {
      text = `power cut at operation ${this.#operations} FAILED: ${error instanceof Error ? error.stack : error}\n`;
    }
    system.writeSync(2, text);
    process.kill(process.pid, 'SIGKILL');
    throw new Error('killed'); // the signal is here before the call returns
  }
}
