import { type CommandText, type Field, requestText, responseText } from './command-text.js';
import { requiredDirName, requiredInteger } from './keys.js';
import { Command, Key } from './names.js';
import { ResultCode } from './result-codes.js';

/** Bytes of a file under one digest; the last chunk may be shorter. docs/protocol.md. */
export const DIGEST_CHUNK_BYTES = 4 << 20;

/** Bytes of one chunk digest: XXH64 with seed 0, big-endian. docs/protocol.md. */
export const DIGEST_BYTES = 8;

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

/** The digests follow as the data of the packet. @param fileSize length of the file, in bytes */
export function digestResponseText(command: string, fileSize: bigint | number): Uint8Array {
  return responseText(command, ResultCode.Success, [
    [Key.FileSize, fileSize],
    [Key.ChunkSize, DIGEST_CHUNK_BYTES],
  ]);
}
