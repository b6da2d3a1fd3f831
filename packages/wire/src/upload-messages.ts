import { type CommandText, type Field, requestText, responseText } from './command-text.js';
import { optionalInteger, requiredDirName, requiredKey } from './keys.js';
import { Command, Key } from './names.js';
import { ResultCode } from './result-codes.js';

/** Specification 6.1. */
export interface UploadRequest {
  readonly dirName: string;
  /** A bare name. */
  readonly fileName: string;
  /** Extension: keep this many bytes of the file on the server and drop the rest. docs/protocol.md. */
  readonly resume?: bigint | undefined;
}

export function encodeUploadRequest(request: UploadRequest): Uint8Array {
  const fields: Field[] = [
    [Key.DirName, request.dirName],
    [Key.FileName, request.fileName],
  ];
  if (request.resume !== undefined) fields.push([Key.Resume, request.resume]);
  return requestText(Command.Upload, fields);
}

/** @throws {RequestError} code 6 */
export function decodeUploadRequest(text: CommandText): UploadRequest {
  return {
    dirName: requiredDirName(text),
    fileName: requiredKey(text, Key.FileName),
    resume: optionalInteger(text, Key.Resume, 64),
  };
}

/** @param fileSize bytes that are on the server: where the client goes on */
export function encodeUploadResponse(command: string, fileSize: bigint | number): Uint8Array {
  return responseText(command, ResultCode.Success, [[Key.FileSize, fileSize]]);
}

/** The text of every Data request; the data follows it in the packet. Specification 6.1. */
export function dataRequestText(): Uint8Array {
  return requestText(Command.Data);
}

/** @param fileSize full size of the client's file, in bytes; the server compares (D30, C6) */
export function encodeEofRequest(fileSize: bigint | number | undefined): Uint8Array {
  return requestText(Command.Eof, fileSize === undefined ? [] : [[Key.FileSize, fileSize]]);
}

/** @returns the client's size, if it says one @throws {RequestError} code 6 */
export function decodeEofRequest(text: CommandText): bigint | undefined {
  return optionalInteger(text, Key.FileSize, 64);
}

/** How far an acknowledged upload has come: `durable`, on the disk; `memory`, in the hands of the system. docs/protocol.md. */
export type Durability = 'durable' | 'memory';

/** @param durability extension, only for clients that asked */
export function encodeEofResponse(command: string, durability: Durability | undefined): Uint8Array {
  return responseText(command, ResultCode.Success, durability ? [[Key.Durability, durability]] : []);
}
