import { HttpError } from '../http-error.js';
import { evaluate } from './entity-tag.js';
import { fileAt } from './file-at.js';
import type { FileRequest } from './file-request.js';
import type { FilesParts } from './files-parts.js';

/** DELETE of a file. A directory is not removed by HTTP. */
export async function deleteFile(
  request: FileRequest,
  parts: FilesParts,
  components: readonly string[],
): Promise<void> {
  request.requireMayChange();
  const existing = await fileAt(request, parts, components);
  const conditions = {
    ifMatch: request.header('if-match'),
    ifNoneMatch: undefined,
    ifModifiedSince: undefined,
    ifUnmodifiedSince: request.header('if-unmodified-since'),
  };
  if (evaluate(conditions, existing, false) === 'failed')
    throw new HttpError(412, 'what is there is not what it should be');
  if (!existing) throw new HttpError(404, 'file not found');
  const { descriptors, openFiles } = parts.files;
  const [directory, fileName] = [components.slice(0, -1), components.at(-1)!];
  await descriptors.walk(() => request.principal.tree.removeFile(directory, fileName, openFiles.isInUse), request.gone);
  request.log.info('file removed', { directory: directory.join('/'), file: fileName });
  request.response.statusCode = 204;
  request.response.end();
}
