import assert from 'node:assert/strict';
import type { Dirent } from 'node:fs';
import { DEFAULT_DIRECTORY_ANCHOR, type DirectoryAnchor, DirectoryHandle } from './directory-handle.js';
import { forEachLimited } from './for-each-limited.js';
import { HeldDirectory } from './held-directory.js';
import { listedName, type OnSkipped, sortByCodePoint } from './listed-name.js';
import { isStateDirectory, requireComponents, STATE_DIRECTORY } from './path-name.js';
import { type IsInUse, Removals } from './removals.js';
import { StorageError, storageErrorFrom, systemCodeOf } from './storage-error.js';
import { readTreePart, type TreePart, type TreePartOptions } from './tree-part.js';
import { removeTree } from './tree-removal.js';
import { walkTree } from './tree-walk.js';

/** A regular file as a listing shows it; `size` in bytes. */
export interface ListedFile {
  readonly name: string;
  readonly size: number;
}

export interface DirectoryTreeOptions {
  /**
   * How entries are reached.
   *
   * @default 'descriptor' on Linux, 'path' elsewhere
   */
  readonly anchor?: DirectoryAnchor;
}

const MAX_STATS_AT_ONCE = 64;

/** More bytes of names fit into no packet. */
const MAX_LISTED_NAME_BYTES = 10 << 20;

/** How much one listing may have. */
export interface ListingBounds {
  /** Entries of any kind. @default no limit */
  readonly maxEntries?: number;
  /** Bytes of the names that are listed. @default 10 MiB */
  readonly maxNameBytes?: number;
}

/** Some megabytes at most. When there are more, all are forgotten. */
const MAX_SYNCED_PATHS = 16_384;

let lastId = 0;

/**
 * The directories and files below the server's root, by the only way to them: from the root, which is held open, one
 * component at a time, each opened relative to the one before without following a link. A name is never checked first
 * and used later, so nothing that happens to the disk meanwhile leads out of the root; on systems other than Linux see
 * `DirectoryAnchor`.
 *
 * Components are checked here again, however they came about. The server's own directory in the root is never
 * reached, listed or removed: every method answers `ERR_NAME_INVALID` for it.
 *
 * @see docs/protocol.md, section 6; D26
 */
export class DirectoryTree {
  /** Unique in the process. */
  readonly id = ++lastId;
  readonly #root: DirectoryHandle;
  /** Whether the server's own directory is in it. */
  readonly #isServerRoot: boolean;
  /** Of all trees below one root: whoever removes, and whoever opens, may come by any of them. */
  readonly #removals: Removals;
  /** Directories whose names `resolveOrCreate` has brought to the disk; who makes one anew by another way syncs it. */
  readonly #syncedPaths = new Set<string>();

  private constructor(root: DirectoryHandle, isServerRoot: boolean, removals: Removals) {
    this.#root = root;
    this.#isServerRoot = isServerRoot;
    this.#removals = removals;
  }

  /** @throws {StorageError} `ERR_DIRECTORY_NOT_FOUND`; `ERR_NOT_A_DIRECTORY`; `ERR_IO`, also without `/proc` on Linux */
  static async open(rootPath: string, options: DirectoryTreeOptions = {}): Promise<DirectoryTree> {
    try {
      const root = await DirectoryHandle.open(rootPath, options.anchor ?? DEFAULT_DIRECTORY_ANCHOR);
      try {
        await requireReachable(root);
      } catch (error) {
        await root.close();
        throw error;
      }
      return new DirectoryTree(root, true, new Removals());
    } catch (error) {
      throw storageErrorFrom(error, 'directory');
    }
  }

