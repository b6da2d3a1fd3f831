import { parseDirectoryName, parseFileName, requireComponents } from '../../storage/path-name.js';
import { HttpError } from '../http-error.js';
import { UPLOADS_NAME } from './file-path.js';

/** What an upload by tus becomes. */
export interface TusTarget {
  /** Relative to the root of the user. */
  readonly directory: readonly string[];
  readonly fileName: string;
  readonly mayReplace: boolean;
}

/**
 * Where an upload goes: into the directory of the URL that it was created at; there, into the one that `path` names, and, of a file that its user has
 * dropped with a directory, into that one (`relativePath`, whose last part is the file). Its name is `filename`, or `name`; without either, the id
 * of the upload.
 *
 * @param directory that the URL names
 * @throws {StorageError} `ERR_NAME_INVALID`
 * @throws {HttpError} 400
 */
export function tusTargetOf(
  directory: readonly string[],
  metadata: ReadonlyMap<string, string>,
  id: string,
): TusTarget {
  const fileName = parseFileName(given(metadata, 'filename') ?? given(metadata, 'name') ?? id);
  const path = parseDirectoryName(given(metadata, 'path') ?? '');
  const relativePath = parseDirectoryName((given(metadata, 'relativePath') ?? '').replace(/^\//, '')).slice(0, -1);
  const components = [...directory, ...path, ...relativePath];
  requireComponents(components);
  if ([...components, fileName][0] === UPLOADS_NAME) throw new HttpError(400, `${UPLOADS_NAME} is not for files`);
  const ifExists = given(metadata, 'ifExists') ?? 'replace';
  if (ifExists !== 'replace' && ifExists !== 'fail') throw new HttpError(400, 'ifExists is replace or fail');
  return { directory: components, fileName, mayReplace: ifExists === 'replace' };
}

/** Clients send the text `null`, or nothing, for what they do not have. */
function given(metadata: ReadonlyMap<string, string>, key: string): string | undefined {
  const value = metadata.get(key);
  return value === '' || value === 'null' || value === 'undefined' ? undefined : value;
}
