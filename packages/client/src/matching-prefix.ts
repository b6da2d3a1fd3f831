import {
  Command,
  DIGEST_BYTES,
  DIGEST_CHUNK_BYTES,
  type DigestRequest,
  encodeDigestRequest,
  Key,
  responseInteger,
} from '@sluice/wire';
import type { Connection } from './connection.js';
import { ClientError } from './errors.js';

/** Bytes whose digests are asked for at once: a disk of 3 MB/s still answers within the response timeout of 60 s. */
const BATCH_BYTES = 128 << 20;

/** A range that begins with a chunk. */
export interface ChunkRange {
  /** In bytes; a multiple of {@link DIGEST_CHUNK_BYTES}. */
  readonly position: number;
  /** In bytes; the end of what is here ends the range earlier. */
  readonly count: number;
  readonly signal?: AbortSignal;
}

/** The digests of the chunks of what is here, each of {@link DIGEST_CHUNK_BYTES}; 8 bytes each, big-endian. */
export type LocalDigests = (range: ChunkRange) => Promise<Uint8Array>;

/**
 * How many bytes, from the start, what is here and a file on the server have in common, by the digests of their chunks: whole chunks, or
 * `limitBytes`. Both sides digest at the same time.
 *
 * @param remote `undefined`: the file whose upload is open on this connection
 * @throws {ClientError} as a request does, or what `local` throws
 */
export async function matchingPrefix(
  connection: Connection,
  remote: DigestRequest['file'],
  local: LocalDigests,
  limitBytes: number,
): Promise<number> {
  for (let position = 0; position < limitBytes; position += BATCH_BYTES) {
    const count = Math.min(BATCH_BYTES, limitBytes - position);
    const common = await matchingBytes(connection, remote, local, position, count);
    if (common < count) return position + common;
  }
  return limitBytes;
}

async function matchingBytes(
  connection: Connection,
  remote: DigestRequest['file'],
  local: LocalDigests,
  position: number,
  count: number,
): Promise<number> {
  const stop = new AbortController();
  const localDigests = local({ position, count, signal: stop.signal });
  localDigests.catch(() => {}); // seen when it is awaited, unless the request fails first
  try {
    const text = encodeDigestRequest({ file: remote, position: BigInt(position), count: BigInt(count) });
    const { response, data } = await connection.request(Command.Digest, text);
    if (responseInteger(response, Key.ChunkSize) !== BigInt(DIGEST_CHUNK_BYTES)) {
      throw new ClientError('ERR_PROTOCOL', 'the server digests chunks of another size');
    }
    return Math.min(count, equalDigests(data, await localDigests) * DIGEST_CHUNK_BYTES);
  } catch (error) {
    stop.abort();
    throw error;
  }
}

/** How many digests, from the first on, are equal. */
function equalDigests(a: Uint8Array, b: Uint8Array): number {
  const bytes = Math.min(a.length, b.length);
  let at = 0;
  while (at < bytes && a[at] === b[at]) at++;
  return Math.floor(at / DIGEST_BYTES);
}
