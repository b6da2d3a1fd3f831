import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/** A directory that may be changed and not read can not be opened, and so not synced. */
const CANNOT_OPEN = new Set(['EACCES', 'EPERM']);
/** File systems, mostly of other machines, that sync no directories. */
const CANNOT_SYNC = new Set(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

/**
 * Puts the names in a directory on the disk, where that can be done at all: on Windows, in a directory that may not be read, and on a file
 * system without such a call it does nothing. A disk that fails does reject.
 */
export async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  let directory: FileHandle;
  try {
    directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    if (CANNOT_OPEN.has(codeOf(error))) return;
    throw error;
  }
  try {
    await directory.sync();
  } catch (error) {
    if (!CANNOT_SYNC.has(codeOf(error))) throw error;
  } finally {
    await directory.close();
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? '';
}
