import { ClientError } from './errors.js';

/** A path on the server, as the protocol wants it. */
export interface RemotePath {
  /** Directories with `/` between them; empty for the root. */
  readonly dirName: string;
  /** Never empty. */
  readonly fileName: string;
}

/** @throws {ClientError} `ERR_URL` when the path names no file, or cannot be sent */
export function parseRemotePath(path: string): RemotePath {
  const clean = directoryPath(path);
  if (clean === '' || path.endsWith('/')) throw new ClientError('ERR_URL', `${JSON.stringify(path)} names no file`);
  const slash = clean.lastIndexOf('/');
  return { dirName: slash < 0 ? '' : clean.slice(0, slash), fileName: clean.slice(slash + 1) };
}

/** The path without empty components; empty for the root. @throws {ClientError} `ERR_URL` when it cannot be sent */
export function directoryPath(path: string): string {
  if (/[\r\n\0]/.test(path)) {
    throw new ClientError(
      'ERR_URL',
      `${JSON.stringify(path)} contains a line break or a NUL, which the protocol cannot carry`,
    );
  }
  return path
    .split('/')
    .filter((name) => name !== '')
    .join('/');
}
