import { type CommandText, type Field, requestText, responseText } from './command-text.js';
import { DIGEST_BYTES } from './digest-messages.js';
import { RequestError } from './errors.js';
import {
  optionalChoice,
  optionalInteger,
  requiredDirName,
  requiredInteger,
  requiredKey,
  requiredOffset,
} from './keys.js';
import { Command, Key } from './names.js';
import { type Response, responseInteger } from './response.js';
import { ResultCode } from './result-codes.js';
import type { Durability } from './upload-messages.js';

/** What to do when a file has the name already. docs/protocol.md. */
export const IF_EXISTS = ['replace', 'fail', 'skip', 'newer'] as const;
export type IfExists = (typeof IF_EXISTS)[number];

/** Longest SourceId, in characters. */
export const MAX_SOURCE_ID_LENGTH = 128;

/** Most chunks that one UploadChunks or UseTarget names. */
export const MAX_CHUNKS_AT_ONCE = 65_536;

/** Bytes of one chunk in the data of UploadChunks: its state and its digest. */
export const CHUNK_ENTRY_BYTES = 1 + DIGEST_BYTES;

/** What the server has of a chunk, as UploadChunks tells. */
export const ChunkState = {
  Missing: 0,
  /** Staged, with this digest. */
  Staged: 1,
  /** The file that has the name now has this chunk at this place. */
  InTarget: 2,
} as const;
export type ChunkState = (typeof ChunkState)[keyof typeof ChunkState];

/** Extension: begins an upload, or goes on with one. docs/protocol.md. */
export interface BeginUploadRequest {
  readonly dirName: string;
  /** A bare name. */
  readonly fileName: string;
  /** In bytes; `undefined` when the client does not know it yet. */
  readonly fileSize?: number | undefined;
  /** What the client knows its source by: another text for another state of it. At most {@link MAX_SOURCE_ID_LENGTH} characters. */
  readonly sourceId?: string | undefined;
  /** @default 'replace' */
  readonly ifExists?: IfExists | undefined;
  /** Time of last change that the file gets, in nanoseconds since 1970-01-01 UTC; `undefined`: when it is complete. */
  readonly modifiedNs?: bigint | undefined;
  /** Nine permission bits that the file gets. */
  readonly mode?: number | undefined;
  /** At most what the server offers. @default what the server offers */
  readonly durability?: Durability | undefined;
  /** What to do while another upload to this name goes on. @default 'wait' */
  readonly whenBusy?: 'wait' | 'refuse' | undefined;
  /** Whether missing directories are made. @default false */
  readonly makesParents?: boolean | undefined;
}

/** What was found of an upload. */
export interface BegunUpload {
  /** For JoinUpload; `undefined` when no upload is open because there is nothing to do. */
  readonly uploadId: string | undefined;
  /** Bytes of finished chunks that are staged. */
  readonly stagedBytes: number;
  /** Whether what is staged came from this very source, from another state of it, or nothing is. */
  readonly source: 'same' | 'other' | 'none';
  /** Chunks for which UploadChunks has something to say. */
  readonly chunks: number;
  /** Why there is nothing to do: the file is what would be sent; or it is there, or not older, and the client has asked to skip it. */
  readonly nothingToDo?: 'unchanged' | 'exists' | 'newer' | undefined;
  /** With `unchanged`: the content digest. */
  readonly digest?: string | undefined;
}

export function encodeBeginUploadRequest(request: BeginUploadRequest): Uint8Array {
  const fields: Field[] = [
    [Key.DirName, request.dirName],
    [Key.FileName, request.fileName],
  ];
  if (request.fileSize !== undefined) fields.push([Key.FileSize, request.fileSize]);
  if (request.sourceId !== undefined) fields.push([Key.SourceId, request.sourceId]);
  if (request.ifExists !== undefined) fields.push([Key.IfExists, request.ifExists]);
  if (request.modifiedNs !== undefined) fields.push([Key.ModifiedNs, request.modifiedNs]);
  if (request.mode !== undefined) fields.push([Key.Mode, request.mode]);
  if (request.durability !== undefined) fields.push([Key.Durability, request.durability]);
  if (request.whenBusy !== undefined) fields.push([Key.WhenBusy, request.whenBusy]);
  if (request.makesParents) fields.push([Key.Parents, 'yes']);
  return requestText(Command.BeginUpload, fields);
}

