import type { CommandText, Field } from './command-text.js';
import { ProtocolError, RequestError } from './errors.js';
import { parseInteger } from './integers.js';
import { requiredKey, requiredOffset } from './keys.js';
import { Command, Key } from './names.js';
import { decodeReadRequest, FileMode } from './remote-stream-messages.js';
import { type Response, responseInteger } from './response.js';
import { ResultCode } from './result-codes.js';
import { type StreamKeys, streamRequestText, streamResponseText } from './stream-keys.js';

/** Length of a ResumeToken: 128 random bits in hexadecimal. docs/protocol.md. */
export const RESUME_TOKEN_DIGITS = 32;

/** Extension. docs/protocol.md. */
export interface ReadAtRequest {
  /** In bytes, 0 to 2^53 - 1. */
  readonly position: number;
  /** 0 to `MAX_READ_BYTES`. */
  readonly count: number;
}

/** Extension; the data of the packet are the bytes. docs/protocol.md. */
export interface WriteAtRequest {
  /** In bytes, 0 to 2^53 - 1. */
  readonly position: number;
  /** How many bytes. */
  readonly count: number;
}

/** `other`: neither file nor directory, such as a link. */
export type FileKind = 'file' | 'directory' | 'other';

/** Extension: what Stat says. docs/protocol.md. */
export interface FileStatus {
  readonly kind: FileKind;
  /** In bytes; 0 unless it is a file. */
  readonly size: bigint | number;
  /** When the content was last changed, in nanoseconds since 1970-01-01 UTC. */
  readonly modifiedNs: bigint;
}

/** Extension: how the server keeps a file open when the connection breaks. docs/protocol.md. */
export interface KeptFile {
  /** For ResumeFile: 32 hexadecimal digits. */
  readonly resumeToken: string;
  /** How long after the break, in milliseconds. */
  readonly keepMs: number;
}

/** Extension: the answer to OpenFile, for a client that knows extensions. docs/protocol.md. */
export interface OpenedFileAnswer {
  /** In bytes. */
  readonly size: bigint | number;
  /** When the client has asked for it and the server does it. */
  readonly kept?: KeptFile | undefined;
}

export function encodeReadAtRequest({ position, count }: ReadAtRequest, keys?: StreamKeys): Uint8Array {
  return streamRequestText(Command.ReadAt, rangeFields(position, count), keys);
}

/** @throws {RequestError} code 6 */
export function decodeReadAtRequest(text: CommandText): ReadAtRequest {
  return { position: requiredOffset(text, Key.Position), count: decodeReadRequest(text) };
}

export function encodeWriteAtRequest({ position, count }: WriteAtRequest, keys?: StreamKeys): Uint8Array {
  return streamRequestText(Command.WriteAt, rangeFields(position, count), keys);
}

/** The position. Compare Count with `requireDataCount`. @throws {RequestError} code 6 */
export function decodeWriteAtRequest(text: CommandText): number {
  return requiredOffset(text, Key.Position);
}

function rangeFields(position: number, count: number): Field[] {
  return [
    [Key.Position, position],
    [Key.Count, count],
  ];
}

export function encodeSyncRequest(keys?: StreamKeys): Uint8Array {
  return streamRequestText(Command.Sync, [], keys);
}

/** @param fileName of a file or directory, empty for the root; without one, the open file is meant */
export function encodeStatRequest(fileName?: string, keys?: StreamKeys): Uint8Array {
  return streamRequestText(Command.Stat, fileName === undefined ? [] : [[Key.FileName, fileName]], keys);
}

/** The name; `undefined` for the open file. */
export function decodeStatRequest(text: CommandText): string | undefined {
  return text.first(Key.FileName);
}

export function encodeStatResponse(command: string, status: FileStatus, tag?: number): Uint8Array {
  return streamResponseText(command, tag, [
    [Key.Kind, status.kind],
    [Key.Size, status.size],
    [Key.ModifiedNs, status.modifiedNs],
  ]);
}

/** @throws {ProtocolError} `ERR_RESPONSE_INVALID` */
export function decodeStatResponse(response: Response): FileStatus & { readonly size: bigint } {
  const kind = response.text.first(Key.Kind);
  const modifiedNs = parseInteger(response.text.first(Key.ModifiedNs) ?? '', 64);
  if (modifiedNs === undefined) throw unusable(response, Key.ModifiedNs);
  return {
    kind: kind === 'file' || kind === 'directory' ? kind : 'other',
    size: responseInteger(response, Key.Size),
    modifiedNs,
  };
}

export function encodeOpenFileResponse(command: string, opened: OpenedFileAnswer, tag?: number): Uint8Array {
  const fields: Field[] = [[Key.Size, opened.size]];
  if (opened.kept) fields.push([Key.ResumeToken, opened.kept.resumeToken], [Key.KeepMs, opened.kept.keepMs]);
  return streamResponseText(command, tag, fields);
}

/** Of a server with extensions. @throws {ProtocolError} `ERR_RESPONSE_INVALID` */
export function decodeOpenFileResponse(response: Response): OpenedFileAnswer & { readonly size: bigint } {
  const resumeToken = response.text.first(Key.ResumeToken);
  return {
    size: responseInteger(response, Key.Size),
    kept:
      resumeToken === undefined ? undefined : { resumeToken, keepMs: Number(responseInteger(response, Key.KeepMs)) },
  };
}

/** Extension: takes a file back that the server has kept open, under the Handle of `keys`. docs/protocol.md. */
export function encodeResumeFileRequest(resumeToken: string, keys?: StreamKeys): Uint8Array {
  return streamRequestText(Command.ResumeFile, [[Key.ResumeToken, resumeToken]], keys);
}

/** The token, in small letters. @throws {RequestError} code 6 */
export function decodeResumeFileRequest(text: CommandText): string {
  const token = requiredKey(text, Key.ResumeToken);
  if (!/^[0-9a-f]{32}$/i.test(token))
    throw new RequestError(ResultCode.ParameterError, `${Key.ResumeToken} is no token`);
  return token.toLowerCase();
}

/** What a file is found as that was taken back. */
export interface ResumedFile {
  readonly mode: FileMode;
  readonly size: bigint | number;
  /** The place where Read and Write go on. */
  readonly position: bigint | number;
  /** How long it is kept when the connection breaks again, in milliseconds; the token stays the same. */
  readonly keepMs: number;
}

export function encodeResumeFileResponse(command: string, resumed: ResumedFile, tag?: number): Uint8Array {
  return streamResponseText(command, tag, [
    [Key.Mode, resumed.mode],
    [Key.Size, resumed.size],
    [Key.Position, resumed.position],
    [Key.KeepMs, resumed.keepMs],
  ]);
}

/** @throws {ProtocolError} `ERR_RESPONSE_INVALID` */
export function decodeResumeFileResponse(
  response: Response,
): ResumedFile & { readonly size: bigint; readonly position: bigint } {
  return {
    mode: responseInteger(response, Key.Mode) === 0n ? FileMode.Read : FileMode.ReadWrite,
    size: responseInteger(response, Key.Size),
    position: responseInteger(response, Key.Position),
    keepMs: Number(responseInteger(response, Key.KeepMs)),
  };
}

function unusable(response: Response, key: string): ProtocolError {
  return new ProtocolError('ERR_RESPONSE_INVALID', `${response.command} was answered without a usable ${key}`);
}
