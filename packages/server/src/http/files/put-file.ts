import type { ExistingFile } from '../../storage/existing-file.js';
import { StorageError } from '../../storage/storage-error.js';
import { HttpError } from '../http-error.js';
import { type Conditions, evaluate } from './entity-tag.js';
import { fileAt } from './file-at.js';
import type { FileRequest } from './file-request.js';
import type { FilesParts } from './files-parts.js';
import { HttpUpload } from './http-upload.js';
import { receiveBody } from './request-body.js';
import { contentDigestOf, type ExpectedChecksum } from './tus-headers.js';

/** PUT of a file: it has its name when all of it is there, or not at all. */
export async function putFile(request: FileRequest, parts: FilesParts, components: readonly string[]): Promise<void> {
  request.requireMayChange();
  if (request.header('content-range') !== undefined) throw new HttpError(400, 'a file is put whole; parts go by tus');
  if ((request.header('content-encoding') ?? 'identity') !== 'identity')
    throw new HttpError(415, 'a file is put as it is, without an encoding');
  const [directory, fileName] = [components.slice(0, -1), components.at(-1)!];
  const size = sizeOf(request);
  const checksum = contentDigestOf(request);
  const conditions = conditionsOf(request);
  requireFulfilled(conditions, await fileAt(request, parts, components));
  const { files } = parts;
  const name = components.join('/');
  await files.hooks.before(request, [{ name, ...(size !== undefined && { size }) }]);

  const target = { directory, fileName, size, sourceId: undefined };
  const upload = await HttpUpload.open(parts, request, target, NOT_TAKEN_OVER, request.gone);
  let takenBytes = 0;
  try {
    request.log.info('upload begins', { file: name, from: 0, size });
    takenBytes = await receive(request, upload, checksum);
    let isNew = true;
    const digest = await upload.publish(request, {
      mayReplace: conditions.ifNoneMatch?.trim() !== '*',
      check: (replaced) => {
        requireFulfilled(conditions, replaced);
        isNew = replaced === undefined;
      },
    });
    const { response } = request;
    response.setHeader('ETag', `"${digest}"`);
    response.setHeader('Sluice-Durability', parts.durability);
    response.statusCode = isNew ? 201 : 204;
    if (isNew) response.setHeader('Content-Length', 0);
    response.end();
  } catch (error) {
    await upload.drop();
    request.principal.quota?.add(-takenBytes);
    request.log.info('upload broken off', { file: name });
    files.hooks.failed(request, [{ name, ...(size !== undefined && { size }) }], 'broken off');
    throw error;
  }
}

/** What cannot be found again is never taken over. */
const NOT_TAKEN_OVER = { takeOver: () => Promise.resolve() };

/**
 * @returns bytes taken from the quota on the way: of what was not declared
 * @throws {HttpError} 400 for a body that is not complete, or another one; {StorageError}
 */
async function receive(
  request: FileRequest,
  { place, target }: HttpUpload,
  checksum: ExpectedChecksum | undefined,
): Promise<number> {
  const { memory, principal, gone } = request;
  const quota = target.size === undefined ? principal.quota : undefined;
  let takenBytes = 0;
  const write = (bytes: Buffer, hasRoom: boolean): void | Promise<void> => {
    if (!hasRoom) throw new StorageError('ERR_QUOTA', 'the quota does not have room for more');
    if (quota) takenBytes += bytes.length;
    checksum?.update(bytes);
    return place.write(bytes);
  };
  const take = (bytes: Buffer): void | Promise<void> => {
    const hasRoom = quota?.take(bytes.length) ?? true;
    const pending =
      typeof hasRoom === 'boolean' ? write(bytes, hasRoom) : hasRoom.then((isThere) => write(bytes, isThere));
    if (!pending) return;
    const held = memory.hold(bytes.length);
    return pending.finally(() => held[Symbol.dispose]());
  };
  place.begin(false);
  memory.isFeeding = true;
  try {
    const end = await receiveBody(request.request.message, take, gone, request.bodyGate);
    gone.throwIfAborted();
    if (end === 'broken') throw new HttpError(400, 'the body is not complete');
    if (checksum && !checksum.isRight) throw new HttpError(400, 'the content-digest is another');
    place.keep();
    return takenBytes;
  } catch (error) {
    quota?.add(-takenBytes);
    throw error;
  } finally {
    memory.isFeeding = false;
  }
}

/** `undefined` for a body whose length is known at its end only. @throws {HttpError} 400 */
function sizeOf(request: FileRequest): number | undefined {
  const length = request.header('content-length');
  if (length !== undefined) return Number(length);
  if (request.header('transfer-encoding') !== undefined) return undefined;
  return 0;
}

function conditionsOf(request: FileRequest): Conditions {
  return {
    ifMatch: request.header('if-match'),
    ifNoneMatch: request.header('if-none-match'),
    ifModifiedSince: undefined,
    ifUnmodifiedSince: request.header('if-unmodified-since'),
  };
}

/** @throws {HttpError} 412 */
function requireFulfilled(conditions: Conditions, existing: ExistingFile | undefined): void {
  if (evaluate(conditions, existing, false) === 'failed')
    throw new HttpError(412, 'what is there is not what it should be');
}
