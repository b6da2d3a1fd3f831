import type { CommandText, Field } from './command-text.js';
import { RequestError } from './errors.js';
import { optionalInteger, requiredInteger, requiredKey, requiredOffset } from './keys.js';
import { Command, Key } from './names.js';
import { ResultCode } from './result-codes.js';
import { type StreamKeys, streamRequestText, streamResponseText } from './stream-keys.js';

/** What OpenFile opens a file for. Specification 8. */
export const FileMode = { Read: 0, ReadWrite: 1 } as const;

export type FileMode = (typeof FileMode)[keyof typeof FileMode];

/** What the Offset of Seek counts from. Specification 8. */
export const SeekOrigin = { Start: 0, Current: 1, End: 2 } as const;

export type SeekOrigin = (typeof SeekOrigin)[keyof typeof SeekOrigin];

/** Most bytes that one Read or ReadAt asks for: with the longest text in front of them they fill the largest packet that is sent. */
export const MAX_READ_BYTES = 10_485_686;

export interface OpenFileRequest {
  /** With its directories, relative to the user's root. */
  readonly fileName: string;
  readonly mode: FileMode;
  /**
   * Extension: how long the server is asked to keep the file open when the connection breaks, in milliseconds, 0 to 2^31 - 1.
   * docs/protocol.md. @default not asked for
   */
  readonly keepMs?: number | undefined;
}

export interface SeekRequest {
  /** In bytes; may be negative, except from the start. */
  readonly offset: bigint | number;
  readonly origin: SeekOrigin;
}

export function encodeFileExistsRequest(fileName: string, keys?: StreamKeys): Uint8Array {
  return streamRequestText(Command.FileExists, [[Key.FileName, fileName]], keys);
}

/** The name. @throws {RequestError} code 6 */
export function decodeFileExistsRequest(text: CommandText): string {
  return requiredKey(text, Key.FileName);
}

export function encodeOpenFileRequest({ fileName, mode, keepMs }: OpenFileRequest, keys?: StreamKeys): Uint8Array {
  const fields: Field[] = [
    [Key.FileName, fileName],
    [Key.Mode, mode],
  ];
  if (keepMs !== undefined) fields.push([Key.KeepMs, keepMs]);
  return streamRequestText(Command.OpenFile, fields, keys);
}

/** @throws {RequestError} code 6 */
export function decodeOpenFileRequest(text: CommandText): OpenFileRequest & { readonly keepMs: number | undefined } {
  const fileName = requiredKey(text, Key.FileName);
  const mode = Number(requiredInteger(text, Key.Mode, 16));
  if (mode !== FileMode.Read && mode !== FileMode.ReadWrite)
    throw new RequestError(ResultCode.ParameterError, `${Key.Mode} is neither 0 nor 1`);
  const keepMs = optionalInteger(text, Key.KeepMs, 32);
  if (keepMs !== undefined && keepMs < 0n)
    throw new RequestError(ResultCode.ParameterError, `${Key.KeepMs} is below 0`);
  return { fileName, mode, keepMs: keepMs === undefined ? undefined : Number(keepMs) };
}

export function encodeSetSizeRequest(size: bigint | number, keys?: StreamKeys): Uint8Array {
  return streamRequestText(Command.SetSize, [[Key.Size, size]], keys);
}

/** The size, 0 to 2^53 - 1. @throws {RequestError} code 6 */
export function decodeSetSizeRequest(text: CommandText): number {
  return requiredOffset(text, Key.Size);
}

export function encodeGetSizeRequest(keys?: StreamKeys): Uint8Array {
  return streamRequestText(Command.GetSize, [], keys);
}

export function encodeSizeResponse(command: string, size: bigint | number, tag?: number): Uint8Array {
  return streamResponseText(command, tag, [[Key.Size, size]]);
}

export function encodeSetPositionRequest(position: bigint | number, keys?: StreamKeys): Uint8Array {
  return streamRequestText(Command.SetPosition, [[Key.Position, position]], keys);
}

/** The position, 0 to 2^53 - 1. @throws {RequestError} code 6 */
export function decodeSetPositionRequest(text: CommandText): number {
  return requiredOffset(text, Key.Position);
}

export function encodeGetPositionRequest(keys?: StreamKeys): Uint8Array {
  return streamRequestText(Command.GetPosition, [], keys);
}

export function encodePositionResponse(command: string, position: bigint | number, tag?: number): Uint8Array {
  return streamResponseText(command, tag, [[Key.Position, position]]);
}

export function encodeReadRequest(count: number, keys?: StreamKeys): Uint8Array {
  return streamRequestText(Command.Read, [[Key.Count, count]], keys);
}

/** How many bytes are asked for, 0 to {@link MAX_READ_BYTES}. @throws {RequestError} code 6 */
export function decodeReadRequest(text: CommandText): number {
  const count = requiredInteger(text, Key.Count, 32);
  if (count < 0n || count > BigInt(MAX_READ_BYTES))
    throw new RequestError(ResultCode.ParameterError, `${Key.Count} is outside 0 to ${MAX_READ_BYTES}`);
  return Number(count);
}

/** The data of the packet are the bytes. @param count their number */
export function encodeWriteRequest(count: number, keys?: StreamKeys): Uint8Array {
  return streamRequestText(Command.Write, [[Key.Count, count]], keys);
}

/** Count may be missing from Write and WriteAt; if it is there, it is the length of the data. Specification 8. @throws {RequestError} code 6 */
export function requireDataCount(text: CommandText, dataBytes: number): void {
  const count = optionalInteger(text, Key.Count, 32);
  if (count !== undefined && count !== BigInt(dataBytes))
    throw new RequestError(ResultCode.ParameterError, `${Key.Count} is not the length of the data`);
}

/** The answer to Read, ReadAt, Write and WriteAt. @param count bytes that were read and follow as data, or that were written */
export function encodeCountResponse(command: string, count: number, tag?: number): Uint8Array {
  return streamResponseText(command, tag, [[Key.Count, count]]);
}

export function encodeSeekRequest({ offset, origin }: SeekRequest, keys?: StreamKeys): Uint8Array {
  return streamRequestText(
    Command.Seek,
    [
      [Key.Offset, offset],
      [Key.SeekOrigin, origin],
    ],
    keys,
  );
}

/** @throws {RequestError} code 6 */
export function decodeSeekRequest(text: CommandText): { readonly offset: bigint; readonly origin: SeekOrigin } {
  const offset = requiredInteger(text, Key.Offset, 64);
  const origin = Number(requiredInteger(text, Key.SeekOrigin, 32));
  if (origin !== SeekOrigin.Start && origin !== SeekOrigin.Current && origin !== SeekOrigin.End)
    throw new RequestError(ResultCode.ParameterError, `${Key.SeekOrigin} is none of 0, 1 and 2`);
  return { offset, origin };
}

/** @param offset the new position, from the start of the file */
export function encodeSeekResponse(command: string, offset: bigint | number, tag?: number): Uint8Array {
  return streamResponseText(command, tag, [[Key.Offset, offset]]);
}

export function encodeCloseFileRequest(keys?: StreamKeys): Uint8Array {
  return streamRequestText(Command.CloseFile, [], keys);
}
