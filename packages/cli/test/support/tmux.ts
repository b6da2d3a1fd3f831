import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { SLUICE_PATH } from './sluice-process.js';

const run = promisify(execFile);
const POLL_EVERY_MS = 50;
/** A machine at full load needs seconds to start a command. */
const MAX_POLLS = 400;

/** A terminal with a shell in it that can be typed into and looked at. */
export class TmuxTerminal implements AsyncDisposable {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async open(env: Readonly<Record<string, string>>, columns = 100, rows = 20): Promise<TmuxTerminal> {
    const terminal = new TmuxTerminal(await mkdtemp(path.join(tmpdir(), 'sluice-tmux-')));
    const { NO_COLOR: _, TMUX: __, ...environment } = process.env;
    const size = ['-x', String(columns), '-y', String(rows)];
    await run('tmux', terminal.#args(['new-session', '-d', ...size, 'sh -i']), {
      cwd: terminal.#directory,
      env: { ...environment, ENV: '', SLUICE: `'${process.execPath}' '${SLUICE_PATH}'`, ...env },
    });
    await terminal.until(/^[$#]$/m);
    // no core is left behind; and what the terminal is like is remembered
    await terminal.enter('ulimit -c 0; before=$(stty -g); clear; echo earlier text');
    await terminal.until(/^earlier text$/m);
    return terminal;
  }

  /** Types a line, and return. `$SLUICE` is the command, by way of `eval`. */
  async enter(line: string): Promise<void> {
    await this.#tmux('send-keys', '-l', line);
    await this.press('Enter');
  }

  /** As tmux names keys: `Down`, `C-c`, `q`. */
  async press(...keys: string[]): Promise<void> {
    await this.#tmux('send-keys', ...keys);
  }

  async resize(columns: number, rows: number): Promise<void> {
    await this.#tmux('resize-window', '-x', String(columns), '-y', String(rows));
  }

  /** What is on the screen. @param flags `-e` for the colours too */
  async screen(...flags: string[]): Promise<string> {
    return await this.#tmux('capture-pane', '-p', ...flags);
  }

  /** Waits until the screen matches. @returns the screen */
  async until(pattern: RegExp, ...flags: string[]): Promise<string> {
    for (let tries = 0; ; tries++) {
      const screen = await this.screen(...flags);
      if (pattern.test(screen)) return screen;
      if (tries > MAX_POLLS) throw new Error(`no ${pattern} on the screen:\n${screen}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_EVERY_MS));
    }
  }

  /** Whether the other screen is shown, the cursor is, and lines wrap. */
  async modes(): Promise<{ isOtherScreen: boolean; hasCursor: boolean; wraps: boolean }> {
    const flags = await this.#tmux('display-message', '-p', '#{alternate_on}#{cursor_flag}#{wrap_flag}');
    const [isOtherScreen, hasCursor, wraps] = [...flags.trim()].map((flag) => flag === '1') as [
      boolean,
      boolean,
      boolean,
    ];
    return { isOtherScreen, hasCursor, wraps };
  }

  /** Of the command that the shell waits for. */
  async commandPid(): Promise<number> {
    const shell = (await this.#tmux('display-message', '-p', '#{pane_pid}')).trim();
    return Number((await readFile(`/proc/${shell}/task/${shell}/children`, 'utf8')).trim().split(' ')[0]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tmux('kill-server').catch(() => {});
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #tmux(...args: string[]): Promise<string> {
    return (await run('tmux', this.#args(args))).stdout;
  }

  #args(args: readonly string[]): string[] {
    return ['-u', '-S', path.join(this.#directory, 'socket'), '-f', '/dev/null', ...args];
  }
}
