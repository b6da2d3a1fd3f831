import { type LeveledLog, type LogFields, type LogLevel, UniformLog } from '../log.js';
import type { LogJournal } from './log-journal.js';
import { isLogged, jsonLine, type LogRecord, makeRecord } from './log-record.js';
import { RepeatLimiter } from './repeat-limiter.js';

/** Where records go, besides the journal. */
export type LogSink = (record: LogRecord) => void;

export interface ServerLogOptions {
  readonly level: LogLevel;
  readonly sinks: readonly LogSink[];
  readonly journal?: LogJournal;
  /** Time that goes forward only, in milliseconds. @default performance.now */
  readonly nowMs?: () => number;
  /** @default the system's */
  readonly now?: () => Date;
}

/** The log of a server: makes records, limits those that repeat, and gives them to all who want them. */
export class ServerLog extends UniformLog implements LeveledLog {
  level: LogLevel;
  readonly journal: LogJournal | undefined;
  readonly #sinks: Set<LogSink>;
  readonly #nowMs: () => number;
  readonly #now: () => Date;
  readonly #limiter = new RepeatLimiter();
  readonly counters = { lines: new Map<LogLevel, number>(), leftOutLines: 0, lostLines: 0 };
  #nextSeq = 1;

  constructor({ level, sinks, journal, nowMs = () => performance.now(), now = () => new Date() }: ServerLogOptions) {
    super();
    this.level = level;
    this.journal = journal;
    this.#sinks = new Set(sinks);
    this.#nowMs = nowMs;
    this.#now = now;
  }

  /** Calls `sink` with every record from now on, until the returned function is called. It must not log. */
  subscribe(sink: LogSink): () => void {
    this.#sinks.add(sink);
    return () => this.#sinks.delete(sink);
  }

  /** To be called now and then: says what was left out. */
  sweep(): void {
    this.#limiter.sweep(this.#nowMs(), this.#onLeftOut);
  }

  protected log(level: LogLevel, event: string, fields: LogFields = {}): void {
    if (!isLogged(level, this.level)) return;
    if (this.#limiter.admits(this.#nowMs(), level, event, fields, this.#onLeftOut)) this.#write(level, event, fields);
    else this.counters.leftOutLines += 1;
  }

  readonly #onLeftOut = (leftOut: Parameters<Parameters<RepeatLimiter['sweep']>[1]>[0]): void => {
    for (const { level, event, from, count } of leftOut)
      this.#write(level, 'lines left out', { of: event, from: from || undefined, count });
  };

  #write(level: LogLevel, event: string, fields: LogFields): void {
    const seq = this.journal?.nextSeq ?? this.#nextSeq;
    this.#nextSeq += 1;
    this.counters.lines.set(level, (this.counters.lines.get(level) ?? 0) + 1);
    const record = makeRecord(seq, this.#now(), level, event, fields);
    this.journal?.append(jsonLine(record));
    for (const sink of this.#sinks) sink(record);
  }
}
