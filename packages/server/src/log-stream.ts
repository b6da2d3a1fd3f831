import type { LogLevel } from './log.js';
import type { JournalReader } from './logging/log-journal.js';
import type { LogRecord } from './logging/log-record.js';

/** The log, as LogOutput and the Control protocol read it. */
export interface LogStream {
  /** Calls `sink` with every record from now on, until the returned function is called. It must not log. */
  subscribe(sink: (record: LogRecord) => void): () => void;
  /** The newest lines on the disk; `undefined` where none are kept. */
  readonly journal: LogHistory | undefined;
  /** Of the process that writes it; `undefined` elsewhere. */
  readonly counters?: LogCounters;
}

/** What became of the lines of a log, since the start. */
export interface LogCounters {
  readonly lines: ReadonlyMap<LogLevel, number>;
  /** Summed up, because there were too many alike. */
  readonly leftOutLines: number;
  /** Not taken by the disk. */
  readonly lostLines: number;
}

/** What `LogJournal` shows to readers. */
export interface LogHistory {
  readonly id: string;
  readonly firstSeq: number;
  readonly writtenSeq: number;
  read(fromSeq: number): JournalReader;
  subscribe(onLines: () => void): () => void;
}

/** Whether lines of `level` are wanted where `worst` is the least important that are. */
export type IsWanted = (level: LogLevel) => boolean;
