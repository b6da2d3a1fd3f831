import { type CommandText, requestText, responseText } from './command-text.js';
import { requiredDirName, requiredInteger, requiredKey } from './keys.js';
import { Command, Key } from './names.js';
import { ResultCode } from './result-codes.js';

/** Specification 7. */
export interface DownloadRequest {
  readonly dirName: string;
  /** A bare name. */
  readonly fileName: string;
  /** Bytes the client already has: where to start. */
  readonly fileSize: bigint;
  /** Bytes of the file in each Data packet. */
  readonly packetSize: bigint;
}

export function encodeDownloadRequest(request: DownloadRequest): Uint8Array {
  return requestText(Command.Download, [
    [Key.DirName, request.dirName],
    [Key.FileName, request.fileName],
    [Key.FileSize, request.fileSize],
    [Key.PacketSize, request.packetSize],
  ]);
}

/** @throws {RequestError} code 6 */
export function decodeDownloadRequest(text: CommandText): DownloadRequest {
  return {
    dirName: requiredDirName(text),
    fileName: requiredKey(text, Key.FileName),
    fileSize: requiredInteger(text, Key.FileSize, 64),
    packetSize: requiredInteger(text, Key.PacketSize, 32),
  };
}

/** Announces the data that follows. @param remaining bytes that will be sent */
export function encodeSendFile(remaining: bigint | number): Uint8Array {
  return responseText(Command.SendFile, ResultCode.Success, [[Key.FileSize, remaining]]);
}

/** The text of every Data packet of a download; the data follows it in the packet. Specification 7.1. */
export function dataResponseText(): Uint8Array {
  return responseText(Command.Data, ResultCode.Success);
}
