import { parseFileName } from '../../storage/path-name.js';
import { HttpError } from '../http-error.js';

/** Where the files are, in all URLs. */
export const FILES_PATH = '/files/';

/** Uploads by tus have their URLs here; a directory of this name in a user's root cannot be reached by HTTP. docs/http.md. */
export const UPLOADS_NAME = '.uploads';

/** What a URL names. */
export interface FilePath {
  /** Relative to the root of the user. */
  readonly components: readonly string[];
  /** Whether it ends with a slash, as the root does. */
  readonly isDirectory: boolean;
}

/**
 * @param pathname of a URL, `/files/...`
 * @throws {HttpError} 400 for what cannot be decoded
 * @throws {StorageError} `ERR_NAME_INVALID`
 */
export function parseFilePath(pathname: string): FilePath {
  const rest = pathname.slice(FILES_PATH.length);
  if (rest === '') return { components: [], isDirectory: true };
  const isDirectory = rest.endsWith('/');
  const encoded = (isDirectory ? rest.slice(0, -1) : rest).split('/');
  return { components: encoded.map(decodeComponent).map(parseFileName), isDirectory };
}

/** The URL path of a file. */
export function urlPathOf(components: readonly string[]): string {
  return FILES_PATH + components.map(encodeURIComponent).join('/');
}

function decodeComponent(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new HttpError(400, 'the path is not encoded as UTF-8');
  }
}
