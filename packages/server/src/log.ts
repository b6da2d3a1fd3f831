/** Worst first. */
export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];

/** Longest value in a line: peers choose what stands there. */
const MAX_VALUE_LENGTH = 400;

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

/** One line for each event, `time LEVEL event key=value ...`, with all control characters escaped. */
export class TextLog implements LeveledLog {
  level: LogLevel;
  readonly #write: (line: string) => void;
  readonly #now: () => Date;

  /**
   * @param write takes a line, line end included
   * @param level the least important level that is written
   */
  constructor(write: (line: string) => void, level: LogLevel, now: () => Date = () => new Date()) {
    this.#write = write;
    this.level = level;
    this.#now = now;
  }

  error(event: string, fields?: LogFields): void {
    this.#line(0, event, fields);
  }
  warn(event: string, fields?: LogFields): void {
    this.#line(1, event, fields);
  }
  info(event: string, fields?: LogFields): void {
    this.#line(2, event, fields);
  }
  debug(event: string, fields?: LogFields): void {
    this.#line(3, event, fields);
  }

  #line(level: number, event: string, fields: LogFields = {}): void {
    if (level > LOG_LEVELS.indexOf(this.level)) return;
    const parts = [this.#now().toISOString(), LOG_LEVELS[level]!.toUpperCase().padEnd(5), escapeControls(event)];
    for (const [key, value] of Object.entries(fields)) {
      if (value === undefined) continue;
      const text = escapeControls(shortened(String(value)));
      parts.push(`${key}=${/[ "=]|^$/.test(text) ? `"${text.replaceAll('"', '\\"')}"` : text}`);
    }
    this.#write(`${parts.join(' ')}\n`);
  }
}

function shortened(text: string): string {
  return text.length <= MAX_VALUE_LENGTH ? text : `${text.slice(0, MAX_VALUE_LENGTH)}... (${text.length} characters)`;
}

/** A log that adds the same fields to every event. */
export function withFields(log: Log, fixed: () => LogFields): Log {
  return {
    error: (event, fields) => log.error(event, { ...fixed(), ...fields }),
    warn: (event, fields) => log.warn(event, { ...fixed(), ...fields }),
    info: (event, fields) => log.info(event, { ...fixed(), ...fields }),
    debug: (event, fields) => log.debug(event, { ...fixed(), ...fields }),
  };
}

/** Control characters, line ends and direction marks written out, so that a peer's text cannot act on a terminal or forge a line. */
export function escapeControls(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\\]/g, (char) => {
    if (char === '\\') return '\\\\';
    const code = char.charCodeAt(0).toString(16);
    return code.length <= 2 ? `\\x${code.padStart(2, '0')}` : `\\u${code.padStart(4, '0')}`;
  });
}
