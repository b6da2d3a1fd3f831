import { join } from 'node:path/posix';
import { type LocalEntry, walkLocalTree } from './local-tree.js';
import type { FileToUpload } from './upload-files.js';

/**
 * The files below a local directory, as they are found. Directories that have none are made as they come; links and what is neither a file nor a
 * directory are left out.
 *
 * @param onSkipped told of what is left out
 * @throws {ClientError} `ERR_LOCAL_FILE` for what cannot be read
 */
export async function* filesOfTree(
  directory: string,
  remoteDirectory: string,
  makeDirectory: (remotePath: string) => Promise<void>,
  signal: AbortSignal,
  onSkipped: ((entry: LocalEntry) => void) | undefined,
): AsyncGenerator<FileToUpload, void, void> {
  /** Those without a file, so far: most get one in the next piece of the walk. */
  const empty = new Set<string>();
  await makeDirectory(remoteDirectory);
  for await (const entries of walkLocalTree(directory, { signal })) {
    for (const { path, relative, kind, error } of entries) {
      if (error) throw error;
      const target = join(remoteDirectory, relative);
      if (kind === 'file') {
        empty.delete(parentOf(relative));
        yield { source: path, target };
      } else if (kind === 'directory') {
        empty.delete(parentOf(relative));
        empty.add(relative);
      }
    }
    for (const entry of entries) if (entry.kind !== 'file' && entry.kind !== 'directory') onSkipped?.(entry);
  }
  for (const relative of empty) await makeDirectory(join(remoteDirectory, relative));
}

/** Of a path that may have none. */
function parentOf(relative: string): string {
  return relative.slice(0, Math.max(0, relative.lastIndexOf('/')));
}
