import { openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { ReadStream } from 'node:tty';
import { CommandError, usageError } from './command-error.js';
import { ExitCode } from './exit-code.js';
import { localFailure } from './failure.js';
import { stderr } from './terminal/standard-streams.js';
import { escapeControls } from './terminal/terminal-text.js';

export interface PasswordSources {
  /** Path of a file; its first line counts. */
  readonly file: string | undefined;
  /** Of `SLUICE_PASSWORD`. */
  readonly environment: string | undefined;
}

/**
 * The password of a user whose URL has none: from the file, else from the environment, else typed on the terminal.
 *
 * @param who `name at host`, for the question
 * @throws {CommandError} exit code 1 for a file that cannot be read, 2 without a terminal, 130 for Ctrl-C
 */
export async function findPassword(who: string, sources: PasswordSources): Promise<string> {
  if (sources.file !== undefined) return await readPasswordFile(sources.file);
  return sources.environment ?? (await askPassword(who));
}

async function readPasswordFile(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).split(/\r?\n/, 1)[0] ?? '';
  } catch (error) {
    throw localFailure('read the password file', path, error);
  }
}

/** Asks on the terminal itself, not on standard input: that may be what is uploaded. */
async function askPassword(who: string): Promise<string> {
  const terminal = openTerminal();
  if (!terminal) {
    throw usageError(`no password for ${who}: put it in SLUICE_PASSWORD, --password-file or the URL`);
  }
  try {
    terminal.setRawMode(true);
    stderr.write(`Password for ${escapeControls(who)}: `);
    return await readLineUnseen(terminal);
  } finally {
    stderr.write('\n');
    terminal.setRawMode(false);
    terminal.destroy();
  }
}

function openTerminal(): ReadStream | undefined {
  try {
    return new ReadStream(openSync('/dev/tty', 'r+'));
  } catch {
    return undefined;
  }
}

function readLineUnseen(terminal: ReadStream): Promise<string> {
  terminal.setEncoding('utf8');
  return new Promise((resolve, reject) => {
    let line: string[] = [];
    terminal.on('error', reject);
    terminal.on('end', () => resolve(line.join('')));
    terminal.on('data', (chunk: string) => {
      for (const char of chunk) {
        if (char === '\r' || char === '\n' || char === '\x04') return resolve(line.join(''));
        if (char === '\x03') return reject(new CommandError(ExitCode.Interrupted, 'interrupted'));
        if (char === '\x7f' || char === '\b') line.pop();
        else if (char === '\x15') line = [];
        else line.push(char);
      }
    });
  });
}
