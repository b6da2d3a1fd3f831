import { escapeControls, LOG_LEVELS, type LogFields, type LogLevel } from '../log.js';

/** Longest value in a record: peers choose what stands there. */
const MAX_VALUE_LENGTH = 400;

/** A log event, as it happened. */
export interface LogRecord {
  /** Rises by one with each record, over restarts of the server too where there is a journal. */
  readonly seq: number;
  readonly time: Date;
  readonly level: LogLevel;
  readonly event: string;
  /** None is `undefined`, none longer than 400 characters. */
  readonly fields: LogFields;
}

export function makeRecord(seq: number, time: Date, level: LogLevel, event: string, fields: LogFields): LogRecord {
  const bounded: Record<string, string | number | bigint | boolean> = {};
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    bounded[key] = typeof value === 'string' ? shortened(value) : value;
  }
  return { seq, time, level, event, fields: bounded };
}

/** `time LEVEL event key=value ...`, with all control characters escaped; without a line end. */
export function textLine({ time, level, event, fields }: LogRecord): string {
  const parts = [time.toISOString(), level.toUpperCase().padEnd(5), escapeControls(event)];
  for (const [key, value] of Object.entries(fields)) {
    const text = escapeControls(String(value));
    parts.push(`${key}=${/[ "=]|^$/.test(text) ? `"${text.replaceAll('"', '\\"')}"` : text}`);
  }
  return parts.join(' ');
}

/** One JSON object: `time` (ISO 8601, UTC), `level`, `seq`, `event`, then the fields; without a line end. */
export function jsonLine({ seq, time, level, event, fields }: LogRecord): string {
  const { time: _time, level: _level, seq: _seq, event: _event, ...others } = fields;
  const values = { time: time.toISOString(), level, seq, event, ...others };
  return JSON.stringify(values, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
}

/** As a LogOutput connection gets it, line end included. Specification 10. */
export function logOutputLine({ time, level, event, fields }: LogRecord): string {
  const values = Object.entries(fields).map(([key, value]) => ` ${key}=${escapeControls(String(value))}`);
  return `${localTime(time)} [main] ${level.toUpperCase().padEnd(5)}: ${escapeControls(event)}${values.join('')}\r\n`;
}

/** Whether a record of this level is written where `worst` is the least important that is. */
export function isLogged(level: LogLevel, worst: LogLevel): boolean {
  return LOG_LEVELS.indexOf(level) <= LOG_LEVELS.indexOf(worst);
}

function shortened(text: string): string {
  return text.length <= MAX_VALUE_LENGTH ? text : `${text.slice(0, MAX_VALUE_LENGTH)}... (${text.length} characters)`;
}

/** `yyyy-MM-dd HH:mm:ss,fff`. */
function localTime(time: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const date = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
  return `${date} ${clock},${String(time.getMilliseconds()).padStart(3, '0')}`;
}
