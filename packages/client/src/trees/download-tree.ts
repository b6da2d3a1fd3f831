import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { localFileError } from '../local-errors.js';
import type { FileToDownload } from './download-files.js';
import type { TreeEntry } from './remote-tree.js';

/**
 * The files of a listing as downloads into a local directory; directories are made as they come.
 *
 * @param onSkipped told of what is left out: what is neither a file nor a directory, and what has a problem
 * @throws {ClientError} `ERR_LOCAL_FILE` when a directory cannot be made
 */
export async function* filesOfListing(
  entries: AsyncIterable<TreeEntry>,
  remoteDirectory: string,
  directory: string,
  onSkipped: ((entry: TreeEntry) => void) | undefined,
): AsyncGenerator<FileToDownload, void, void> {
  makeDirectory(directory);
  for await (const entry of entries) {
    const target = join(directory, entry.path);
    if (entry.problem !== undefined || entry.kind === 'other') onSkipped?.(entry);
    else if (entry.kind === 'directory') makeDirectory(target);
    else {
      const source = remoteDirectory === '' ? entry.path : `${remoteDirectory}/${entry.path}`;
      yield { source, target, ...(entry.size !== undefined && { size: entry.size }) };
    }
  }
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    throw localFileError('make the directory', path, error);
  }
}
