/** Worst first. */
export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];

/** What an event is about. Values come from peers too: a sink escapes them. */
export type LogFields = Readonly<Record<string, string | number | bigint | boolean | undefined>>;

/** Where the server says what happens. */
export interface Log {
  error(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  debug(event: string, fields?: LogFields): void;
}

/** A log that can be told to say more or less. */
export interface LeveledLog extends Log {
  /** The least important level that is written; may be changed at any time. */
  level: LogLevel;
}

/** A log that does the same for every level. */
export abstract class UniformLog implements Log {
  error(event: string, fields?: LogFields): void {
    this.log('error', event, fields);
  }
  warn(event: string, fields?: LogFields): void {
    this.log('warn', event, fields);
  }
  info(event: string, fields?: LogFields): void {
    this.log('info', event, fields);
  }
  debug(event: string, fields?: LogFields): void {
    this.log('debug', event, fields);
  }

  protected abstract log(level: LogLevel, event: string, fields?: LogFields): void;
}

/** A log that adds the same fields to every event. */
export function withFields(log: Log, fixed: () => LogFields): Log {
  return new FieldLog(log, fixed);
}

/** With methods, not functions of its own: every connection has one. */
class FieldLog extends UniformLog {
  readonly #log: Log;
  readonly #fixed: () => LogFields;

  constructor(log: Log, fixed: () => LogFields) {
    super();
    this.#log = log;
    this.#fixed = fixed;
  }

  protected log(level: LogLevel, event: string, fields?: LogFields): void {
    this.#log[level](event, { ...this.#fixed(), ...fields });
  }
}

/** Control characters, line ends and direction marks written out, so that a peer's text cannot act on a terminal or forge a line. */
export function escapeControls(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\\]/g, (char) => {
    if (char === '\\') return '\\\\';
    const code = char.charCodeAt(0).toString(16);
    return code.length <= 2 ? `\\x${code.padStart(2, '0')}` : `\\u${code.padStart(4, '0')}`;
  });
}
