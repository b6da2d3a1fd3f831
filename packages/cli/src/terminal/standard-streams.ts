import { ExitCode } from '../exit-code.js';

/** Results. When its reader goes away (EPIPE), the process ends quietly, as other commands do. */
export const stdout: NodeJS.WriteStream = process.stdout;
/** Progress and errors. A reader that goes away is of no consequence. */
export const stderr: NodeJS.WriteStream = process.stderr;

const DEFAULT_COLUMNS = 80;

/** To be called once, before anything is written. */
export function guardStandardStreams(): void {
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(ExitCode.Failed);
  });
  stderr.on('error', () => {});
}

/** Width of the terminal behind `stream`; 80 where there is none. */
export function columnsOf(stream: NodeJS.WriteStream): number {
  return stream.columns > 0 ? stream.columns : DEFAULT_COLUMNS;
}
