import { emitKeypressEvents } from 'node:readline';
import type { ReadStream } from 'node:tty';
import { environment } from '../environment.js';
import { columnsOf, stdout } from './standard-streams.js';

const enterText = '\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J';
const leaveText = '\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l';
/** What a terminal knows shows all lines of a drawing at once; others take no notice. */
const [beginDrawing, endDrawing] = ['\x1b[?2026h', '\x1b[?2026l'];

/** How long a shell has to stop this process, until it is clear that there is none. */
const STOP_WITHIN_MS = 100;

/** A key as it was pressed. */
export interface Key {
  /** `up`, `return`, `ctrl-c`; of other keys the character itself. */
  readonly name: string;
  /** What it types; empty for a key that types nothing. */
  readonly text: string;
}

export interface FullScreenEvents {
  readonly onKey: (key: Key) => void;
  /** The size may have changed, and nothing is on the screen. */
  readonly onBlank: () => void;
  /** There is no terminal any more. */
  readonly onGone: () => void;
}

/**
 * The whole terminal, key by key and without echo, until it is disposed of. It is given back as it was on every way out: at `process.exit`,
 * after an exception that nobody has caught, at SIGQUIT; and for as long as a shell has stopped the process. The other signals are for the
 * caller, who disposes of this.
 */
export class FullScreen implements Disposable {
  readonly #events: FullScreenEvents;
  readonly #stdin: ReadStream;
  #isEntered = false;
  #shown: readonly string[] = [];
  #stopTimer: NodeJS.Timeout | undefined;

  private constructor(events: FullScreenEvents, stdin: ReadStream) {
    this.#events = events;
    this.#stdin = stdin;
    process.on('exit', this.#leave);
    process.on('uncaughtExceptionMonitor', this.#leave);
    process.on('SIGQUIT', this.#onQuit);
    process.on('SIGCONT', this.#onContinue);
    stdout.on('resize', this.#onResize);
    emitKeypressEvents(stdin);
    stdin.on('keypress', this.#onKeypress).on('end', events.onGone).on('error', events.onGone);
    this.#enter();
    stdin.resume();
  }

  /** @returns `undefined` where there is no terminal on both sides that can move its cursor */
  static open(events: FullScreenEvents): FullScreen | undefined {
    return hasFullScreen() ? new FullScreen(events, process.stdin) : undefined;
  }

  get columns(): number {
    return columnsOf(stdout);
  }

  get rows(): number {
    return stdout.rows > 0 ? stdout.rows : 24;
  }

  /** Shows these lines, from the top; none may be wider than the screen. */
  draw(lines: readonly string[]): void {
    if (!this.#isEntered) return;
    let text = '';
    for (let row = 0; row < Math.max(lines.length, this.#shown.length); row++) {
      const line = lines[row] ?? '';
      // cleared first: behind a line as wide as the screen, the cursor still stands on its last character
      if (line !== this.#shown[row]) text += `\x1b[${row + 1};1H\x1b[2K${line}`;
    }
    this.#shown = lines;
    if (text !== '') stdout.write(`${beginDrawing}${text}${endDrawing}`);
  }

  /** Clears the screen, whatever somebody else has written on it. */
  blank(): void {
    this.#onResize();
  }

  /** Gives the terminal to the shell, as Ctrl-Z does, until the process is in the foreground again. */
  suspend(): void {
    this.#leave();
    process.kill(0, 'SIGTSTP');
    // without a shell that could bring it back, the process is not stopped
    this.#stopTimer = setTimeout(this.#onContinue, STOP_WITHIN_MS);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#stopTimer);
    process.off('exit', this.#leave);
    process.off('uncaughtExceptionMonitor', this.#leave);
    process.off('SIGQUIT', this.#onQuit);
    process.off('SIGCONT', this.#onContinue);
    stdout.off('resize', this.#onResize);
    this.#stdin.off('keypress', this.#onKeypress).off('end', this.#events.onGone);
    this.#stdin.pause();
    this.#leave();
  }

  #enter(): void {
    // the shell may have changed it without the knowledge of Node, which sets only what it takes for a change
    this.#stdin.setRawMode(false).setRawMode(true);
    process.off('SIGTSTP', this.#onStop).on('SIGTSTP', this.#onStop);
    stdout.write(enterText);
    this.#shown = [];
    this.#isEntered = true;
  }

  readonly #leave = (): void => {
    if (!this.#isEntered) return;
    this.#isEntered = false;
    process.off('SIGTSTP', this.#onStop);
    stdout.write(leaveText);
    this.#stdin.setRawMode(false);
  };

  readonly #onStop = (): void => this.suspend();

  readonly #onContinue = (): void => {
    clearTimeout(this.#stopTimer);
    this.#enter();
    this.#events.onBlank();
  };

  readonly #onQuit = (): void => {
    this[Symbol.dispose]();
    process.kill(process.pid, 'SIGQUIT');
  };

  readonly #onResize = (): void => {
    if (!this.#isEntered) return;
    stdout.write('\x1b[2J');
    this.#shown = [];
    this.#events.onBlank();
  };

  readonly #onKeypress = (text: string | undefined, key: Keypress): void => {
    const isText = text !== undefined && !key.ctrl && !key.meta && text >= ' ' && text !== '\x7f';
    const name = isText ? text : `${key.ctrl ? 'ctrl-' : ''}${key.name ?? ''}`;
    this.#events.onKey({ name, text: isText ? text : '' });
  };
}

/** Of node:readline. */
interface Keypress {
  readonly name?: string;
  readonly ctrl: boolean;
  readonly meta: boolean;
}

/** Whether there is a terminal, to be read and to be drawn on. */
export function hasFullScreen(): boolean {
  return stdout.isTTY && process.stdin.isTTY && environment.hasCursor;
}
