import type { FileHandle } from 'node:fs/promises';
import { digestChunks } from '@sluice/files';
import {
  DIGEST_BYTES,
  DIGEST_CHUNK_BYTES,
  type DigestRequest,
  digestResponseText,
  type FileVersion,
  RequestError,
  ResultCode,
} from '@sluice/wire';
import type { Request, Session } from '../protocol.js';
import { Turnstile } from '../storage/turnstile.js';

/** Largest range of one request, in bytes: about a second of work. docs/protocol.md. */
const MAX_RANGE_BYTES = 1 << 30;

/** Ranges are read few at once, for all connections: each holds a buffer of 1 MiB, and the disk is there for others, too. */
const reading = new Turnstile(4);

/**
 * Answers Digest for an open file. docs/protocol.md.
 *
 * @param signal aborted when the connection is gone: then nobody waits for the answer, and perhaps somebody for the file
 * @param recorded digests of all chunks of the file as it is, if they are known: then it is not read
 * @param version called when the digests are there: what the answer tells of the file, beside its size; what it throws is thrown on
 * @throws {RequestError} code 6 for a bad range
 */
export async function answerDigest(
  session: Session,
  request: Request,
  range: DigestRequest,
  handle: FileHandle,
  signal: AbortSignal,
  recorded?: Uint8Array,
  version?: () => Promise<FileVersion | undefined>,
): Promise<void> {
  const { position, count } = range;
  if (position < 0n || position % BigInt(DIGEST_CHUNK_BYTES) !== 0n || count < 0n || count > BigInt(MAX_RANGE_BYTES)) {
    throw new RequestError(ResultCode.ParameterError, 'Position or Count out of range');
  }
  const { size } = await handle.stat();
  const known = recorded && recordedRange(recorded, range, size);
  const digests = known ?? (await computeRange(handle, range, size, signal));
  session.reply(digestResponseText(request.command, size, await version?.()), digests);
}

/** @returns `undefined` when the range ends within a chunk: nothing is recorded of a part */
function recordedRange(recorded: Uint8Array, { position, count }: DigestRequest, size: number): Uint8Array | undefined {
  const end = position + count;
  if (end < BigInt(size) && end % BigInt(DIGEST_CHUNK_BYTES) !== 0n) return undefined;
  const indexOf = (at: bigint): number => Math.ceil(Number(at) / DIGEST_CHUNK_BYTES) * DIGEST_BYTES;
  return recorded.subarray(indexOf(position), indexOf(end));
}

async function computeRange(
  handle: FileHandle,
  { position, count }: DigestRequest,
  size: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  if (position >= BigInt(size)) return new Uint8Array(0);
  const range = { position: Number(position), count: Number(count), chunkBytes: DIGEST_CHUNK_BYTES, signal };
  return await reading.pass(() => digestChunks(handle, range), signal);
}
