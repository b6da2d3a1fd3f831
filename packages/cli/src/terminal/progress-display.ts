import { type ProgressView, progressLines, type RunningTransfer } from './progress-lines.js';
import { RateMeter } from './rate-meter.js';

const REDRAW_EVERY_MS = 100;
const hideCursor = '\x1b[?25l';
const showCursor = '\x1b[?25h';
const clearBelow = '\x1b[0J';

/** A terminal, or what a test puts in its place. */
export interface Screen {
  readonly columns: number;
  readonly rows: number;
  readonly hasColours: boolean;
  write(text: string): void;
}

export interface Totals {
  readonly files: number;
  /** `undefined` if one of the files does not tell. */
  readonly bytes: number | undefined;
}

/** What the client says about a transfer that goes on. */
export interface ProgressReport {
  readonly bytesDone: number;
  readonly bytesTotal: number | undefined;
  readonly bytesResumed: number;
}

/** How a transfer appears while it runs. */
export interface ProgressEntry {
  update(report: ProgressReport): void;
  /** @param bytes that count as done from now on, in the summary too @param files that it was. @default 1 */
  end(bytes: number, files?: number): void;
}

interface Running extends RunningTransfer {
  bytesDone: number;
  bytesTotal: number | undefined;
  bytesMoved: number;
  readonly meter: RateMeter;
}

/** Transfers as they go on, drawn over themselves at the lower end of the terminal, at most ten times a second. */
export class ProgressDisplay implements Disposable {
  readonly #screen: Screen;
  readonly #nowMs: () => number;
  readonly #totals: Totals;
  readonly #running = new Set<Running>();
  readonly #meter: RateMeter;
  readonly #timer: NodeJS.Timeout;
  #linesDrawn = 0;
  #filesDone = 0;
  #bytesDone = 0;
  #note: { readonly untilMs: number; readonly text: (leftMs: number) => string } | undefined;

  /** @param nowMs a monotonic clock */
  constructor(screen: Screen, totals: Totals, nowMs: () => number = () => performance.now()) {
    this.#screen = screen;
    this.#totals = totals;
    this.#nowMs = nowMs;
    this.#meter = new RateMeter(nowMs());
    this.#timer = setInterval(() => this.draw(), REDRAW_EVERY_MS);
    this.#timer.unref();
    process.on('exit', this.#leaveScreen);
    screen.write(hideCursor);
  }

  begin(name: string, bytesTotal: number | undefined): ProgressEntry {
    const running: Running = {
      name,
      bytesDone: 0,
      bytesTotal,
      bytesMoved: 0,
      bytesPerSecond: undefined,
      meter: new RateMeter(this.#nowMs()),
    };
    this.#running.add(running);
    return {
      update: (report) => this.#update(running, report),
      end: (bytes, files = 1) => {
        this.#running.delete(running);
        this.#filesDone += files;
        this.#bytesDone += bytes;
      },
    };
  }

  /** Shows `text` until the time has passed. @param text gets the milliseconds that are left */
  note(forMs: number, text: (leftMs: number) => string): void {
    this.#note = { untilMs: this.#nowMs() + forMs, text };
  }

  /** Lets `write` put whole lines onto the terminal; they stay above what is drawn. */
  above(write: () => void): void {
    this.#erase();
    write();
  }

  draw(): void {
    // one column stays free: a terminal may wrap behind the last one
    const layout = {
      columns: Math.max(1, this.#screen.columns - 1),
      rows: this.#screen.rows - 1,
      hasColours: this.#screen.hasColours,
    };
    const lines = progressLines(this.#view(), layout);
    this.#screen.write(`${this.#eraseText()}${lines.map((line) => `${line}\n`).join('')}`);
    this.#linesDrawn = lines.length;
  }

  /** Takes what is drawn away and gives the cursor back. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    process.off('exit', this.#leaveScreen);
    this.#leaveScreen();
  }

  readonly #leaveScreen = (): void => {
    this.#erase();
    this.#screen.write(showCursor);
  };

  #update(running: Running, { bytesDone, bytesTotal, bytesResumed }: ProgressReport): void {
    const moved = Math.max(0, bytesDone - bytesResumed);
    const added = Math.max(0, moved - running.bytesMoved);
    running.bytesDone = bytesDone;
    running.bytesTotal = bytesTotal ?? running.bytesTotal;
    running.bytesMoved = moved;
    running.meter.add(added, this.#nowMs());
    this.#meter.add(added, this.#nowMs());
  }

  #view(): ProgressView {
    const nowMs = this.#nowMs();
    const running = [...this.#running].map((each) => ({ ...each, bytesPerSecond: each.meter.bytesPerSecond(nowMs) }));
    if (this.#note && nowMs >= this.#note.untilMs) this.#note = undefined;
    return {
      running,
      summary:
        this.#totals.files > 1
          ? {
              filesDone: this.#filesDone,
              filesTotal: this.#totals.files,
              bytesDone: this.#bytesDone + running.reduce((sum, { bytesDone }) => sum + bytesDone, 0),
              bytesTotal: this.#totals.bytes,
              bytesPerSecond: this.#meter.bytesPerSecond(nowMs),
            }
          : undefined,
      note: this.#note?.text(this.#note.untilMs - nowMs),
    };
  }

  #erase(): void {
    this.#screen.write(this.#eraseText());
    this.#linesDrawn = 0;
  }

  #eraseText(): string {
    return this.#linesDrawn === 0 ? '' : `\x1b[${this.#linesDrawn}A\r${clearBelow}`;
  }
}
