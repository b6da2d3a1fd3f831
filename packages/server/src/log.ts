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
