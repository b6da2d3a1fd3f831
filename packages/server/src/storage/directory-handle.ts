import { type BigIntStats, constants, type Dirent, type Stats } from 'node:fs';
import {
  type FileHandle,
  link,
  lstat,
  mkdir,
  open,
  opendir,
  readdir,
  realpath,
  rename,
  rmdir,
  statfs,
  unlink,
} from 'node:fs/promises';
import { diskTurn } from '@sluice/files';
import { StorageError, systemCodeOf } from './storage-error.js';

/**
 * How an entry of a held directory is reached. `descriptor`: through `/proc/self/fd`, so whatever happens to the
 * directory's path, the entry is one of this very directory. `path`: by the directory's real path, for systems without
 * `/proc/self/fd`; there, someone with access to the disk who swaps a directory for a link at the right moment can
 * lead an operation out of the root. A peer cannot: no operation of ours makes links.
 */
export type DirectoryAnchor = 'descriptor' | 'path';

/** What systems with `/proc/self/fd` do, and what the others do. */
export const DEFAULT_DIRECTORY_ANCHOR: DirectoryAnchor = process.platform === 'linux' ? 'descriptor' : 'path';

/** One name as the disk has it: bytes where it may be no valid UTF-8. */
export type EntryName = string | Buffer;

const OPEN_DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY;

/** Entries that are asked of the system at once. */
const SCANNED_AT_ONCE = 256;

/**
 * A directory held open, and the operations on its entries, of which none follows a link. Names are not checked: each
 * must be one component. Failures are the system's errors.
 */
export class DirectoryHandle {
  readonly #file: FileHandle;
  readonly #anchor: DirectoryAnchor;
  readonly #realPath: EntryName;
  #operations = 0;
  #onIdle: (() => void) | undefined;
  #closed: Promise<void> | undefined;

  private constructor(file: FileHandle, anchor: DirectoryAnchor, realPath: EntryName) {
    this.#file = file;
    this.#anchor = anchor;
    this.#realPath = realPath;
  }

  /** Opens a directory by its path. This one call follows links: the path is the operator's. */
  static async open(path: string, anchor: DirectoryAnchor): Promise<DirectoryHandle> {
    const realPath = await realpath(path);
    return new DirectoryHandle(await open(realPath, OPEN_DIRECTORY), anchor, realPath);
  }

  /** `dev:ino`, the same for every handle of this directory while it exists. */
  async readKey(): Promise<string> {
    const { dev, ino } = await this.#use(() => this.#file.stat({ bigint: true }));
    return `${dev}:${ino}`;
  }

  /** A sub-directory; `.` for another handle of this directory. `ENOTDIR` or `ELOOP` if it is a link. */
  async openChild(name: EntryName): Promise<DirectoryHandle> {
    const file = await this.#use(() => open(this.#pathOf(name), OPEN_DIRECTORY | constants.O_NOFOLLOW));
    return new DirectoryHandle(file, this.#anchor, name === '.' ? this.#realPath : join(this.#realPath, name));
  }

  /** `flags` get `O_NOFOLLOW`, and `O_NONBLOCK` so that opening a FIFO cannot hang. `mode` is that of a file which is made. */
  openFile(name: EntryName, flags: number, mode?: number): Promise<FileHandle> {
    return this.#use(() => open(this.#pathOf(name), flags | constants.O_NOFOLLOW | constants.O_NONBLOCK, mode));
  }

  stat(name: EntryName): Promise<Stats> {
    return this.#use(() => lstat(this.#pathOf(name)));
  }

  /** As `stat`, with times to the nanosecond; `.` for this directory. */
  statExactly(name: EntryName): Promise<BigIntStats> {
    return this.#use(() => lstat(this.#pathOf(name), { bigint: true }));
  }

  /** All entries but `.` and `..`, in the order of the disk. */
  list(): Promise<Dirent<Buffer>[]> {
    return this.#use(() => readdir(this.#pathOf('.'), { encoding: 'buffer', withFileTypes: true }));
  }

  /** As `list`, one entry after the other, so that a large directory is not in memory as a whole. What `visit` throws ends it. */
  async scan(visit: (entry: Dirent<Buffer>) => void): Promise<void> {
    await this.#use(async () => {
      const entries = await opendir(this.#pathOf('.'), { encoding: 'buffer' as 'utf8', bufferSize: SCANNED_AT_ONCE });
      for await (const entry of entries) visit(entry as unknown as Dirent<Buffer>);
    });
  }

