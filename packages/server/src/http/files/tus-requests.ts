import { HttpError } from '../http-error.js';
import { UPLOADS_NAME, urlPathOf } from './file-path.js';
import type { FileRequest } from './file-request.js';
import {
  byteCountOf,
  checksumOf,
  MAX_METADATA_LENGTH,
  OFFSET_OCTET_STREAM,
  parseMetadata,
  requireTusVersion,
} from './tus-headers.js';
import { tusTargetOf } from './tus-target.js';
import type { TusState, TusUploads } from './tus-uploads.js';

/**
 * POST: creates an upload, and with a body takes its first piece.
 *
 * @param directory where the file is to be
 */
export async function createUpload(
  request: FileRequest,
  uploads: TusUploads,
  directory: readonly string[],
): Promise<void> {
  requireTusVersion(request);
  request.requireMayChange();
  if (request.header('upload-defer-length') !== undefined || request.header('upload-concat') !== undefined)
    throw new HttpError(400, 'this server needs to know the length, and does not put uploads together');
  const size = byteCountOf(request, 'upload-length');
  const header = request.header('upload-metadata') ?? '';
  const metadata = parseMetadata(header);
  const id = uploads.newId();
  const { mayReplace, ...target } = tusTargetOf(directory, metadata, id);
  const record = {
    id,
    user: request.userName,
    ...target,
    mayReplace: mayReplace && request.header('if-none-match') !== '*',
    size,
    metadata: header.slice(0, MAX_METADATA_LENGTH),
  };
  const hasPiece = request.header('content-type') === OFFSET_OCTET_STREAM;
  const piece = hasPiece ? { offset: undefined, checksum: checksumOf(request) } : undefined;
  const { response } = request;
  // Also where the first piece fails: the client can go on with what it has created.
  response.setHeader('Location', urlPathOf([UPLOADS_NAME, id]));
  const state = await uploads.create(request, record, piece);
  if (hasPiece) response.setHeader('Upload-Offset', state.offset);
  answer(request, uploads, state, 201);
}

/** HEAD: how far an upload is. */
export async function tellUpload(request: FileRequest, uploads: TusUploads, id: string): Promise<void> {
  requireTusVersion(request);
  const { response } = request;
  response.setHeader('Cache-Control', 'no-store');
  const state = await uploads.status(request, id);
  response.setHeader('Upload-Offset', state.offset);
  response.setHeader('Upload-Length', state.record.size);
  if (state.record.metadata !== '') response.setHeader('Upload-Metadata', state.record.metadata);
  answer(request, uploads, state, 200);
}

/** PATCH: takes a piece. */
export async function addToUpload(request: FileRequest, uploads: TusUploads, id: string): Promise<void> {
  requireTusVersion(request);
  request.requireMayChange();
  if (request.header('content-type') !== OFFSET_OCTET_STREAM)
    throw new HttpError(415, `the content-type of a piece is ${OFFSET_OCTET_STREAM}`);
  const offset = byteCountOf(request, 'upload-offset');
  const state = await uploads.add(request, id, { offset, checksum: checksumOf(request) });
  request.response.setHeader('Upload-Offset', state.offset);
  answer(request, uploads, state, 204);
}

/** DELETE: gives an upload up. */
export async function removeUpload(request: FileRequest, uploads: TusUploads, id: string): Promise<void> {
  requireTusVersion(request);
  request.requireMayChange();
  await uploads.remove(request, id);
  request.response.statusCode = 204;
  request.response.end();
}

function answer({ response }: FileRequest, { expiry }: TusUploads, { isComplete }: TusState, status: number): void {
  if (!isComplete && expiry) response.setHeader('Upload-Expires', expiry.toUTCString());
  response.statusCode = status;
  if (status !== 204) response.setHeader('Content-Length', 0);
  response.end();
}
