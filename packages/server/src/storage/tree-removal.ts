import type { DirectoryHandle } from './directory-handle.js';
import { forEachLimited } from './for-each-limited.js';
import type { IsInUse, Removals } from './removals.js';
import { StorageError, systemCodeOf } from './storage-error.js';
import { TreeChangedError, walkTree } from './tree-walk.js';

/** A directory that others keep filling is given up after so many rounds. */
const MAX_ROUNDS = 4;

const MAX_UNLINKS_AT_ONCE = 16;

/**
 * Removes a directory and everything in it; a link is removed, not what it leads to. Before anything is removed the
 * whole tree is searched for files in use. One that is taken into use later stops the removal where it is: it and
 * its directories stay.
 *
 * @throws {StorageError} `ERR_IN_USE`; errors of the system, `ENOENT` and `ENOTDIR` only for `name` itself
 */
export async function removeTree(
  parent: DirectoryHandle,
  name: string,
  removals: Removals,
  isInUse: IsInUse,
): Promise<void> {
  for (let round = 1; round <= MAX_ROUNDS; round += 1) {
    try {
      await using target = await parent.openChild(name);
      await requireUnused(target, isInUse);
      await removeContents(target, removals, isInUse);
      await parent.removeEmptyDirectory(name);
      return;
    } catch (error) {
      const code = systemCodeOf(error);
      // Another removal of the same tree was faster.
      if (code === 'ENOENT' && round > 1) return;
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST' && !(error instanceof TreeChangedError)) throw error;
    }
  }
  throw new StorageError('ERR_IN_USE', 'directory is being written to');
}

function requireUnused(target: DirectoryHandle, isInUse: IsInUse): Promise<void> {
  return walkTree(target, {
    async enter(directory, others) {
      if (others.length === 0) return;
      const key = await directory.readKey();
      const entryKeys = others.map((name) => `${key}/${name}`);
      const isUsed = entryKeys.some((entryKey) => isInUse(entryKey)) || (await isInUse.others?.haveOpen(entryKeys));
      if (isUsed) throw new StorageError('ERR_IN_USE', 'a file in the directory is in use');
    },
  });
}

function removeContents(target: DirectoryHandle, removals: Removals, isInUse: IsInUse): Promise<void> {
  return walkTree(target, {
    async enter(directory, others) {
      if (others.length === 0) return;
      const key = await directory.readKey();
      await forEachLimited(others, MAX_UNLINKS_AT_ONCE, (name) =>
        removals.remove(`${key}/${name}`, isInUse, () => directory.unlink(name)),
      );
    },
    async leave(parent, name) {
      try {
        await parent.removeEmptyDirectory(name);
      } catch (error) {
        // Something new in it keeps the directories above from being removed too: the next round deals with it.
        const code = systemCodeOf(error);
        if (code !== 'ENOENT' && code !== 'ENOTEMPTY' && code !== 'EEXIST' && code !== 'ENOTDIR') throw error;
      }
    },
  });
}