  async makeDirectory(name: EntryName, mode?: number): Promise<void> {
    await this.#use(() => mkdir(this.#pathOf(name), mode));
  }

  /** Within this directory; what has the new name is replaced. */
  rename(name: EntryName, newName: EntryName): Promise<void> {
    return this.#use(() => rename(this.#pathOf(name), this.#pathOf(newName)));
  }

  unlink(name: EntryName): Promise<void> {
    return this.#use(() => unlink(this.#pathOf(name)));
  }

  /** Gives an entry of this directory the place of `newName` in another one, at once and whatever is there. `EXDEV` across file systems. */
  renameTo(name: EntryName, directory: DirectoryHandle, newName: EntryName): Promise<void> {
    return this.#use(() => directory.#use(() => rename(this.#pathOf(name), directory.#pathOf(newName))));
  }

  /** A second name for a file. `EEXIST` when there is something already. */
  linkTo(name: EntryName, directory: DirectoryHandle, newName: EntryName): Promise<void> {
    return this.#use(() => directory.#use(() => link(this.#pathOf(name), directory.#pathOf(newName))));
  }

  /** What is free on the directory's file system, for who is not root, and how large it is; in bytes. */
  async freeSpace(): Promise<{ readonly freeBytes: number; readonly totalBytes: number }> {
    const { bavail, blocks, bsize } = await this.#use(() => statfs(this.#pathOf('.')));
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  }

  removeEmptyDirectory(name: EntryName): Promise<void> {
    return this.#use(() => rmdir(this.#pathOf(name)));
  }

  /**
   * A text that, in front of the name of an entry and with a slash between, reaches it by calls of the system from any thread, as long as this
   * handle is open. `undefined` where there is none: by `path`, below a directory whose name is no UTF-8.
   */
  get entryPrefix(): string | undefined {
    if (this.#closed) throw new StorageError('ERR_IO', 'directory is closed');
    const prefix = this.#prefix;
    return typeof prefix === 'string' ? prefix : undefined;
  }

  /** Brings the directory's entries to the disk, where the file system can do that for directories. */
  async sync(): Promise<void> {
    try {
      await this.#use(() => diskTurn(() => this.#file.sync()));
    } catch (error) {
      const code = systemCodeOf(error);
      if (code !== 'EINVAL' && code !== 'ENOTSUP') throw error;
    }
  }

  /** Ends after the operations in progress: they name the descriptor, and its number must not be another file's by then. */
  close(): Promise<void> {
    this.#closed ??= this.#closeWhenIdle();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #closeWhenIdle(): Promise<void> {
    if (this.#operations > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    await this.#file.close();
  }

  async #use<T>(operation: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new StorageError('ERR_IO', 'directory is closed');
    this.#operations += 1;
    try {
      return await operation();
    } finally {
      this.#operations -= 1;
      if (this.#operations === 0) this.#onIdle?.();
    }
  }

  get #prefix(): EntryName {
    return this.#anchor === 'descriptor' ? `/proc/self/fd/${this.#file.fd}` : this.#realPath;
  }

  #pathOf(name: EntryName): EntryName {
    return join(this.#prefix, name);
  }
}

function join(directory: EntryName, name: EntryName): EntryName {
  if (typeof directory === 'string' && typeof name === 'string') return `${directory}/${name}`;
  return Buffer.concat([bytesOf(directory), bytesOf('/'), bytesOf(name)]);
}

function bytesOf(name: EntryName): Buffer {
  return typeof name === 'string' ? Buffer.from(name) : name;
}
