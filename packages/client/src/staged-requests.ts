import {
  type BeginUploadRequest,
  type BegunUpload,
  type ChunkEntry,
  type ChunkRange,
  Command,
  type CommittedUpload,
  type CommitUploadRequest,
  decodeBegunUpload,
  decodeChunkEntries,
  decodeCommittedUpload,
  encodeBeginUploadRequest,
  encodeChunkRangeRequest,
  encodeCommitUploadRequest,
  encodeUploadIdRequest,
  ResultCode,
  requestText,
} from '@sluice/wire';
import type { Connection } from './connection.js';
import { ClientError } from './errors.js';

/**
 * Begins a staged upload, or goes on with one.
 *
 * @returns `undefined` when the server cannot stage this file: in place it may be possible
 * @throws {ClientError} `ERR_EXISTS`, `ERR_NO_SPACE`, `ERR_REMOTE` and others
 */
export async function beginUpload(
  connection: Connection,
  request: BeginUploadRequest,
): Promise<BegunUpload | undefined> {
  try {
    const { response } = await connection.request(Command.BeginUpload, encodeBeginUploadRequest(request));
    const begun = decodeBegunUpload(response);
    connection.hasOpenFile = begun.uploadId !== undefined;
    return begun;
  } catch (error) {
    if (error instanceof ClientError && error.resultCode === ResultCode.UnknownError) return undefined;
    throw request.whenBusy === 'refuse' ? asRefusal(error) : error;
  }
}

/** Makes a connection one more of an upload that another one has begun. */
export async function joinUpload(connection: Connection, uploadId: string): Promise<void> {
  await connection.request(Command.JoinUpload, encodeUploadIdRequest(Command.JoinUpload, uploadId));
  connection.hasOpenFile = true;
}

/** What the server has of a row of chunks; for those that it does not speak of, nothing. */
export async function uploadChunks(connection: Connection, range: ChunkRange): Promise<ChunkEntry[]> {
  const text = encodeChunkRangeRequest(Command.UploadChunks, range);
  const { data } = await connection.request(Command.UploadChunks, text);
  return decodeChunkEntries(data).slice(0, range.count);
}

/** Settles when everything that was sent on this connection before has been handled. */
export async function arrival(connection: Connection): Promise<void> {
  await connection.request(Command.Active, requestText(Command.Active));
}

/** Only now the server has the file. @throws {ClientError} with `resultCode` 17 when chunks are missing or damaged */
export async function commitUpload(connection: Connection, request: CommitUploadRequest): Promise<CommittedUpload> {
  const { response } = await connection.request(Command.CommitUpload, encodeCommitUploadRequest(request));
  connection.hasOpenFile = false;
  return decodeCommittedUpload(response);
}

/** Drops what is staged. */
export async function abortUpload(connection: Connection): Promise<void> {
  await connection.request(Command.AbortUpload, requestText(Command.AbortUpload));
  connection.hasOpenFile = false;
}

/** Who asked to be refused does not try again. */
function asRefusal(error: unknown): unknown {
  if (!(error instanceof ClientError) || error.resultCode !== ResultCode.Busy) return error;
  return new ClientError(error.code, error.message, { cause: error, resultCode: error.resultCode });
}
