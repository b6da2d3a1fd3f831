import {
  Command,
  DIGEST_BYTES,
  DIGEST_CHUNK_BYTES,
  decodeFileVersion,
  encodeDigestRequest,
  encodeDownloadRequest,
  type FileVersion,
  Key,
  ResultCode,
  responseInteger,
} from '@sluice/wire';
import type { Connection } from './connection.js';
import { ClientError } from './errors.js';
import type { RemotePath } from './remote-path.js';

/** Data per packet that is asked for. */
const PACKET_BYTES = 256 << 10;

/** The server's file, as it is at one time. */
export interface RemoteState extends FileVersion {
  /** In bytes. */
  readonly size: number;
}

/**
 * Asks which state the file is in, and for the digests of some of its chunks. docs/protocol.md, section 17.2.
 *
 * @param chunks the end of the file ends them earlier
 * @throws {ClientError} `ERR_SOURCE_CHANGED` when the file has changed while it was digested; and as a request does
 */
export async function askVersion(
  connection: Connection,
  remote: RemotePath,
  first: number,
  chunks: number,
): Promise<{ state: RemoteState; digests: bigint[] }> {
  const [position, count] = [first * DIGEST_CHUNK_BYTES, chunks * DIGEST_CHUNK_BYTES];
  const text = encodeDigestRequest({ file: remote, position: BigInt(position), count: BigInt(count) });
  const { response, data } = await connection.request(Command.Digest, text).catch((error: unknown) => {
    if (!(error instanceof ClientError) || error.resultCode !== ResultCode.FileChanged) throw error;
    throw new ClientError('ERR_SOURCE_CHANGED', `${remote.fileName} changed on the server while it was read there`);
  });
  if (responseInteger(response, Key.ChunkSize) !== BigInt(DIGEST_CHUNK_BYTES)) {
    throw new ClientError('ERR_PROTOCOL', 'the server digests chunks of another size');
  }
  const size = Number(responseInteger(response, Key.FileSize));
  const expected = Math.ceil(Math.max(0, Math.min(size - position, count)) / DIGEST_CHUNK_BYTES);
  if (!Number.isSafeInteger(size) || data.length !== expected * DIGEST_BYTES) {
    throw new ClientError('ERR_PROTOCOL', `the server has sent ${data.length} bytes of digests for ${expected} chunks`);
  }
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const digests = Array.from({ length: expected }, (_, i) => view.getBigUint64(i * DIGEST_BYTES));
  return { state: { ...decodeFileVersion(response), size }, digests };
}

/** Asks for a range of the file; it comes to the receiver of the connection. @throws {ClientError} as a request does */
export async function askRange(
  connection: Connection,
  remote: RemotePath,
  range: { readonly position: number; readonly count: number; readonly version?: string | undefined },
): Promise<void> {
  const { position, count, version } = range;
  const packetSize = BigInt(PACKET_BYTES);
  const text = encodeDownloadRequest({ ...remote, fileSize: BigInt(position), packetSize, count, version });
  await connection.request(Command.Download, text);
}
