import type { ContentDigests } from './content-digests.js';
import type { DirectoryTree } from './directory-tree.js';
import type { HeldDirectory } from './held-directory.js';
import type { OpenFiles } from './open-files.js';
import { StorageError } from './storage-error.js';

/** A name in a directory. */
export interface EntryPlace {
  readonly directory: readonly string[];
  readonly name: string;
}

/** What knows files by their names. */
export interface RenamedIn {
  readonly openFiles: OpenFiles;
  readonly digests: ContentDigests;
}

/**
 * Gives a file or a directory another name. Durable when it ends; what is recorded of a file goes with it, as what is recorded of the files in
 * a directory does. Files in a directory may be in use; whoever has one open goes on with it.
 *
 * @param mayReplace whether a file gives way to a file; nothing gives way to a directory
 * @throws {StorageError} `ERR_FILE_NOT_FOUND`; `ERR_DIRECTORY_NOT_FOUND` for one of the directories that the names are in; `ERR_EXISTS`;
 * `ERR_IN_USE` when one of the files is being written; `ERR_NOT_A_FILE` for what is neither file nor directory; `ERR_NAME_INVALID`, also for a
 * directory into itself; `ERR_OTHER_DEVICE`; `ERR_DISK_FULL`; `ERR_IO`
 */
export async function renameEntry(
  known: RenamedIn,
  tree: DirectoryTree,
  from: EntryPlace,
  to: EntryPlace,
  mayReplace: boolean,
): Promise<'file' | 'directory'> {
  await using source = await tree.resolve(from.directory);
  const stats = await source.status(from.name);
  if (!stats.isFile() && !stats.isDirectory()) throw new StorageError('ERR_NOT_A_FILE', 'neither file nor directory');
  const path = [...from.directory, from.name];
  if (stats.isDirectory() && path.every((component, i) => to.directory[i] === component))
    throw new StorageError('ERR_NAME_INVALID', 'a directory cannot go into itself');
  await using target = await tree.resolve(to.directory);
  if (stats.isDirectory()) {
    await tree.moveDirectory(source, from.name, target, to.name);
    return 'directory';
  }
  await renameFile(known, source, from.name, target, to.name, mayReplace);
  return 'file';
}

async function renameFile(
  { openFiles, digests }: RenamedIn,
  source: HeldDirectory,
  name: string,
  target: HeldDirectory,
  newName: string,
  mayReplace: boolean,
): Promise<void> {
  const [oldKey, newKey] = [source.entryKey(name), target.entryKey(newName)];
  if (oldKey === newKey) {
    if (mayReplace) return;
    throw new StorageError('ERR_EXISTS', 'something of this name exists');
  }
  // First this: while the old name is claimed nothing that another process does is waited for, or two renames could wait for each other.
  await openFiles.knownElsewhere(newKey);
  using _old = await openFiles.claimForMoving(oldKey);
  using _new = openFiles.claimForReplacing(newKey);
  const recorded = await digests.lastOf(source.key, name);
  await source.moveFile(name, target, newName, mayReplace);
  // From here on the file has its new name, whatever fails.
  if (recorded) await digests.record(target, [{ name: newName, digest: recorded }], true);
}
