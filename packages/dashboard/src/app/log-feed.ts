import { signal } from '@preact/signals';
import { LogBook } from '../model/log-book.js';
import type { LogLevel, ServerApi } from '../server-api.js';
import { Feed } from './feed.js';
import type { LinkKeeper } from './link-keeper.js';

/** Lines that are asked for when the log is looked at first. */
const FIRST_LINES = 500;

/** The log, as long as a page shows it. */
export class LogFeed extends Feed {
  readonly book = new LogBook();
  /** Rises with each change of `book`. */
  readonly version = signal(0);
  /** The least important level that the server sends. */
  readonly level = signal<LogLevel>('info');
  readonly #api: ServerApi;

  constructor(api: ServerApi, link: LinkKeeper) {
    super(link);
    this.#api = api;
  }

  chooseLevel(level: LogLevel): void {
    if (level === this.level.value) return;
    this.level.value = level;
    this.book.restart();
    this.version.value += 1;
    this.restart();
  }

  clear(): void {
    this.book.clear();
    this.version.value += 1;
  }

  protected override async listen(signal: AbortSignal): Promise<void> {
    const { cursor } = this.book;
    const wanted = { lines: FIRST_LINES, level: this.level.value, signal, ...(cursor !== undefined && { cursor }) };
    for await (const batch of this.#api.followLog(wanted)) {
      if (signal.aborted) return;
      this.book.add(batch);
      this.version.value += 1;
    }
  }
}
