import type { LogLevel } from '../log.js';
import type { AppendFailure } from './append-file.js';
import { LogFile, type LogFileOptions } from './log-file.js';
import { LogJournal } from './log-journal.js';
import { jsonLine, type LogRecord, textLine } from './log-record.js';
import { ServerLog } from './server-log.js';

/** How a server logs. */
export interface OpenLogOptions {
  readonly level: LogLevel;
  readonly format: 'text' | 'json';
  /** Takes lines, line end included, where there is no file. */
  readonly write: (line: string) => void;
  readonly file?: Omit<LogFileOptions, 'onLost'> & { readonly path: string };
  /** Where the newest lines are kept for `sluice logs`; without it they are not. */
  readonly journal?: { readonly directory: string; readonly maxBytes: number };
  /** Of lines that wait for the disk, in bytes, for the file and for the journal. @default 4 MiB */
  readonly maxWaitingBytes?: number;
}

const DEFAULT_WAITING_BYTES = 4 << 20;

/** What is left out is told this often, in milliseconds. */
const SWEEP_PERIOD_MS = 10_000;

/** A log with what it is written to. */
export interface OpenedLog {
  readonly log: ServerLog;
  /** Goes on with a log file of the same name: another program may have moved it away. */
  reopen(): void;
  /** Ends when all that was logged is written. */
  close(): Promise<void>;
}

/**
 * Opens the log. Lines that cannot be written are lost, counted, and reported through `write` and in the log itself.
 *
 * @throws the system's error when the log file or the journal cannot be opened
 */
export async function openLog({
  level,
  format,
  write,
  file,
  journal,
  maxWaitingBytes = DEFAULT_WAITING_BYTES,
}: OpenLogOptions): Promise<OpenedLog> {
  let log: ServerLog | undefined;
  const losses = new LossReport(write, (lines) => {
    if (log) log.counters.lostLines += lines;
  });
  const lineOf = format === 'text' ? textLine : jsonLine;
  const logFile = file && (await LogFile.open(file.path, { ...file, maxWaitingBytes, onLost: losses.of('log file') }));
  const history =
    journal &&
    (await LogJournal.open(journal.directory, {
      maxBytes: journal.maxBytes,
      maxWaitingBytes,
      onLost: losses.of('log history'),
    }));
  const sink = logFile
    ? (record: LogRecord) => logFile.append(lineOf(record), record.seq)
    : (record: LogRecord) => write(`${lineOf(record)}\n`);
  const opened = new ServerLog({ level, sinks: [sink], ...(history && { journal: history }) });
  log = opened;
  const timer = setInterval(() => opened.sweep(), SWEEP_PERIOD_MS).unref();
  return {
    log: opened,
    reopen: () => logFile?.reopen(),
    async close() {
      clearInterval(timer);
      await Promise.all([logFile?.close(), history?.close()]);
    },
  };
}

/** Says what is lost where nothing can be written to the log: once in 10 s at most, with the number. */
class LossReport {
  readonly #write: (line: string) => void;
  readonly #count: (lines: number) => void;
  #nextMs = 0;

  /** @param count told of each line that is lost */
  constructor(write: (line: string) => void, count: (lines: number) => void) {
    this.#write = write;
    this.#count = count;
  }

  of(what: string): (failure: AppendFailure) => void {
    let counted = 0;
    return ({ code, lostLines }) => {
      this.#count(lostLines - counted);
      counted = lostLines;
      const nowMs = performance.now();
      if (nowMs < this.#nextMs) return;
      this.#nextMs = nowMs + SWEEP_PERIOD_MS;
      this.#write(`sluice: the ${what} cannot be written (${code}); ${lostLines} lines are lost so far\n`);
    };
  }
}
