import { type CommandText, type Field, requestText, responseText } from './command-text.js';
import { ProtocolError, RequestError } from './errors.js';
import { optionalInteger } from './keys.js';
import { Command, Key } from './names.js';
import type { Response } from './response.js';
import { ResultCode } from './result-codes.js';

/** Worst first. */
export const WIRE_LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;

/** Most field conditions of one FollowLog. */
const MAX_CONDITIONS = 16;

/** Most lines back that FollowLog can be asked for. */
export const MAX_LINES_BACK = 1_000_000;

/** Which lines of the log. docs/protocol.md, section 17. */
export interface FollowLogRequest {
  /** Goes on behind this place; without it, see `lines`. */
  readonly cursor?: string;
  /** Without a cursor: begins so many lines back, 0 to 1,000,000. @default 0 */
  readonly lines?: number;
  /** The least important level that is wanted. @default 'debug' */
  readonly level?: (typeof WIRE_LOG_LEVELS)[number];
  /** Fields that a line must have, as `key=value`. */
  readonly conditions?: readonly string[];
  /** Whether lines that are still to come are wanted. @default true */
  readonly follows?: boolean;
}

/** Some lines, and where the reader is behind them. */
export interface LogLines {
  /** JSON objects. */
  readonly lines: readonly string[];
  /** For the next FollowLog: behind these lines, and behind those that were not wanted. */
  readonly cursor: string;
  /** Lines in front of the last of these that are not kept any more; -1 when nobody can know. */
  readonly missed: number;
  /** Whether these are the last ones. */
  readonly isEnd: boolean;
}

export function encodeFollowLogRequest(request: FollowLogRequest): Uint8Array {
  const fields: Field[] = [];
  if (request.cursor !== undefined) fields.push([Key.Cursor, request.cursor]);
  if (request.lines !== undefined) fields.push([Key.Count, request.lines]);
  if (request.level !== undefined) fields.push([Key.Value, request.level]);
  for (const condition of request.conditions ?? []) fields.push([Key.Item, condition]);
  if (request.follows === false) fields.push([Key.Follow, 'no']);
  return requestText(Command.FollowLog, fields);
}

/** @throws {RequestError} code 6 */
export function decodeFollowLogRequest(text: CommandText): FollowLogRequest {
  const fail = (what: string): never => {
    throw new RequestError(ResultCode.ParameterError, what);
  };
  const lines = optionalInteger(text, Key.Count, 64) ?? 0n;
  if (lines < 0n || lines > BigInt(MAX_LINES_BACK)) fail(`${Key.Count} must be 0 to ${MAX_LINES_BACK}`);
  const value = text.first(Key.Value) ?? 'debug';
  const level = WIRE_LOG_LEVELS.find((each) => each === value) ?? fail(`${Key.Value} must be a level`);
  const conditions = text.all(Key.Item);
  if (conditions.length > MAX_CONDITIONS) fail(`more than ${MAX_CONDITIONS} of ${Key.Item}`);
  if (conditions.some((condition) => !condition.includes('='))) fail(`${Key.Item} must be like key=value`);
  const follow = text.first(Key.Follow) ?? 'yes';
  if (follow !== 'yes' && follow !== 'no') fail(`${Key.Follow} must be yes or no`);
  const cursor = text.first(Key.Cursor);
  if (cursor !== undefined && !decodeLogCursor(cursor)) fail(`${Key.Cursor} is none of this server's`);
  return {
    ...(cursor !== undefined && { cursor }),
    lines: Number(lines),
    level,
    conditions,
    follows: follow === 'yes',
  };
}

/** A place in a journal: its id, and the number of the last line that was seen. */
export function encodeLogCursor(journal: string, seq: number): string {
  return `${journal}:${seq}`;
}

export function decodeLogCursor(cursor: string): { readonly journal: string; readonly seq: number } | undefined {
  const [, journal, seq] = /^([0-9a-f]{16}):(\d{1,15})$/.exec(cursor) ?? [];
  return journal === undefined ? undefined : { journal, seq: Number(seq) };
}

/** The head of a LogLines packet; its data are the lines, with a line feed behind each. */
export function encodeLogLines({ cursor, missed, lines, isEnd }: LogLines): Uint8Array {
  const fields: Field[] = [
    [Key.Count, lines.length],
    [Key.Cursor, cursor],
    [Key.Missed, missed],
  ];
  if (isEnd) fields.push([Key.End, 'yes']);
  return responseText(Command.LogLines, ResultCode.Success, fields);
}

/** @throws {ProtocolError} `ERR_RESPONSE_INVALID` */
export function decodeLogLines(response: Response, data: string): LogLines {
  const cursor = response.text.first(Key.Cursor);
  const missed = Number(response.text.first(Key.Missed));
  const lines = data === '' ? [] : data.replace(/\n$/, '').split('\n');
  if (cursor === undefined || !decodeLogCursor(cursor) || !Number.isSafeInteger(missed) || missed < -1)
    throw new ProtocolError('ERR_RESPONSE_INVALID', 'log lines without a usable cursor');
  return { lines, cursor, missed, isEnd: response.text.first(Key.End) === 'yes' };
}
