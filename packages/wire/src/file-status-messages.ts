import { type CommandText, type Field, requestText, responseText } from './command-text.js';
import { DIGEST_BYTES, DIGEST_CHUNK_BYTES, MAX_VERSION_LENGTH } from './digest-messages.js';
import { ProtocolError, RequestError } from './errors.js';
import { parseInteger } from './integers.js';
import { optionalInteger, requiredDirName, requiredKey } from './keys.js';
import { Command, Key } from './names.js';
import { type Response, responseInteger } from './response.js';
import { ResultCode } from './result-codes.js';

/** Most bytes of one VerifyFile. docs/protocol.md, section 17. */
export const MAX_VERIFIED_BYTES = 1 << 30;

/** Extension: names a file, or a directory. docs/protocol.md, section 17. */
export interface StatFileRequest {
  readonly dirName: string;
  /** `undefined`: the directory itself. */
  readonly fileName: string | undefined;
}

/** What StatFile tells. */
export interface StatFileAnswer {
  readonly kind: 'file' | 'directory' | 'other';
  /** In bytes; 0 for what is no file. */
  readonly size: bigint | number;
  /** Time of the last change of the content, in nanoseconds since 1970-01-01 UTC. */
  readonly modifiedNs: bigint;
  /** Nine permission bits. */
  readonly mode: number;
  /** Of a file: the same as long as it is the same and unchanged. */
  readonly version: string | undefined;
  /** Content digest of a file, 16 hexadecimal digits, if one is recorded for this state of it. */
  readonly contentDigest: string | undefined;
}

/** Extension: has the server read a part of a file, and compare it with what is recorded of it. docs/protocol.md, section 17. */
export interface VerifyFileRequest {
  readonly dirName: string;
  readonly fileName: string;
  /** Where to start, in bytes: a multiple of {@link DIGEST_CHUNK_BYTES}. @default 0, not written */
  readonly position?: number;
  /** How many bytes, 0 to {@link MAX_VERIFIED_BYTES}. */
  readonly count: number;
  /** The state of the file that is meant. @default that which is found */
  readonly version?: string;
}

/** What is recorded of a file that is verified: its present state; nothing; or another state than the present one. */
export type RecordState = 'recorded' | 'unrecorded' | 'changed';

/** A chunk as the server has found it on its disk. */
export interface VerifiedChunk {
  readonly isDamaged: boolean;
  /** {@link DIGEST_BYTES} of them: of what is on the disk. */
  readonly digest: Uint8Array;
}

/** What VerifyFile tells: of the chunks from `position` on, as many as there was time for. */
export interface VerifyFileAnswer {
  readonly size: bigint | number;
  readonly version: string;
  readonly state: RecordState;
  readonly chunks: readonly VerifiedChunk[];
}

/** Of a chunk in the data of the answer: what it is, and its digest. */
const VERIFIED_CHUNK_BYTES = 1 + DIGEST_BYTES;
const STATES: readonly RecordState[] = ['recorded', 'unrecorded', 'changed'];

export function encodeStatFileRequest({ dirName, fileName }: StatFileRequest): Uint8Array {
  const fields: Field[] = [[Key.DirName, dirName]];
  if (fileName !== undefined) fields.push([Key.FileName, fileName]);
  return requestText(Command.StatFile, fields);
}

/** @throws {RequestError} code 6 */
export function decodeStatFileRequest(text: CommandText): StatFileRequest {
  return { dirName: requiredDirName(text), fileName: text.first(Key.FileName) };
}

export function encodeStatFileResponse(command: string, status: StatFileAnswer): Uint8Array {
  const fields: Field[] = [
    [Key.Kind, status.kind],
    [Key.FileSize, status.size],
    [Key.ModifiedNs, status.modifiedNs],
    [Key.Mode, status.mode],
  ];
  if (status.version !== undefined) fields.push([Key.Version, status.version]);
  if (status.contentDigest !== undefined) fields.push([Key.Digest, status.contentDigest]);
  return responseText(command, ResultCode.Success, fields);
}

/** @throws {ProtocolError} `ERR_RESPONSE_INVALID` */
export function decodeStatFileResponse(response: Response): StatFileAnswer & { readonly size: bigint } {
  const kind = response.text.first(Key.Kind);
  const modifiedNs = parseInteger(response.text.first(Key.ModifiedNs) ?? '', 64);
  const mode = responseInteger(response, Key.Mode);
  const version = response.text.first(Key.Version);
  const contentDigest = response.text.first(Key.Digest);
  if (modifiedNs === undefined) throw unusable(response, Key.ModifiedNs);
  if (mode > 0o777n) throw unusable(response, Key.Mode);
  if (version !== undefined && !isVersion(version)) throw unusable(response, Key.Version);
  if (contentDigest !== undefined && !isContentDigest(contentDigest)) throw unusable(response, Key.Digest);
  return {
    kind: kind === 'file' || kind === 'directory' ? kind : 'other',
    size: responseInteger(response, Key.FileSize),
    modifiedNs,
    mode: Number(mode),
    version,
    contentDigest,
  };
}

