import { type CommandText, type Field, requestText, responseText } from './command-text.js';
import { MAX_VERSION_LENGTH } from './digest-messages.js';
import { RequestError } from './errors.js';
import { optionalInteger, requiredDirName, requiredInteger, requiredKey } from './keys.js';
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
  /** Extension: at most so many bytes, from 1 on; and the transfer that is going on is finished first, not dropped. */
  readonly count?: number | undefined;
  /** Extension: of the file that is meant, as Digest has told it. */
  readonly version?: string | undefined;
}

export function encodeDownloadRequest(request: DownloadRequest): Uint8Array {
  const fields: Field[] = [
    [Key.DirName, request.dirName],
    [Key.FileName, request.fileName],
    [Key.FileSize, request.fileSize],
    [Key.PacketSize, request.packetSize],
  ];
  if (request.count !== undefined) fields.push([Key.Count, request.count]);
  if (request.version !== undefined) fields.push([Key.Version, request.version]);
  return requestText(Command.Download, fields);
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

/** The keys of the extension. @throws {RequestError} code 6 */
export function decodeDownloadRange(text: CommandText): Pick<DownloadRequest, 'count' | 'version'> {
  const count = optionalInteger(text, Key.Count, 64);
  if (count !== undefined && (count < 1n || count > BigInt(Number.MAX_SAFE_INTEGER))) {
    throw new RequestError(ResultCode.ParameterError, `${Key.Count} is outside 1 to 2^53 - 1`);
  }
  const version = text.first(Key.Version);
  if (version !== undefined && version.length > MAX_VERSION_LENGTH) {
    throw new RequestError(ResultCode.ParameterError, `${Key.Version} is longer than ${MAX_VERSION_LENGTH} characters`);
  }
  return { count: count === undefined ? undefined : Number(count), version };
}

/** Announces the data that follows. @param remaining bytes that will be sent */
export function encodeSendFile(remaining: bigint | number): Uint8Array {
  return responseText(Command.SendFile, ResultCode.Success, [[Key.FileSize, remaining]]);
}

/** The text of every Data packet of a download; the data follows it in the packet. Specification 7.1. */
export function dataResponseText(): Uint8Array {
  return responseText(Command.Data, ResultCode.Success);
}
