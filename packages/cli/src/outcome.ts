import { ExitCode } from './exit-code.js';

/** Counts what became of the parts of one command line, and turns that into its exit code. */
export class Outcome {
  #done = 0;
  #failed = 0;
  #refused = 0;
  #firstFailure: ExitCode = ExitCode.Failed;

  get done(): number {
    return this.#done;
  }

  /** With what was refused. */
  get failed(): number {
    return this.#failed + this.#refused;
  }

  addDone(): void {
    this.#done += 1;
  }

  addFailure(exitCode: ExitCode): void {
    if (this.#failed === 0) this.#firstFailure = exitCode;
    this.#failed += 1;
  }

  /** Something of a directory that was left out for safety: the rest was done, so it is never a failure of the whole. */
  addRefusal(): void {
    this.#refused += 1;
  }

  get exitCode(): ExitCode {
    if (this.failed === 0) return ExitCode.Done;
    return this.#done > 0 || this.#failed === 0 ? ExitCode.SomeFailed : this.#firstFailure;
  }
}
