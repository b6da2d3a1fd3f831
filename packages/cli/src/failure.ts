import { ClientError } from '@sluice/client';
import { CommandError } from './command-error.js';
import { ExitCode } from './exit-code.js';

/** A failure as the command reports it: in one line for people, by its code for programs. */
export interface Failure {
  readonly code: string;
  /** What happened, and what to do about it. May hold control characters of a file name. */
  readonly message: string;
  readonly exitCode: ExitCode;
  /** Whether the message names the file that it is about. */
  readonly namesFile: boolean;
  /** Whether everything else would fail in the same way. */
  readonly concernsAll: boolean;
}

/** The server's codes that there is some advice for. Specification 4.1. */
const adviceForResultCode: Readonly<Record<number, string>> = {
  8: 'give a user name: sluice://NAME@HOST/',
  9: 'see what there is with sluice ls',
  11: 'try again when the other one has finished',
  12: 'try again in a moment, or with less at once',
  13: 'use a user with the role that this needs',
  33554433: 'make it with sluice mkdir',
};

const adviceForCode: Readonly<Record<string, string>> = {
  ERR_CONNECT: 'check the address, and that a server is running there',
  ERR_CONNECTION_LOST: 'run the same command again',
  ERR_TIMEOUT: 'run the same command again, or give it more time with --timeout',
  ERR_LOGIN_REFUSED: 'check user name and password',
  ERR_LOGIN_METHOD: 'choose another way to log in with --login, if that is safe there',
  ERR_REMOTE_LONGER: 'replace it with --force',
  ERR_DAMAGED: 'have the server compare its disk with what was once sent: sluice verify',
  ERR_EXISTS: 'replace it with --if-exists replace, or leave it with --if-exists skip',
  ERR_SOURCE_CHANGED: 'run the same command again when nobody writes to it',
};

const exitCodes: Readonly<Record<string, ExitCode>> = {
  ERR_URL: ExitCode.Usage,
  ERR_CONNECT: ExitCode.NotConnected,
  ERR_TLS: ExitCode.NotConnected,
  ERR_LOGIN_REFUSED: ExitCode.LoginRefused,
  ERR_LOGIN_METHOD: ExitCode.LoginRefused,
  ERR_SERVER_UNPROVEN: ExitCode.NotConnected,
};

/** For a server whose certificate is not trusted. */
function pinningAdvice({ fingerprint }: ClientError): string | undefined {
  if (fingerprint === undefined) return undefined;
  return 'if that is the server you mean, trust it with --tls-fingerprint and this SHA-256, or name its authority with --tls-ca';
}

/** A file here that was not to be replaced; one on the server is not named. */
function isLocalTarget({ code, resultCode }: ClientError): boolean {
  return code === 'ERR_EXISTS' && resultCode === undefined;
}

const namingCodes = new Set(['ERR_LOCAL_FILE', 'ERR_NOT_A_FILE']);

export function describeFailure(error: unknown): Failure {
  if (error instanceof ClientError) {
    const advice = error.resultCode === undefined ? pinningAdvice(error) : adviceForResultCode[error.resultCode];
    const exitCode = exitCodes[error.code] ?? ExitCode.Failed;
    return {
      code: error.code,
      message: withAdvice(error.message, advice ?? adviceForCode[error.code]),
      exitCode,
      namesFile: namingCodes.has(error.code) || isLocalTarget(error),
      concernsAll: exitCode === ExitCode.NotConnected || exitCode === ExitCode.LoginRefused,
    };
  }
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof CommandError) {
    return {
      code: error.code,
      message,
      exitCode: error.exitCode,
      namesFile: namingCodes.has(error.code),
      concernsAll: false,
    };
  }
  const code = (error as NodeJS.ErrnoException).code;
  return { code: code ?? 'ERR_UNEXPECTED', message, exitCode: ExitCode.Failed, namesFile: false, concernsAll: false };
}

/** What the system says about a local file, without the call: `cannot read a.bin: permission denied`. */
export function localFailure(action: string, path: string, cause: unknown): CommandError {
  const text = cause instanceof Error ? cause.message : String(cause);
  const reason = /^E[A-Z0-9]+: ([^,]+)/.exec(text)?.[1] ?? text;
  return new CommandError(ExitCode.Failed, `cannot ${action} ${path}: ${reason}`, { cause, code: 'ERR_LOCAL_FILE' });
}

function withAdvice(message: string, advice: string | undefined): string {
  return advice === undefined ? message : `${message}: ${advice}`;
}