  /**
   * A tree of what is in a directory of this one, and in no other; the caller closes it. The directory is made if it is missing.
   *
   * @throws {StorageError} as `createDirectory`
   */
  async below(components: readonly string[]): Promise<DirectoryTree> {
    if (components.length > 0) await this.createDirectory([], components);
    const isServerRoot = this.#isServerRoot && components.length === 0;
    return new DirectoryTree(await this.#open(components), isServerRoot, this.#removals);
  }

  /**
   * A directory of the server's own, in its state directory. The caller closes it. To be asked of the tree of the server's root only.
   *
   * @param isMade whether it is made if it is missing, for the owner alone
   * @returns `undefined` if it is missing
   * @throws {StorageError} `ERR_NOT_A_DIRECTORY`; `ERR_DISK_FULL`; `ERR_IO`, also where nothing can be made
   */
  async openOwn(name: string, isMade: true): Promise<DirectoryHandle>;
  async openOwn(name: string, isMade: boolean): Promise<DirectoryHandle | undefined>;
  async openOwn(name: string, isMade: boolean): Promise<DirectoryHandle | undefined> {
    assert(this.#isServerRoot, 'the state directory is in the root of the server');
    try {
      await using state = await openOwn(this.#root, STATE_DIRECTORY, isMade);
      return state && (await openOwn(state, name, isMade));
    } catch (error) {
      throw storageErrorFrom(error, 'directory');
    }
  }

  /** The same for all trees of one directory, as long as it exists. */
  readKey(): Promise<string> {
    return this.#root.readKey();
  }

  /**
   * The length of all regular files but the server's own, in bytes; a file with several names counts for each. Files that come and go meanwhile may count or not.
   *
   * @throws {StorageError} `ERR_IO`
   */
  async measure(): Promise<number> {
    let bytes = 0;
    try {
      await walkTree(this.#root, {
        skips: (name) => this.#isServerRoot && isStateDirectory(name.toString()),
        async enter(directory, others) {
          await forEachLimited(others, MAX_STATS_AT_ONCE, async (name) => {
            const stats = await directory.stat(name).catch(undefinedIfMissing);
            if (stats?.isFile()) bytes += stats.size;
          });
        },
      });
    } catch (error) {
      throw storageErrorFrom(error, 'directory');
    }
    return bytes;
  }

  /** Ends after the operations in progress. Directories that were resolved stay open. */
  close(): Promise<void> {
    return this.#root.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * Opens a directory; the caller closes it.
   *
   * @throws {StorageError} `ERR_NAME_INVALID`; `ERR_DIRECTORY_NOT_FOUND`; `ERR_NOT_A_DIRECTORY`, also for a link; `ERR_IO`
   */
  async resolve(components: readonly string[]): Promise<HeldDirectory> {
    const directory = await this.#open(components);
    return await HeldDirectory.from(directory, this.#removals, this.#isServerRoot && components.length === 0);
  }

  /**
   * As `resolve`; what is missing on the way is made in the same walk. Durable when it ends, also where somebody else, or an earlier run of the
   * server that was killed, has just made a part of it: the first time that a directory is come by, the one that it is in is synced.
   *
   * @throws {StorageError} `ERR_NAME_INVALID`; `ERR_NOT_A_DIRECTORY`, also for a link; `ERR_DISK_FULL`; `ERR_IO`
   */
  async resolveOrCreate(components: readonly string[]): Promise<HeldDirectory> {
    this.#requireAddressable(components);
    let current: DirectoryHandle;
    try {
      current = await this.#root.openChild('.');
      for (const [i, component] of components.entries()) {
        await using parent = current;
        const path = components.slice(0, i + 1).join('/');
        let child = await parent.openChild(component).catch(undefinedIfMissing);
        if (!child) {
          this.#syncedPaths.delete(path);
          await parent.makeDirectory(component).catch(undefinedIfExisting);
          child = await parent.openChild(component);
        }
        current = child;
        if (!this.#syncedPaths.has(path)) await this.#syncName(parent, child, path);
      }
    } catch (error) {
      throw storageErrorFrom(error, 'directory');
    }
    return await HeldDirectory.from(current, this.#removals, this.#isServerRoot && components.length === 0);
  }

  async #syncName(parent: DirectoryHandle, child: DirectoryHandle, path: string): Promise<void> {
    try {
      await parent.sync();
    } catch (error) {
      await child.close();
      throw error;
    }
    if (this.#syncedPaths.size >= MAX_SYNCED_PATHS) this.#syncedPaths.clear();
    this.#syncedPaths.add(path);
  }

  /**
   * The names of the immediate sub-directories, sorted by code point.
   *
   * @throws {StorageError} as `resolve`; `ERR_TOO_MANY_ENTRIES` for more than there may be
   */
  async listDirectories(
    components: readonly string[],
    onSkipped?: OnSkipped,
    bounds: ListingBounds = {},
  ): Promise<string[]> {
    await using directory = await this.#open(components);
    const names = await this.#names(directory, components, onSkipped, bounds, (entry) => entry.isDirectory());
    return sortByCodePoint(names);
  }

  /** The names of entries of one kind, in the order of the disk. */
  async #names(
    directory: DirectoryHandle,
    components: readonly string[],
    onSkipped: OnSkipped | undefined,
    { maxEntries = Number.POSITIVE_INFINITY, maxNameBytes = MAX_LISTED_NAME_BYTES }: ListingBounds,
    isWanted: (entry: Dirent<Buffer>) => boolean,
  ): Promise<string[]> {
    const names: string[] = [];
    let entries = 0;
    let bytes = 0;
    try {
      await directory.scan((entry) => {
        entries += 1;
        if (isWanted(entry)) {
          const name = listedName(entry.name, this.#isServerRoot && components.length === 0, onSkipped);
          if (name !== undefined) names.push(name);
          bytes += entry.name.length;
        }
        if (entries > maxEntries || bytes > maxNameBytes)
          throw new StorageError('ERR_TOO_MANY_ENTRIES', 'listing too large for one packet');
      });
    } catch (error) {
      throw storageErrorFrom(error, 'directory');
    }
    return names;
  }

  /**
   * The regular files of a directory, sorted by code point.
   *
   * @param onFound told of how many bytes the names have, before the files are looked at one by one; what it throws is thrown on
   * @throws {StorageError} as `listDirectories`
   */
  async listFiles(
    components: readonly string[],
    onSkipped?: OnSkipped,
    bounds: ListingBounds = {},
    onFound?: (nameBytes: number) => void,
  ): Promise<ListedFile[]> {
    await using directory = await this.#open(components);
    const names = await this.#names(directory, components, onSkipped, bounds, (entry) => entry.isFile());
    onFound?.(names.reduce((sum, name) => sum + name.length, 0));
    const sizes = new Map<string, number>();
    try {
      await forEachLimited(names, MAX_STATS_AT_ONCE, async (name) => {
        const stats = await directory.stat(name).catch(undefinedIfMissing);
        if (stats?.isFile()) sizes.set(name, stats.size);
      });
    } catch (error) {
      throw storageErrorFrom(error, 'directory');
    }
    return sortByCodePoint(names).flatMap((name) => {
      const size = sizes.get(name);
      return size === undefined ? [] : [{ name, size }];
    });
  }

  /**
   * What is below a directory, a part at a time; see `readTreePart`.
   *
   * @throws {StorageError} as `resolve`, for the directory itself
   */
  async listTree(components: readonly string[], options: TreePartOptions): Promise<TreePart> {
    const top = await this.#open(components);
    const open = (below: readonly string[]): Promise<DirectoryHandle> => this.#open([...components, ...below]);
    const isServerRoot = this.#isServerRoot && components.length === 0;
    return await readTreePart(top, { ...options, open, isServerRoot });
  }

  /**
   * Creates a directory, and those between `parent` and it. One that exists is success. Durable when it ends, also
   * where somebody else has just created a part of it: each directory on the way is synced.
   *
   * @throws {StorageError} `ERR_NAME_INVALID`, also for an empty `name`; `ERR_DIRECTORY_NOT_FOUND` if the parent is
   * missing; `ERR_NOT_A_DIRECTORY` if something else is in the way; `ERR_DISK_FULL`; `ERR_IO`
   */
  async createDirectory(parent: readonly string[], name: readonly string[]): Promise<void> {
    this.#requireTarget(parent, name);
    let current = await this.#open(parent);
    try {
      for (const component of name) {
        await using containing = current;
        await containing.makeDirectory(component).catch(undefinedIfExisting);
        current = await containing.openChild(component);
        try {
          await containing.sync();
        } catch (error) {
          await current.close();
          throw error;
        }
      }
    } catch (error) {
      throw storageErrorFrom(error, 'directory');
    }
    await current.close();
  }

  /**
   * Removes a directory and everything in it; links are removed, not followed. Durable when it ends. A failure in the
   * middle leaves what was not removed yet.
   *
   * @param isInUse asked for every file of the tree before anything is removed, and for each again as it is removed
   * @throws {StorageError} `ERR_NAME_INVALID`, also for an empty `name`; `ERR_DIRECTORY_NOT_FOUND`, with `missing`
   * saying which one; `ERR_NOT_A_DIRECTORY`; `ERR_IN_USE`; `ERR_IO`
   */
  async removeDirectory(parent: readonly string[], name: readonly string[], isInUse: IsInUse): Promise<void> {
    this.#requireTarget(parent, name);
    await using start = await this.#open(parent).catch((error: unknown) => {
      throw withMissing(error, 'parent');
    });
    try {
      await using containing = await descend(start, name.slice(0, -1));
      await removeTree(containing, name.at(-1)!, this.#removals, isInUse);
      await containing.sync();
    } catch (error) {
      throw withMissing(error, 'target');
    }
  }

  /**
   * Removes a file, or a link itself. One that is missing is success. Not durable by itself: after a loss of power the
   * file may be there again, until something in the directory is synced. Syncing each of many removals would cost
   * more than it is worth: a file that is back is seen, and lost content is not at stake.
   *
   * @throws {StorageError} `ERR_NAME_INVALID`; `ERR_DIRECTORY_NOT_FOUND` and `ERR_NOT_A_DIRECTORY` for the directory;
   * `ERR_NOT_A_FILE` if it is a directory; `ERR_IN_USE`; `ERR_IO`
   */
  async removeFile(directory: readonly string[], name: string, isInUse: IsInUse): Promise<void> {
    this.#requireTarget(directory, [name]);
    await using containing = await this.#open(directory);
    try {
      const key = await containing.readKey();
      await this.#removals.remove(`${key}/${name}`, isInUse, () => containing.unlink(name));
    } catch (error) {
      // Systems disagree on what unlinking a directory answers: EISDIR or EPERM.
      const stats = systemCodeOf(error) === 'EPERM' ? await containing.stat(name).catch(undefinedIfMissing) : undefined;
      if (stats?.isDirectory()) throw new StorageError('ERR_NOT_A_FILE', 'not a file', { cause: error });
      throw storageErrorFrom(error, 'file');
    }
  }

  /**
   * Gives a directory that is held in `source` a name in `target`; see `HeldDirectory.moveDirectory`.
   *
   * @throws {StorageError} as that
   */
  async moveDirectory(source: HeldDirectory, name: string, target: HeldDirectory, newName: string): Promise<void> {
    await source.moveDirectory(name, target, newName);
    this.#syncedPaths.clear(); // paths lead to other directories now
  }

  #requireTarget(parent: readonly string[], name: readonly string[]): void {
    if (name.length === 0) throw new StorageError('ERR_NAME_INVALID', 'empty name');
    this.#requireAddressable([...parent, ...name]);
  }

  #requireAddressable(components: readonly string[]): void {
    requireComponents(components);
    const [first] = components;
    if (this.#isServerRoot && first !== undefined && isStateDirectory(first))
      throw new StorageError('ERR_NAME_INVALID', 'reserved name');
  }

  async #open(components: readonly string[]): Promise<DirectoryHandle> {
    this.#requireAddressable(components);
    try {
      return await descend(this.#root, components);
    } catch (error) {
      throw storageErrorFrom(error, 'directory');
    }
  }
}

/** For the owner alone. */
const OWN_DIRECTORY_MODE = 0o700;

async function openOwn(parent: DirectoryHandle, name: string, isMade: boolean): Promise<DirectoryHandle | undefined> {
  const found = await parent.openChild(name).catch(undefinedIfMissing);
  if (found || !isMade) return found;
  await parent.makeDirectory(name, OWN_DIRECTORY_MODE).catch(undefinedIfExisting);
  await parent.sync();
  return await parent.openChild(name);
}

/** A new handle, also for no components. */
async function descend(start: DirectoryHandle, components: readonly string[]): Promise<DirectoryHandle> {
  let current = await start.openChild(components[0] ?? '.');
  for (const component of components.slice(1)) {
    await using parent = current;
    current = await parent.openChild(component);
  }
  return current;
}

/** Asked once at the start, so that a missing `/proc` is not taken for missing files later. */
async function requireReachable(root: DirectoryHandle): Promise<void> {
  try {
    await using again = await root.openChild('.');
    if ((await again.readKey()) === (await root.readKey())) return;
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') throw error;
  }
  throw new StorageError('ERR_IO', 'the root cannot be reached through /proc/self/fd; is /proc mounted?');
}

function withMissing(error: unknown, missing: 'parent' | 'target'): StorageError {
  const storageError = storageErrorFrom(error, 'directory');
  if (storageError.code !== 'ERR_DIRECTORY_NOT_FOUND') return storageError;
  return new StorageError('ERR_DIRECTORY_NOT_FOUND', `${missing} directory not found`, {
    cause: storageError.cause,
    missing,
  });
}

function undefinedIfMissing(error: unknown): undefined {
  if (systemCodeOf(error) !== 'ENOENT') throw error;
}

function undefinedIfExisting(error: unknown): undefined {
  if (systemCodeOf(error) !== 'EEXIST') throw error;
}
