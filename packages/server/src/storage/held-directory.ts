import { type BigIntStats, constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import type { DirectoryHandle } from './directory-handle.js';
import { isStateDirectory, requireComponent } from './path-name.js';
import type { Removals } from './removals.js';
import { StorageError, type StorageSubject, storageErrorFrom, systemCodeOf } from './storage-error.js';

/** `read`: an existing file, read-only. `append`: to read and write; created if missing, never truncated. */
export type FileAccess = 'read' | 'append';

/** A regular file that was just opened. Whoever asked for it owns the handle, and closes it. */
export interface OpenedFile {
  readonly handle: FileHandle;
  /** Length in bytes when it was opened. */
  readonly size: number;
  /** `st_dev`: the device that the file is on. */
  readonly device: number;
}

/** Somebody else may make and remove the file while it is opened; nobody does so for ever. */
const MAX_OPEN_ATTEMPTS = 16;

/**
 * A directory that `DirectoryTree.resolve` found, held by a descriptor until `close()`. It stays the same directory
 * whatever is renamed meanwhile, and nothing done here follows a link.
 */
export class HeldDirectory {
  readonly #directory: DirectoryHandle;
  readonly #removals: Removals;
  readonly #isRoot: boolean;
  /** `dev:ino`: the same for all names and handles of this directory. */
  readonly key: string;

  private constructor(directory: DirectoryHandle, removals: Removals, isRoot: boolean, key: string) {
    this.#directory = directory;
    this.#removals = removals;
    this.#isRoot = isRoot;
    this.key = key;
  }

  /** Takes the handle over: it is closed with the result, or here if this fails. */
  static async from(directory: DirectoryHandle, removals: Removals, isRoot: boolean): Promise<HeldDirectory> {
    try {
      return new HeldDirectory(directory, removals, isRoot, await directory.readKey());
    } catch (error) {
      await directory.close();
      throw storageErrorFrom(error, 'directory');
    }
  }

  /** The identity of an entry in the table of open files: `dev:ino/name`. The entry need not exist. */
  entryKey(name: string): string {
    return `${this.key}/${name}`;
  }

  /**
   * Opens a regular file; anything else is not opened. Claim the file in the table of open files first: then it cannot
   * be removed by this server between the opening and the claim.
   *
   * @throws {StorageError} `ERR_NAME_INVALID`; `ERR_NOT_A_FILE`; `ERR_FILE_NOT_FOUND` (`read`);
   * `ERR_DIRECTORY_NOT_FOUND` if this directory has been removed (`append`); `ERR_DISK_FULL`; `ERR_IO`
   */
  async openFile(name: string, access: FileAccess): Promise<OpenedFile> {
    this.#requireName(name);
    await this.#removals.settled(this.entryKey(name));
    return access === 'read' ? await this.#openExisting(name, constants.O_RDONLY) : await this.#openOrCreate(name);
  }

  /**
   * What an entry is, or without a name this directory. A link is not followed.
   *
   * @throws {StorageError} `ERR_NAME_INVALID`; `ERR_FILE_NOT_FOUND`; `ERR_IO`
   */
  async status(name?: string): Promise<BigIntStats> {
    if (name !== undefined) this.#requireName(name);
    try {
      return await this.#directory.statExactly(name ?? '.');
    } catch (error) {
      throw storageErrorFrom(error, 'file');
    }
  }

  /** The names of all entries, those that are no UTF-8 with U+FFFD in them. @throws {StorageError} `ERR_IO` */
  async names(): Promise<Set<string>> {
    try {
      return new Set((await this.#directory.list()).map((entry) => entry.name.toString()));
    } catch (error) {
      throw storageErrorFrom(error, 'directory');
    }
  }

  /**
   * Gives a complete file of another directory a name here, at once: whoever opens the name finds what was there before, or all of the new file.
   *
   * @param mayReplace whether a file that has the name gives way
   * @throws {StorageError} `ERR_EXISTS`; `ERR_NOT_A_FILE` when something else has the name; `ERR_NAME_INVALID`;
   * `ERR_DIRECTORY_NOT_FOUND`; `ERR_DISK_FULL`; `ERR_IO`
   */
  async adopt(from: DirectoryHandle, fromName: string, name: string, mayReplace: boolean): Promise<void> {
    this.#requireName(name);
    await this.#removals.settled(this.entryKey(name));
    try {
      const existing = await this.#directory.stat(name).catch(undefinedIfMissing);
      if (existing && !existing.isFile()) throw new StorageError('ERR_NOT_A_FILE', 'not a file');
      if (mayReplace) {
        await from.renameTo(fromName, this.#directory, name);
        return;
      }
      await from.linkTo(fromName, this.#directory, name);
      await from.unlink(fromName);
    } catch (error) {
      if (systemCodeOf(error) === 'EEXIST')
        throw new StorageError('ERR_EXISTS', 'a file of this name exists', { cause: error });
      throw storageErrorFrom(error, 'directory');
    }
  }

  /**
   * Gives a file of this directory a name in another one, or another one here, at once. Durable when it ends. Both names must be claimed.
   *
   * Without replacing, no moment lies between the question whether the name is free and taking it; after a crash in the middle the file may
   * have both names.
   *
   * @param mayReplace whether a file that has the name gives way
   * @throws {StorageError} `ERR_EXISTS`; `ERR_NOT_A_FILE` when something else has the name that may be replaced; `ERR_FILE_NOT_FOUND`;
   * `ERR_NAME_INVALID`; `ERR_OTHER_DEVICE`; `ERR_DISK_FULL`; `ERR_IO`
   */
  async moveFile(name: string, target: HeldDirectory, newName: string, mayReplace: boolean): Promise<void> {
    this.#requireName(name);
    target.#requireName(newName);
    await this.#removals.settled(this.entryKey(name));
    await target.#removals.settled(target.entryKey(newName));
    try {
      const stats = await this.#directory.statExactly(name);
      const existing = await target.#directory.statExactly(newName).catch(undefinedIfMissing);
      if (existing && mayReplace && !existing.isFile()) throw new StorageError('ERR_NOT_A_FILE', 'not a file');
      const isSame = existing?.dev === stats.dev && existing.ino === stats.ino;
      // Without a second name it is the same one in another spelling, where the file system does not tell them apart.
      if (mayReplace || (isSame && stats.nlink === 1n)) {
        await this.#directory.renameTo(name, target.#directory, newName);
        // Two names of one file: the system leaves both.
        if (isSame && (await this.names()).has(name)) await this.#directory.unlink(name);
        await target.#directory.sync();
      } else {
        await this.#directory.linkTo(name, target.#directory, newName);
        await target.#directory.sync(); // before the old name goes: at no time is the disk without one
        await this.#directory.unlink(name).catch(undefinedIfMissing);
      }
      await this.#directory.sync();
    } catch (error) {
      throw moveError(error, 'file');
    }
  }

  /**
   * As `moveFile`, for a directory with all that is in it; nothing gives way to it. What takes the name first is an empty directory, which
   * stays after a crash in the middle.
   *
   * @throws {StorageError} `ERR_EXISTS`; `ERR_DIRECTORY_NOT_FOUND`; `ERR_NAME_INVALID`, also into itself; `ERR_OTHER_DEVICE`; `ERR_DISK_FULL`; `ERR_IO`
   */
  async moveDirectory(name: string, target: HeldDirectory, newName: string): Promise<void> {
    this.#requireName(name);
    target.#requireName(newName);
    try {
      // Renaming replaces an empty directory, and no call that Node has refuses to: so it may replace this one, and none with something in it.
      await target.#directory.makeDirectory(newName);
      try {
        await this.#directory.renameTo(name, target.#directory, newName);
      } catch (error) {
        await target.#directory.removeEmptyDirectory(newName).catch(() => {});
        throw error;
      }
      await target.#directory.sync();
      await this.#directory.sync();
    } catch (error) {
      throw moveError(error, 'directory');
    }
  }

  /**
   * Where calls of the system reach a file of this directory, from any thread, until `close()`; no link leads to it or from it unless the name
   * itself is one.
   *
   * @returns a promise while somebody removes a file of that name: to be waited for, with the name claimed
   * @throws {StorageError} `ERR_NAME_INVALID`; `ERR_IO` where there is no such path
   */
  pathOf(name: string): { readonly path: string; readonly settled: Promise<void> | undefined } {
    this.#requireName(name);
    const prefix = this.#directory.entryPrefix;
    if (prefix === undefined) throw new StorageError('ERR_IO', 'directory without a usable path');
    const key = this.entryKey(name);
    return {
      path: `${prefix}/${name}`,
      settled: this.#removals.isPending(key) ? this.#removals.settled(key) : undefined,
    };
  }

  /**
   * Makes the directory's entries durable: files created, renamed or removed in it.
   *
   * @throws {StorageError} `ERR_DISK_FULL`; `ERR_IO`
   */
  async sync(): Promise<void> {
    try {
      await this.#directory.sync();
    } catch (error) {
      throw storageErrorFrom(error, 'directory');
    }
  }

  /** Ends after the operations in progress. Files that were opened stay open. */
  close(): Promise<void> {
    return this.#directory.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #openOrCreate(name: string): Promise<OpenedFile> {
    for (let attempt = 1; attempt <= MAX_OPEN_ATTEMPTS; attempt += 1) {
      try {
        return await this.#openExisting(name, constants.O_RDWR);
      } catch (error) {
        if (!(error instanceof StorageError) || error.code !== 'ERR_FILE_NOT_FOUND') throw error;
      }
      try {
        const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;
        return await inspect(await this.#directory.openFile(name, flags));
      } catch (error) {
        // `ENOENT` for a file that would be created: it is the directory that is gone.
        if (systemCodeOf(error) === 'ENOENT') throw storageErrorFrom(error, 'directory');
        if (systemCodeOf(error) !== 'EEXIST') throw storageErrorFrom(error, 'file');
      }
    }
    throw new StorageError('ERR_IO', `file came and went ${MAX_OPEN_ATTEMPTS} times`);
  }

  async #openExisting(name: string, flags: number): Promise<OpenedFile> {
    try {
      // Looked at before: opening alone can already start something in a device, or wake the writer of a FIFO.
      const stats = await this.#directory.stat(name);
      if (!stats.isFile()) throw new StorageError('ERR_NOT_A_FILE', 'not a file');
      return await inspect(await this.#directory.openFile(name, flags));
    } catch (error) {
      throw storageErrorFrom(error, 'file');
    }
  }

  #requireName(name: string): void {
    requireComponent(name);
    if (this.#isRoot && isStateDirectory(name)) throw new StorageError('ERR_NAME_INVALID', 'reserved name');
  }
}

function moveError(error: unknown, subject: StorageSubject): StorageError {
  switch (systemCodeOf(error)) {
    case 'EEXIST':
    case 'ENOTEMPTY':
      return new StorageError('ERR_EXISTS', 'something of this name exists', { cause: error });
    case 'EINVAL':
      return new StorageError('ERR_NAME_INVALID', 'a directory cannot go into itself', { cause: error });
    case 'EXDEV':
      return new StorageError('ERR_OTHER_DEVICE', 'the two names are on different file systems', { cause: error });
    default:
      return storageErrorFrom(error, subject);
  }
}

function undefinedIfMissing(error: unknown): undefined {
  if (systemCodeOf(error) !== 'ENOENT') throw error;
}

/** Looked at again, through the handle: in between, the name may have become another file's. */
async function inspect(handle: FileHandle): Promise<OpenedFile> {
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw new StorageError('ERR_NOT_A_FILE', 'not a file');
    return { handle, size: stats.size, device: stats.dev };
  } catch (error) {
    await handle.close();
    throw error;
  }
}