/** @throws {RequestError} code 6 */
export function decodeBeginUploadRequest(text: CommandText): BeginUploadRequest {
  const sourceId = text.first(Key.SourceId);
  if (sourceId !== undefined && sourceId.length > MAX_SOURCE_ID_LENGTH) {
    throw badValue(`${Key.SourceId} is longer than ${MAX_SOURCE_ID_LENGTH} characters`);
  }
  const mode = optionalInteger(text, Key.Mode, 16);
  if (mode !== undefined && (mode < 0n || mode > 0o777n)) throw badValue(`${Key.Mode} is outside 0 to 511`);
  return {
    dirName: requiredDirName(text),
    fileName: requiredKey(text, Key.FileName),
    fileSize: text.first(Key.FileSize) === undefined ? undefined : requiredOffset(text, Key.FileSize),
    sourceId,
    ifExists: optionalChoice(text, Key.IfExists, IF_EXISTS),
    modifiedNs: optionalInteger(text, Key.ModifiedNs, 64),
    mode: mode === undefined ? undefined : Number(mode),
    durability: optionalChoice(text, Key.Durability, ['durable', 'memory']),
    whenBusy: optionalChoice(text, Key.WhenBusy, ['wait', 'refuse']),
    makesParents: optionalChoice(text, Key.Parents, ['yes', 'no']) === 'yes',
  };
}

export function encodeBegunUpload(command: string, begun: BegunUpload): Uint8Array {
  const fields: Field[] = [];
  if (begun.uploadId !== undefined) {
    fields.push([Key.UploadId, begun.uploadId], [Key.Staged, begun.stagedBytes]);
    fields.push([Key.Source, begun.source], [Key.Chunks, begun.chunks]);
  } else if (begun.nothingToDo === 'unchanged') fields.push([Key.Unchanged, 'yes']);
  else fields.push([Key.Skip, begun.nothingToDo ?? 'exists']);
  if (begun.digest !== undefined) fields.push([Key.Digest, begun.digest]);
  return responseText(command, ResultCode.Success, fields);
}

/** @throws {ProtocolError} `ERR_RESPONSE_INVALID` */
export function decodeBegunUpload(response: Response): BegunUpload {
  const { text } = response;
  const uploadId = text.first(Key.UploadId);
  const digest = text.first(Key.Digest);
  if (uploadId === undefined) {
    const skip = text.first(Key.Skip) === 'newer' ? 'newer' : 'exists';
    const nothingToDo = text.first(Key.Unchanged) === 'yes' ? 'unchanged' : skip;
    return { uploadId, stagedBytes: 0, source: 'none', chunks: 0, nothingToDo, digest };
  }
  const source = text.first(Key.Source);
  return {
    uploadId,
    stagedBytes: Number(responseInteger(response, Key.Staged)),
    source: source === 'same' || source === 'other' ? source : 'none',
    chunks: Number(responseInteger(response, Key.Chunks)),
    digest,
  };
}

/** @param command `JoinUpload` or `DropPartial` */
export function encodeUploadIdRequest(command: string, uploadId: string): Uint8Array {
  return requestText(command, [[Key.UploadId, uploadId]]);
}

/** Of JoinUpload and DropPartial: 32 hexadecimal digits, in small letters. @throws {RequestError} code 6 */
export function decodeUploadIdRequest(text: CommandText): string {
  const uploadId = requiredKey(text, Key.UploadId);
  if (!/^[0-9a-f]{32}$/i.test(uploadId)) throw badValue(`${Key.UploadId} is no identifier`);
  return uploadId.toLowerCase();
}

/** A row of chunks, by number: chunk 0 begins the file. */
export interface ChunkRange {
  readonly first: number;
  readonly count: number;
}

/** @param command `UploadChunks` or `UseTarget` */
export function encodeChunkRangeRequest(command: string, { first, count }: ChunkRange): Uint8Array {
  return requestText(command, [
    [Key.Position, first],
    [Key.Count, count],
  ]);
}

/** @throws {RequestError} code 6 */
export function decodeChunkRangeRequest(text: CommandText): ChunkRange {
  const count = requiredInteger(text, Key.Count, 32);
  if (count < 1n || count > BigInt(MAX_CHUNKS_AT_ONCE)) {
    throw badValue(`${Key.Count} is outside 1 to ${MAX_CHUNKS_AT_ONCE}`);
  }
  return { first: requiredOffset(text, Key.Position), count: Number(count) };
}

/** What the server has of one chunk. */
export interface ChunkEntry {
  readonly state: ChunkState;
  /** {@link DIGEST_BYTES} bytes as a number; 0 when the chunk is missing. */
  readonly digest: bigint;
}

