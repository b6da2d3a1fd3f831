import type { LogBatch, LogLevel, LogRecord } from '../server-api.js';

/** A line that is shown: one of the log, or a mark where some are not there. */
export type LogRow = LogLine | LogMark;

export interface LogLine {
  readonly kind: 'line';
  /** Rises by one with each row, for as long as the book is kept. */
  readonly key: number;
  readonly record: LogRecord;
  /** The fields behind the event, as `key=value`. */
  readonly text: string;
}

/** Where lines are not there. */
export interface LogMark {
  readonly kind: 'gap' | 'left-out' | 'another-log' | 'forgotten';
  readonly key: number;
  /** Lines that are not there. */
  readonly count: number;
  readonly text: string;
}

/** Which lines are shown. */
export interface LogFilter {
  /** The least important level. */
  readonly level: LogLevel;
  /** Words that a line must all have. */
  readonly text: string;
}

export const LOG_LEVELS: readonly LogLevel[] = ['error', 'warn', 'info', 'debug'];

/** Rows that a page keeps: what is older is forgotten, and a mark says so. */
export const MAX_LOG_ROWS = 5000;

const HEAD_FIELDS = new Set(['time', 'level', 'seq', 'event']);

/** The lines of the log that a page has, oldest first, and marks where lines are missing. */
export class LogBook {
  readonly #maxRows: number;
  #rows: LogRow[] = [];
  #nextKey = 1;
  #forgotten = 0;
  #cursor: string | undefined;

  constructor(maxRows: number = MAX_LOG_ROWS) {
    this.#maxRows = maxRows;
  }

  /** Where to go on behind what is here; `undefined` when nothing has come. */
  get cursor(): string | undefined {
    return this.#cursor;
  }

  /** Rows in all, forgotten ones included: rises, however many are kept. */
  get lastKey(): number {
    return this.#nextKey - 1;
  }

  get forgotten(): number {
    return this.#forgotten;
  }

  get rows(): readonly LogRow[] {
    return this.#rows;
  }

  /** Takes over what has come. */
  add({ records, missed, cursor }: LogBatch): void {
    this.#cursor = cursor;
    if (missed !== 0) this.#rows.push(this.#gap(missed));
    for (const record of records) this.#rows.push(this.#rowOf(record));
    const excess = this.#rows.length - this.#maxRows;
    // in larger steps: a line that pushes one out would move thousands each time
    if (excess > this.#maxRows / 10) {
      this.#forgotten += excess;
      this.#rows.splice(0, excess);
    }
  }

  /** Begins anew; `cursor` and keys stay. */
  clear(): void {
    this.#rows = [];
    this.#forgotten = 0;
  }

  /** As `clear`, and the lines are asked for from the beginning again. */
  restart(): void {
    this.clear();
    this.#cursor = undefined;
  }

  /** What a filter leaves, marks included. @param untilKey the last row; rows behind it came while the view was paused */
  shown({ level, text }: LogFilter, untilKey = Number.POSITIVE_INFINITY): LogRow[] {
    const least = LOG_LEVELS.indexOf(level);
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const rows = this.#rows.filter((row) => {
      if (row.key > untilKey) return false;
      if (row.kind !== 'line') return true;
      return isAsImportant(row.record.level, least) && words.every((word) => searched(row).includes(word));
    });
    if (this.#forgotten > 0) rows.unshift({ kind: 'forgotten', key: 0, count: this.#forgotten, text: FORGOTTEN });
    return rows;
  }

  #rowOf(record: LogRecord): LogRow {
    const key = this.#nextKey;
    this.#nextKey += 1;
    if (record.event === 'lines left out') {
      const count = Number(record['count']) || 0;
      const from = record['from'] === undefined ? '' : ` from ${String(record['from'])}`;
      return {
        kind: 'left-out',
        key,
        count,
        text: `The server has summed up ${lines(count)} of “${String(record['of'])}”${from}.`,
      };
    }
    return { kind: 'line', key, record, text: fieldsText(record) };
  }

  #gap(missed: number): LogMark {
    const key = this.#nextKey;
    this.#nextKey += 1;
    if (missed < 0)
      return {
        kind: 'another-log',
        key,
        count: 0,
        text: 'The server has begun another log here: what came between is not known.',
      };
    return {
      kind: 'gap',
      key,
      count: missed,
      text: `${capitalized(lines(missed))} not here: the server does not keep them any more.`,
    };
  }
}

const FORGOTTEN = 'This page has forgotten older lines; sluice logs shows all that the server keeps.';

/** `connection=17 user="ada b" reason=kicked`. */
export function fieldsText(record: LogRecord): string {
  return Object.entries(record)
    .filter(([name]) => !HEAD_FIELDS.has(name))
    .map(([name, value]) => `${name}=${valueText(value)}`)
    .join(' ');
}

/** A line as it is copied: `2026-01-31T12:00:00.000Z info connection closed connection=17`. */
export function copiedText(row: LogRow): string {
  if (row.kind !== 'line') return `--- ${row.text}`;
  const { time, level, event } = row.record;
  return `${time} ${level} ${oneLine(event)}${row.text === '' ? '' : ` ${row.text}`}`;
}

function valueText(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value) ?? '';
  return /^[^\s"=\\\p{Cc}]+$/u.test(value) ? value : oneLine(JSON.stringify(value));
}

/** Control characters as escapes: a line stays one. */
function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, (char) => `\\u${char.codePointAt(0)!.toString(16).padStart(4, '0')}`);
}

function searched({ record, text }: LogLine): string {
  return `${record.level} ${record.event} ${text}`.toLowerCase();
}

/** A level that is not known is shown: it may be important. */
function isAsImportant(level: string, least: number): boolean {
  return LOG_LEVELS.indexOf(level as LogLevel) <= least;
}

function lines(count: number): string {
  return count === 1 ? 'one line' : `${count.toLocaleString('en-US')} lines`;
}

function capitalized(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)} ${text === 'one line' ? 'is' : 'are'}`;
}
