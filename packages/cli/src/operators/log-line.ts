import type { LogRecord } from '@sluice/client';
import { escapeControls } from '../terminal/terminal-text.js';

const colours: Readonly<Record<string, string>> = { error: '\x1b[31m', warn: '\x1b[33m', debug: '\x1b[2m' };
const dim = '\x1b[2m';
const reset = '\x1b[0m';

/** A line of the log for people: `time LEVEL event key=value ...`, nothing in it can act on a terminal. */
export function logLine(record: LogRecord, hasColours: boolean): string {
  const { seq: _seq, time, level, event, ...fields } = record;
  const paint = (text: string, colour: string | undefined): string =>
    hasColours && colour ? `${colour}${text}${reset}` : text;
  const details = Object.entries(fields).map(([key, value]) => ` ${escapeControls(key)}=${quoted(String(value))}`);
  const words = [
    paint(escapeControls(time), dim),
    paint(escapeControls(level).toUpperCase().padEnd(5), colours[level]),
    paint(escapeControls(event), level === 'debug' ? dim : undefined),
  ];
  return words.join(' ') + paint(details.join(''), dim);
}

function quoted(text: string): string {
  const escaped = escapeControls(text);
  return /[ "=]|^$/.test(escaped) ? `"${escaped.replaceAll('"', '\\"')}"` : escaped;
}
