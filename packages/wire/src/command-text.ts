import { asciiFold } from './ascii-fold.js';
import { ProtocolError } from './errors.js';
import { decodeUtf8, encodeUtf8 } from './utf8.js';

const CRLF = '\r\n';

/** A key and its value; a number is written in decimal. */
export type Field = readonly [key: string, value: string | number | bigint];

/** The command text of a packet, decoded. Keys compare without regard to ASCII case. Specification 3. */
export class CommandText {
  /** The last Command key's value as the peer spelled it; `undefined` when there is none. */
  readonly command: string | undefined;
  readonly #fields: readonly (readonly [foldedKey: string, value: string])[];

  constructor(command: string | undefined, fields: readonly (readonly [foldedKey: string, value: string])[]) {
    this.command = command;
    this.#fields = fields;
  }

  /** The value of the first `key`; may be empty. `undefined` when the key is missing. */
  first(key: string): string | undefined {
    const folded = asciiFold(key);
    return this.#fields.find(([name]) => name === folded)?.[1];
  }

  /** The values of all `key`s, in order. */
  all(key: string): string[] {
    const folded = asciiFold(key);
    return this.#fields.filter(([name]) => name === folded).map(([, value]) => value);
  }
}

/**
 * Decodes a command text by the rules of specification 3.2. Invalid UTF-8 becomes U+FFFD.
 *
 * @param maxLines most lines that are read, empty ones included. @default no limit
 * @throws {ProtocolError} `ERR_TEXT_MALFORMED` when it has no two lines, or too many
 */
export function decodeCommandText(
  source: Uint8Array,
  start: number,
  end: number,
  maxLines = Number.POSITIVE_INFINITY,
): CommandText {
  const text = decodeUtf8(source, start, end);
  let command: string | undefined;
  const fields: [string, string][] = [];
  let lines = 0;
  let filledLines = 0;
  for (let at = 0; at < text.length; ) {
    const found = text.indexOf(CRLF, at);
    const lineEnd = found < 0 ? text.length : found;
    lines += 1;
    if (lines > maxLines) throw new ProtocolError('ERR_TEXT_MALFORMED', `command text of more than ${maxLines} lines`);
    if (lineEnd > at) {
      filledLines += 1;
      const line = text.slice(at, lineEnd);
      const equals = line.indexOf('=');
      // A line without one is the section marker, or anything else: never checked.
      if (equals >= 0) {
        const key = asciiFold(line.slice(0, equals));
        const value = line.slice(equals + 1);
        if (key === 'command') command = value;
        else fields.push([key, value]);
      }
    }
    at = lineEnd + CRLF.length;
  }
  if (filledLines < 2) throw new ProtocolError('ERR_TEXT_MALFORMED', 'command text of less than two lines');
  return new CommandText(command, fields);
}

/** The text of a request: marker, Command, then the fields in the order given. Specification 3.1. */
export function requestText(command: string, fields: readonly Field[] = []): Uint8Array {
  return encodeText('[Request]', [['Command', command], ...fields]);
}

/**
 * The text of a response. A failure always has a Message, even an empty one. Specification 3.4.
 *
 * @param command as the client spelled it
 */
export function responseText(command: string, code: number, fields: readonly Field[] = [], message = ''): Uint8Array {
  const head: Field[] = [
    ['Command', command],
    ['Code', code],
  ];
  return encodeText('[Response]', code === 0 ? [...head, ...fields] : [...head, ['Message', message], ...fields]);
}

function encodeText(marker: string, fields: readonly Field[]): Uint8Array {
  let text = marker;
  for (const [key, value] of fields) {
    const line = `${key}=${value}`;
    if (typeof value === 'string' && /[\r\n]/.test(line))
      throw new ProtocolError('ERR_VALUE_LINE_BREAK', `the value of ${key} contains a line break`);
    text += CRLF + line;
  }
  return encodeUtf8(text);
}

/** A system's or another's text made fit for a Message: no CR, LF or `=`. Specification 14 (D22). */
export function messageText(text: string): string {
  return text.replace(/[\r\n=]+/g, ' ').trim();
}
