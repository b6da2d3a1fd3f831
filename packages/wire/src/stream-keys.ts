import { type CommandText, type Field, requestText, responseText } from './command-text.js';
import { RequestError } from './errors.js';
import { parseInteger } from './integers.js';
import { optionalInteger } from './keys.js';
import { Key } from './names.js';
import { ResultCode } from './result-codes.js';

/** Largest Tag. docs/protocol.md. */
export const MAX_TAG = 2 ** 31 - 1;

/** Files that one connection of RemoteStream may have open: Handle is 0 to one less. docs/protocol.md. */
export const MAX_HANDLES = 64;

/** Extension: what any request of RemoteStream may carry. docs/protocol.md. */
export interface StreamKeys {
  /** Repeated in the answer, which may come before that of an earlier request. 0 to {@link MAX_TAG}. */
  readonly tag?: number | undefined;
  /** Which of the connection's open files is meant, 0 to 63; chosen by the client with OpenFile. @default 0, not written */
  readonly handle?: number | undefined;
}

/** The Tag of a request; `undefined` when it has none. @throws {RequestError} code 6 */
export function decodeTag(text: CommandText): number | undefined {
  return optionalNumber(text, Key.Tag, MAX_TAG);
}

/** The Handle of a request. @throws {RequestError} code 6 */
export function decodeHandle(text: CommandText): number {
  return optionalNumber(text, Key.Handle, MAX_HANDLES - 1) ?? 0;
}

/** The text of a request of RemoteStream: extension keys stand in front of the command's own. */
export function streamRequestText(command: string, fields: readonly Field[] = [], keys: StreamKeys = {}): Uint8Array {
  const extra: Field[] = [];
  if (keys.tag !== undefined) extra.push([Key.Tag, keys.tag]);
  if (keys.handle) extra.push([Key.Handle, keys.handle]);
  return requestText(command, extra.length > 0 ? [...extra, ...fields] : fields);
}

/** The text of a success answer of RemoteStream: the Tag of the request comes directly after Code. */
export function streamResponseText(
  command: string,
  tag: number | undefined,
  fields: readonly Field[] = [],
): Uint8Array {
  return responseText(command, ResultCode.Success, tag === undefined ? fields : [[Key.Tag, tag], ...fields]);
}

/** The Tag of an answer; `undefined` without a usable one. */
export function responseTag(text: CommandText): number | undefined {
  const tag = parseInteger(text.first(Key.Tag) ?? '', 32);
  return tag === undefined || tag < 0n ? undefined : Number(tag);
}

function optionalNumber(text: CommandText, key: string, max: number): number | undefined {
  const value = optionalInteger(text, key, 32);
  if (value === undefined) return undefined;
  if (value < 0n || value > BigInt(max))
    throw new RequestError(ResultCode.ParameterError, `${key} is outside 0 to ${max}`);
  return Number(value);
}
