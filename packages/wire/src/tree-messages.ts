import { type CommandText, type Field, requestText, responseText } from './command-text.js';
import { ProtocolError, RequestError } from './errors.js';
import { optionalInteger, requiredDirName } from './keys.js';
import { Command, Key } from './names.js';
import type { Response } from './response.js';
import { ResultCode } from './result-codes.js';
import { decodeUtf8, encodeUtf8 } from './utf8.js';

/** Most entries of one ListTree. docs/protocol.md, section 17. */
export const MAX_TREE_ENTRIES = 10_000;

/** Longest Cursor, in characters: a path with what is in front of it. */
const MAX_CURSOR_LENGTH = 65_536;

/** Extension: asks for what is below a directory, at any depth. docs/protocol.md, section 17. */
export interface ListTreeRequest {
  readonly dirName: string;
  /** Of the answer before: goes on behind its entries. @default from the beginning */
  readonly cursor?: string;
  /** Most entries of the answer, 1 to {@link MAX_TREE_ENTRIES}. @default {@link MAX_TREE_ENTRIES} */
  readonly limit?: number;
}

/** Something below a directory. */
export interface WireTreeEntry {
  /** From the directory that was asked for, with `/`. */
  readonly path: string;
  readonly kind: 'file' | 'directory' | 'other';
  /** In bytes; 0 for what is no file. */
  readonly size: number;
  /** Time of the last change of the content, in nanoseconds since 1970-01-01 UTC, in decimal. */
  readonly modifiedNs: string;
  /** Nine permission bits. */
  readonly mode: number;
  /** Content digest of a file, 16 hexadecimal digits, if one is recorded for this state of it. */
  readonly digest?: string;
  /** Of a directory: what is in it cannot be read, and is left out. */
  readonly isUnreadable?: true;
}

/** A part of a tree. */
export interface TreePage {
  readonly entries: readonly WireTreeEntry[];
  /** Where the next part begins; `undefined` when these are the last. */
  readonly cursor: string | undefined;
}

export function encodeListTreeRequest({ dirName, cursor, limit }: ListTreeRequest): Uint8Array {
  const fields: Field[] = [[Key.DirName, dirName]];
  if (cursor !== undefined) fields.push([Key.Cursor, cursor]);
  if (limit !== undefined) fields.push([Key.Count, limit]);
  return requestText(Command.ListTree, fields);
}

/** @throws {RequestError} code 6 */
export function decodeListTreeRequest(text: CommandText): ListTreeRequest & { readonly limit: number } {
  const limit = optionalInteger(text, Key.Count, 64) ?? BigInt(MAX_TREE_ENTRIES);
  if (limit < 1n || limit > BigInt(MAX_TREE_ENTRIES))
    throw new RequestError(ResultCode.ParameterError, `${Key.Count} must be 1 to ${MAX_TREE_ENTRIES}`);
  const cursor = text.first(Key.Cursor);
  if (cursor !== undefined && cursor.length > MAX_CURSOR_LENGTH)
    throw new RequestError(ResultCode.ParameterError, `${Key.Cursor} is none of this server's`);
  return { dirName: requiredDirName(text), limit: Number(limit), ...(cursor !== undefined && { cursor }) };
}

/** The text of the answer; its data is `encodeTreeEntries`. */
export function encodeListTreeResponse(command: string, { entries, cursor }: TreePage): Uint8Array {
  const fields: Field[] = [[Key.Count, entries.length]];
  if (cursor !== undefined) fields.push([Key.Cursor, cursor]);
  return responseText(command, ResultCode.Success, fields);
}

/** One JSON object a line, each with a line feed behind it. */
export function encodeTreeEntries(entries: readonly WireTreeEntry[]): Uint8Array {
  return encodeUtf8(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
}

/** @throws {ProtocolError} `ERR_RESPONSE_INVALID` */
export function decodeListTreeResponse(response: Response, data: Uint8Array): TreePage {
  const lines = decodeUtf8(data, 0, data.length).split('\n').slice(0, -1);
  const entries = lines.map((line) => decodeTreeEntry(line));
  if (response.text.first(Key.Count) !== `${entries.length}`) throw invalid();
  const cursor = response.text.first(Key.Cursor);
  if (cursor !== undefined && entries.length === 0) throw invalid(); // or a client would ask for ever
  return { entries, cursor };
}

function decodeTreeEntry(line: string): WireTreeEntry {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw invalid();
  }
  if (typeof value !== 'object' || value === null) throw invalid();
  const { path, kind, size, modifiedNs, mode, digest, isUnreadable } = value as Record<string, unknown>;
  const isRight =
    typeof path === 'string' &&
    typeof kind === 'string' &&
    typeof size === 'number' &&
    Number.isSafeInteger(size) &&
    size >= 0 &&
    typeof modifiedNs === 'string' &&
    /^-?\d{1,19}$/.test(modifiedNs) &&
    typeof mode === 'number' &&
    Number.isInteger(mode) &&
    mode >= 0 &&
    mode <= 0o777 &&
    (digest === undefined || (typeof digest === 'string' && /^[0-9a-f]{16}$/.test(digest)));
  if (!isRight) throw invalid();
  return {
    path,
    kind: kind === 'file' || kind === 'directory' ? kind : 'other',
    size,
    modifiedNs,
    mode,
    ...(digest !== undefined && { digest }),
    ...(isUnreadable === true && { isUnreadable }),
  };
}

function invalid(): ProtocolError {
  return new ProtocolError('ERR_RESPONSE_INVALID', 'ListTree was answered with what is no part of a tree');
}
