import type { CommandText } from './command-text.js';
import { ProtocolError } from './errors.js';
import { parseInteger } from './integers.js';
import { Key } from './names.js';
import { canonicalResultCode } from './result-codes.js';

/** What a server says to a request. */
export interface Response {
  /** As the request spelled it. */
  readonly command: string;
  /** Canonical: the Delphi server's numbers are translated. Unknown ones stay, and are failures. Specification 4.1. */
  readonly code: number;
  /** For people; empty on success and often otherwise. */
  readonly message: string;
  readonly text: CommandText;
}

/**
 * Reads the keys every response has. A missing Code is an error, never a success (C9).
 *
 * @throws {ProtocolError} `ERR_RESPONSE_INVALID` without Command or without a readable Code
 */
export function decodeResponse(text: CommandText): Response {
  const code = parseInteger(text.first(Key.Code) ?? '', 32);
  if (text.command === undefined || code === undefined) {
    throw new ProtocolError('ERR_RESPONSE_INVALID', 'response without a Command or a Code');
  }
  return {
    command: text.command,
    code: canonicalResultCode(Number(code)),
    message: text.first(Key.Message) ?? '',
    text,
  };
}

/** When a server that is busy wants to be asked again, in milliseconds; `undefined` if it does not say, or says what is none. */
export function responseRetryAfterMs({ text }: Response): number | undefined {
  const value = parseInteger(text.first(Key.RetryAfterMs) ?? '', 32);
  return value === undefined || value < 0n ? undefined : Number(value);
}

/** A number of bytes that a response must have, 0 to 2^63-1. @throws {ProtocolError} `ERR_RESPONSE_INVALID` */
export function responseInteger(response: Response, key: string): bigint {
  const value = parseInteger(response.text.first(key) ?? '', 64);
  if (value === undefined || value < 0n) {
    throw new ProtocolError('ERR_RESPONSE_INVALID', `${response.command} was answered without a usable ${key}`);
  }
  return value;
}
