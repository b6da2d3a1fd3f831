/** What the command tells the shell. Documented in docs/operations.md. */
export const ExitCode = {
  Done: 0,
  Failed: 1,
  Usage: 2,
  SomeFailed: 3,
  NotConnected: 4,
  LoginRefused: 5,
  Interrupted: 130,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];
