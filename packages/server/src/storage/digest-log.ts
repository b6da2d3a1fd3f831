import { randomBytes } from 'node:crypto';
import { xxh64 } from '@sluice/files';

/** One state of the content of a file: who writes to it, or replaces it, changes at least one of these. */
export interface FileVersion {
  readonly size: number;
  readonly modifiedNs: bigint;
  readonly inode: bigint;
}

/** What the content of a file was when it was known to be good. */
export interface RecordedDigest extends FileVersion {
  /** 8 bytes for each chunk. docs/protocol.md, section 17.2. */
  readonly chunkDigests: Uint8Array;
  /** `contentDigestOf` the chunk digests. */
  readonly contentDigest: string;
  /** What the client that sent the file knows its source by. At most 65,534 bytes of UTF-8. */
  readonly sourceId: string | undefined;
}

/** A record where it lies in a log. */
export interface FoundRecord {
  readonly name: string;
  readonly digest: RecordedDigest;
  readonly offset: number;
  /** Head and payload. */
  readonly bytes: number;
}

/** Most bytes of chunk digests of one file: those of 16 TiB. */
export const MAX_CHUNK_DIGEST_BYTES = 32 << 20;

/** In front of a log: twice the same, so that a damaged byte does not cost the whole log. */
export const LOG_HEADER_BYTES = 48;

/** Magic, salt, and the checksum of both. */
const HEADER_COPY_BYTES = LOG_HEADER_BYTES / 2;
const LOG_MAGIC = 0x53_4c_44_47_4c_4f_47_31n; // SLDGLOG1
const RECORD_MAGIC = 0xd1_6e_57_01;

/** In front of a payload: magic, length of the payload, and the checksum of the payload. */
const RECORD_HEAD_BYTES = 16;

/** Size, time, inode, content digest, and the lengths of name and source id. */
const FIXED_PAYLOAD_BYTES = 36;
const NO_SOURCE_ID = 0xffff;

/**
 * The head of a new log. Its salt is part of the checksum of each record: a peer that chooses names and source ids cannot make bytes that
 * pass for a record if the one that they stand in is damaged.
 */
export function newLogHeader(): Uint8Array {
  const copy = Buffer.alloc(HEADER_COPY_BYTES);
  copy.writeBigUInt64BE(LOG_MAGIC, 0);
  randomBytes(8).copy(copy, 8);
  copy.writeBigUInt64BE(xxh64(copy.subarray(0, 16)), 16);
  return Buffer.concat([copy, copy]);
}

/** @returns `undefined` if this is no log, or of another kind than this, or both copies are damaged */
export function saltOf(log: Buffer): bigint | undefined {
  if (log.length < LOG_HEADER_BYTES) return undefined; // records begin behind both copies
  for (const at of [0, HEADER_COPY_BYTES]) {
    if (log.readBigUInt64BE(at) !== LOG_MAGIC) continue;
    if (log.readBigUInt64BE(at + 16) === xxh64(log.subarray(at, at + 16))) return log.readBigUInt64BE(at + 8);
  }
  return undefined;
}

/** A record as it stands in a log of this salt. Written in one piece: thousands are made in a second. */
export function encodeDigestRecord(salt: bigint, name: string, digest: RecordedDigest): Buffer {
  const { size, modifiedNs, inode, contentDigest, sourceId, chunkDigests } = digest;
  const nameLength = Buffer.byteLength(name);
  const sourceLength = sourceId === undefined ? 0 : Buffer.byteLength(sourceId);
  const payloadLength = FIXED_PAYLOAD_BYTES + nameLength + sourceLength + chunkDigests.length;
  const record = Buffer.allocUnsafe(RECORD_HEAD_BYTES + payloadLength);
  record.writeUInt32BE(RECORD_MAGIC, 0);
  record.writeUInt32BE(payloadLength, 4);
  let at = RECORD_HEAD_BYTES;
  at = record.writeBigUInt64BE(BigInt(size), at);
  at = record.writeBigInt64BE(modifiedNs, at);
  at = record.writeBigUInt64BE(inode, at);
  at += record.write(contentDigest, at, 8, 'hex');
  at = record.writeUInt16BE(nameLength, at);
  at = record.writeUInt16BE(sourceId === undefined ? NO_SOURCE_ID : sourceLength, at);
  at += record.write(name, at);
  if (sourceId !== undefined) at += record.write(sourceId, at);
  record.set(chunkDigests, at);
  record.writeBigUInt64BE(xxh64(record.subarray(RECORD_HEAD_BYTES), salt), 8);
  return record;
}

/**
 * The next good record at or behind a place; whatever is torn or damaged is passed over. Its chunk digests are a view of the log.
 *
 * @returns `undefined` if there is none
 */
export function nextDigestRecord(log: Buffer, start: number, salt: bigint): FoundRecord | undefined {
  const magic = Buffer.alloc(4);
  magic.writeUInt32BE(RECORD_MAGIC);
  for (let at = log.indexOf(magic, start); at >= 0; at = log.indexOf(magic, at + 1)) {
    const found = digestRecordAt(log, at, salt);
    if (found) return found;
  }
  return undefined;
}

function digestRecordAt(log: Buffer, offset: number, salt: bigint): FoundRecord | undefined {
  const start = offset + RECORD_HEAD_BYTES;
  if (start + FIXED_PAYLOAD_BYTES > log.length) return undefined;
  const length = log.readUInt32BE(offset + 4);
  if (length < FIXED_PAYLOAD_BYTES || length > log.length - start) return undefined;
  const payload = log.subarray(start, start + length);
  if (log.readBigUInt64BE(offset + 8) !== xxh64(payload, salt)) return undefined;
  const nameEnd = FIXED_PAYLOAD_BYTES + payload.readUInt16BE(32);
  const sourceLength = payload.readUInt16BE(34);
  const sourceEnd = nameEnd + (sourceLength === NO_SOURCE_ID ? 0 : sourceLength);
  return {
    name: payload.toString('utf8', FIXED_PAYLOAD_BYTES, nameEnd),
    offset,
    bytes: RECORD_HEAD_BYTES + length,
    digest: {
      size: Number(payload.readBigUInt64BE(0)),
      modifiedNs: payload.readBigInt64BE(8),
      inode: payload.readBigUInt64BE(16),
      contentDigest: payload.toString('hex', 24, 32),
      sourceId: sourceLength === NO_SOURCE_ID ? undefined : payload.toString('utf8', nameEnd, sourceEnd),
      chunkDigests: payload.subarray(sourceEnd),
    },
  };
}
