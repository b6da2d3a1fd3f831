import { type CommandText, type Field, requestText, responseText } from './command-text.js';
import { ProtocolError } from './errors.js';
import { parseInteger } from './integers.js';
import { requiredDirName, requiredInteger } from './keys.js';
import { Command, Key } from './names.js';
import { type Response, responseInteger } from './response.js';
import { ResultCode } from './result-codes.js';

/** Bytes of a file under one digest; the last chunk may be shorter. docs/protocol.md. */
export const DIGEST_CHUNK_BYTES = 4 << 20;

/** Bytes of one chunk digest: XXH64 with seed 0, big-endian. docs/protocol.md. */
export const DIGEST_BYTES = 8;

/** Longest Version, in characters. */
export const MAX_VERSION_LENGTH = 128;

/** Extension: which state of which file was digested. docs/protocol.md. */
export interface FileVersion {
  /** The same as long as the file is the same and unchanged; says nothing else. At most {@link MAX_VERSION_LENGTH} characters. */
  readonly version: string;
  /** Time of the last change of the content, in nanoseconds since 1970-01-01 UTC. */
  readonly modifiedNs: bigint;
  /** Nine permission bits. */
  readonly mode: number;
}

/** Extension: asks for the chunk digests of a range of a file. docs/protocol.md. */
export interface DigestRequest {
  /** `undefined`: the file that is open in an upload on this connection. */
  readonly file: { readonly dirName: string; readonly fileName: string } | undefined;
  /** Where to start, in bytes: a multiple of {@link DIGEST_CHUNK_BYTES}. */
  readonly position: bigint;
  /** How many bytes to digest; the end of the file ends the range. */
  readonly count: bigint;
}

export function encodeDigestRequest(request: DigestRequest): Uint8Array {
  const fields: Field[] = request.file
    ? [
        [Key.DirName, request.file.dirName],
        [Key.FileName, request.file.fileName],
      ]
    : [];
  return requestText(Command.Digest, [...fields, [Key.Position, request.position], [Key.Count, request.count]]);
}

/** @throws {RequestError} code 6 */
export function decodeDigestRequest(text: CommandText): DigestRequest {
  const fileName = text.first(Key.FileName);
  return {
    file: fileName === undefined ? undefined : { dirName: requiredDirName(text), fileName },
    position: requiredInteger(text, Key.Position, 64),
    count: requiredInteger(text, Key.Count, 64),
  };
}

/** The digests follow as the data of the packet. @param fileSize length of the file, in bytes @param file for clients that know `Ranges` */
export function digestResponseText(command: string, fileSize: bigint | number, file?: FileVersion): Uint8Array {
  const fields: Field[] = [
    [Key.FileSize, fileSize],
    [Key.ChunkSize, DIGEST_CHUNK_BYTES],
  ];
  if (file) fields.push([Key.Version, file.version], [Key.ModifiedNs, file.modifiedNs], [Key.Mode, file.mode]);
  return responseText(command, ResultCode.Success, fields);
}

/** What a server with `Ranges` tells of the file that it has digested. @throws {ProtocolError} `ERR_RESPONSE_INVALID` */
export function decodeFileVersion(response: Response): FileVersion {
  const version = response.text.first(Key.Version) ?? '';
  const modifiedNs = parseInteger(response.text.first(Key.ModifiedNs) ?? '', 64);
  const mode = responseInteger(response, Key.Mode);
  if (version === '' || version.length > MAX_VERSION_LENGTH || modifiedNs === undefined || mode > 0o777n) {
    throw new ProtocolError('ERR_RESPONSE_INVALID', `${response.command} was answered without a usable version`);
  }
  return { version, modifiedNs, mode: Number(mode) };
}