/** The text; the entries, encoded by {@link encodeChunkEntries}, follow as data. */
export function uploadChunksResponseText(command: string, count: number): Uint8Array {
  return responseText(command, ResultCode.Success, [[Key.Count, count]]);
}

export function encodeChunkEntries(entries: readonly ChunkEntry[]): Uint8Array {
  const bytes = new Uint8Array(entries.length * CHUNK_ENTRY_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [index, { state, digest }] of entries.entries()) {
    view.setUint8(index * CHUNK_ENTRY_BYTES, state);
    view.setBigUint64(index * CHUNK_ENTRY_BYTES + 1, digest);
  }
  return bytes;
}

/** An unknown state counts as missing; what is cut off does not count. */
export function decodeChunkEntries(data: Uint8Array): ChunkEntry[] {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const entries: ChunkEntry[] = [];
  for (let at = 0; at + CHUNK_ENTRY_BYTES <= data.length; at += CHUNK_ENTRY_BYTES) {
    const state = view.getUint8(at);
    const isKnown = state === ChunkState.Staged || state === ChunkState.InTarget;
    entries.push(isKnown ? { state, digest: view.getBigUint64(at + 1) } : { state: ChunkState.Missing, digest: 0n });
  }
  return entries;
}

/** @param position where the data that follow go, in bytes: where a chunk begins */
export function encodePlaceDataRequest(position: number): Uint8Array {
  return requestText(Command.PlaceData, [[Key.Position, position]]);
}

/** In bytes. @throws {RequestError} code 6 */
export function decodePlaceDataRequest(text: CommandText): number {
  return requiredOffset(text, Key.Position);
}

export function encodeEndChunkRequest(digest: bigint): Uint8Array {
  return requestText(Command.EndChunk, [[Key.Digest, digestText(digest)]]);
}

/** @throws {RequestError} code 6 */
export function decodeEndChunkRequest(text: CommandText): bigint {
  return digestOf(requiredKey(text, Key.Digest));
}

/** Extension: makes what was uploaded the file of its name. docs/protocol.md. */
export interface CommitUploadRequest {
  /** In bytes. */
  readonly fileSize: number;
  /** Content digest of the client's file: XXH64 over the digests of its chunks. */
  readonly digest: bigint;
}

export function encodeCommitUploadRequest({ fileSize, digest }: CommitUploadRequest): Uint8Array {
  return requestText(Command.CommitUpload, [
    [Key.FileSize, fileSize],
    [Key.Digest, digestText(digest)],
  ]);
}

/** @throws {RequestError} code 6 */
export function decodeCommitUploadRequest(text: CommandText): CommitUploadRequest {
  return { fileSize: requiredOffset(text, Key.FileSize), digest: digestOf(requiredKey(text, Key.Digest)) };
}

/** What an upload has become. */
export interface CommittedUpload {
  readonly durability: Durability;
  /** Content digest, 16 hexadecimal digits. */
  readonly digest: string;
}

export function encodeCommittedUpload(command: string, { durability, digest }: CommittedUpload): Uint8Array {
  return responseText(command, ResultCode.Success, [
    [Key.Durability, durability],
    [Key.Digest, digest],
  ]);
}

export function decodeCommittedUpload({ text }: Response): CommittedUpload {
  return {
    durability: text.first(Key.Durability) === 'durable' ? 'durable' : 'memory',
    digest: text.first(Key.Digest) ?? '',
  };
}

/** A digest as keys have it: 16 hexadecimal digits. */
export function digestText(digest: bigint): string {
  return digest.toString(16).padStart(16, '0');
}

function digestOf(text: string): bigint {
  if (!/^[0-9a-f]{16}$/i.test(text)) throw badValue(`${Key.Digest} is no digest`);
  return BigInt(`0x${text}`);
}

/** An upload that is not complete, as ListPartials tells: JSON in the data of the packet. docs/protocol.md. */
export interface PartialRecord {
  readonly id: string;
  /** Of the file, relative to the root of its user. */
  readonly name: string;
  readonly user: string;
  /** Declared, in bytes; missing when it is not known. */
  readonly size?: number;
  /** Bytes of finished chunks. */
  readonly stagedBytes: number;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  readonly changedAt: string;
  /** Whether a connection is at it. */
  readonly isHeld: boolean;
}

function badValue(message: string): RequestError {
  return new RequestError(ResultCode.ParameterError, message);
}