export function encodeVerifyFileRequest(request: VerifyFileRequest): Uint8Array {
  const fields: Field[] = [
    [Key.DirName, request.dirName],
    [Key.FileName, request.fileName],
  ];
  if (request.position !== undefined) fields.push([Key.Position, request.position]);
  fields.push([Key.Count, request.count]);
  if (request.version !== undefined) fields.push([Key.Version, request.version]);
  return requestText(Command.VerifyFile, fields);
}

/** @throws {RequestError} code 6 */
export function decodeVerifyFileRequest(text: CommandText): VerifyFileRequest & { readonly position: number } {
  const position = optionalInteger(text, Key.Position, 64) ?? 0n;
  const count = optionalInteger(text, Key.Count, 64) ?? BigInt(MAX_VERIFIED_BYTES);
  const version = text.first(Key.Version);
  if (position < 0n || position % BigInt(DIGEST_CHUNK_BYTES) !== 0n || position > BigInt(Number.MAX_SAFE_INTEGER))
    throw new RequestError(ResultCode.ParameterError, `${Key.Position} is no multiple of ${DIGEST_CHUNK_BYTES}`);
  if (count < 0n || count > BigInt(MAX_VERIFIED_BYTES))
    throw new RequestError(ResultCode.ParameterError, `${Key.Count} must be 0 to ${MAX_VERIFIED_BYTES}`);
  if (version !== undefined && !isVersion(version))
    throw new RequestError(ResultCode.ParameterError, `${Key.Version} is none`);
  return {
    dirName: requiredDirName(text),
    fileName: requiredKey(text, Key.FileName),
    position: Number(position),
    count: Number(count),
    ...(version !== undefined && { version }),
  };
}

/** The text of the answer; its data is `encodeVerifiedChunks`. */
export function encodeVerifyFileResponse(command: string, answer: VerifyFileAnswer): Uint8Array {
  return responseText(command, ResultCode.Success, [
    [Key.FileSize, answer.size],
    [Key.ChunkSize, DIGEST_CHUNK_BYTES],
    [Key.Version, answer.version],
    [Key.State, answer.state],
    [Key.Count, answer.chunks.length],
  ]);
}

export function encodeVerifiedChunks(chunks: readonly VerifiedChunk[]): Uint8Array {
  const data = new Uint8Array(chunks.length * VERIFIED_CHUNK_BYTES);
  for (const [i, { isDamaged, digest }] of chunks.entries()) {
    data[i * VERIFIED_CHUNK_BYTES] = isDamaged ? 1 : 0;
    data.set(digest, i * VERIFIED_CHUNK_BYTES + 1);
  }
  return data;
}

/** @throws {ProtocolError} `ERR_RESPONSE_INVALID` */
export function decodeVerifyFileResponse(
  response: Response,
  data: Uint8Array,
): VerifyFileAnswer & { readonly size: bigint } {
  const version = response.text.first(Key.Version) ?? '';
  const state = STATES.find((each) => each === response.text.first(Key.State));
  const count = responseInteger(response, Key.Count);
  if (responseInteger(response, Key.ChunkSize) !== BigInt(DIGEST_CHUNK_BYTES)) throw unusable(response, Key.ChunkSize);
  if (!isVersion(version)) throw unusable(response, Key.Version);
  if (!state) throw unusable(response, Key.State);
  if (count * BigInt(VERIFIED_CHUNK_BYTES) !== BigInt(data.length)) throw unusable(response, Key.Count);
  const chunks: VerifiedChunk[] = [];
  for (let at = 0; at < data.length; at += VERIFIED_CHUNK_BYTES) {
    chunks.push({ isDamaged: data[at] !== 0, digest: data.slice(at + 1, at + VERIFIED_CHUNK_BYTES) });
  }
  return { size: responseInteger(response, Key.FileSize), version, state, chunks };
}

function isVersion(text: string): boolean {
  return text !== '' && text.length <= MAX_VERSION_LENGTH;
}

function isContentDigest(text: string): boolean {
  return /^[0-9a-f]{16}$/.test(text);
}

function unusable(response: Response, key: string): ProtocolError {
  return new ProtocolError('ERR_RESPONSE_INVALID', `${response.command} was answered without a usable ${key}`);
}
