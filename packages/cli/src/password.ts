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

/**
 * A password for a user to be: from the file, else typed on the terminal, twice. Never from `SLUICE_PASSWORD`, which is
 * what the operator logs in with.
 *
 * @param name for the question
 * @param file path; its first line counts
 * @throws {CommandError} as `findPassword`; exit code 1 for an empty password, and when the second is another
 */
export async function findNewPassword(name: string, file: string | undefined): Promise<string> {
  if (file === undefined) return await askNewPassword(name);
  const password = await readPasswordFile(file);
  if (password === '')
    throw new CommandError(ExitCode.Failed, `the first line of ${file} is empty: it is the password`);
  return password;
}

async function readPasswordFile(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).split(/\r?\n/, 1)[0] ?? '';
  } catch (error) {
    throw localFailure('read the password file', path, error);
  }
}

async function askPassword(who: string): Promise<string> {
  const terminal = UnseenTerminal.open();
  if (!terminal) {
    throw usageError(`no password for ${who}: put it in SLUICE_PASSWORD, --password-file or the URL`);
  }
  try {
    return await terminal.ask(`Password for ${escapeControls(who)}: `);
  } finally {
    terminal.close();
  }
}

async function askNewPassword(name: string): Promise<string> {
  const terminal = UnseenTerminal.open();
  if (!terminal) throw usageError(`no password for ${name}: give --password-file or --generate`);
  try {
    const password = await terminal.ask(`New password for ${escapeControls(name)}: `);
    if (password === '') throw new CommandError(ExitCode.Failed, 'an empty password is not accepted');
    if ((await terminal.ask('The same again: ')) === password) return password;
    throw new CommandError(ExitCode.Failed, 'these were two different passwords: nothing was changed');
  } finally {
    terminal.close();
  }
}

/** The terminal itself, without echo: not standard input, which may be what is uploaded. */
class UnseenTerminal {
  readonly #terminal: ReadStream;
  readonly #lines: AsyncIterator<string>;

  private constructor(terminal: ReadStream) {
    this.#terminal = terminal.setEncoding('utf8');
    this.#lines = unseenLines(terminal);
  }

  /** @returns `undefined` if there is none. To be closed */
  static open(): UnseenTerminal | undefined {
    try {
      const terminal = new ReadStream(openSync('/dev/tty', 'r+'));
      terminal.setRawMode(true);
      return new UnseenTerminal(terminal);
    } catch {
      return undefined;
    }
  }

  /** @throws {CommandError} exit code 130 for Ctrl-C */
  async ask(question: string): Promise<string> {
    stderr.write(question);
    try {
      const { value } = await this.#lines.next();
      if (value === CTRL_C) throw new CommandError(ExitCode.Interrupted, 'interrupted');
      return value ?? '';
    } finally {
      stderr.write('\n');
    }
  }

  close(): void {
    this.#terminal.setRawMode(false);
    this.#terminal.destroy();
  }
}

const CTRL_C = '\x03';

/** What is typed, also ahead; Ctrl-C is a line of its own. To throw here would close the terminal before its mode is set back. */
async function* unseenLines(terminal: ReadStream): AsyncGenerator<string, string> {
  let line: string[] = [];
  for await (const chunk of terminal) {
    for (const char of chunk as string) {
      if (char === CTRL_C) yield CTRL_C;
      else if (char === '\r' || char === '\n' || char === '\x04') {
        yield line.join('');
        line = [];
      } else if (char === '\x7f' || char === '\b') line.pop();
      else if (char === '\x15') line = [];
      else line.push(char);
    }
  }
  return line.join('');
}
