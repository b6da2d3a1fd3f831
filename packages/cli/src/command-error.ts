import { ExitCode } from './exit-code.js';

export interface CommandErrorOptions extends ErrorOptions {
  /** For `--json`. @default 'ERR_USAGE' or 'ERR_FAILED', after the exit code */
  readonly code?: string;
}

/** Ends the command, or one of the files it moves: the message is the one line that the user sees, and says what to do. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: ExitCode;
  readonly code: string;

  constructor(exitCode: ExitCode, message: string, options: CommandErrorOptions = {}) {
    super(message, options);
    this.exitCode = exitCode;
    this.code = options.code ?? (exitCode === ExitCode.Usage ? 'ERR_USAGE' : 'ERR_FAILED');
  }
}

export function usageError(message: string): CommandError {
  return new CommandError(ExitCode.Usage, message);
}
