import { type BigIntStats, readSync, writeSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { diskTurn, type IoPace, paceOfDevice } from '@sluice/files';
import { FileMode, RequestError, ResultCode } from '@sluice/wire';
import type { DirectoryTree } from '../storage/directory-tree.js';
import type { OpenedFile } from '../storage/held-directory.js';
import type { ReadClaim, WriteClaim } from '../storage/open-files.js';
import type { parseFilePath } from '../storage/path-name.js';
import { StorageError, storageErrorFrom, systemCodeOf } from '../storage/storage-error.js';
import { fileNotFound } from './file-not-found.js';
import type { SharedFiles } from './shared-files.js';

/** Most bytes that are read or written on the event loop in one call. */
const MAX_DIRECT_BYTES = 256 << 10;

export type FilePath = ReturnType<typeof parseFilePath>;

/** What the one who has a file open knows of its content. */
interface Sight {
  readonly size: bigint;
  readonly modifiedNs: bigint;
}

/** A file that was open in another process, and is closed there: what has to be known to go on with it. */
export interface LeftFile {
  readonly name: string;
  readonly path: FilePath;
  readonly mode: FileMode;
  readonly position: number;
  readonly device: bigint;
  readonly inode: bigint;
  readonly seen: Sight;
  readonly hasSyncFailed: boolean;
}

/**
 * One file that a RemoteStream has open, with its position, and its claim in the table of open files. It may go from one connection to
 * another. Calls may overlap; `close` waits for those that are under way.
 */
export class RemoteFile {
  readonly mode: FileMode;
  /** As the client named it, for the log. */
  readonly name: string;
  /** Where Read and Write go on, in bytes; may lie beyond the end. */
  position = 0;
  #movedBytes = 0;
  readonly #path: FilePath;
  readonly #tree: DirectoryTree;
  readonly #handle: FileHandle;
  readonly #claim: ReadClaim | WriteClaim;
  readonly #place: Disposable;
  readonly #pace: IoPace;
  readonly #device: bigint;
  readonly #inode: bigint;
  #seen: Sight;
  /** Something was written since the file was looked at. */
  #isUnseen = false;
  #syncFailure: unknown;
  #callsUnderWay = 0;
  #onSettled: (() => void)[] = [];
  #isClosed = false;

  private constructor(init: {
    readonly name: string;
    readonly path: FilePath;
    readonly mode: FileMode;
    readonly tree: DirectoryTree;
    readonly opened: OpenedFile;
    readonly status: BigIntStats;
    readonly claim: ReadClaim | WriteClaim;
    readonly place: Disposable;
  }) {
    this.name = init.name;
    this.#path = init.path;
    this.mode = init.mode;
    this.#tree = init.tree;
    this.#handle = init.opened.handle;
    this.#pace = paceOfDevice(init.opened.device, 'random');
    this.#device = init.status.dev;
    this.#inode = init.status.ino;
    this.#seen = sightOf(init.status);
    this.#claim = init.claim;
    this.#place = init.place;
  }

  /**
   * Opens a file, and claims it: against writers, or against everybody. A file that is opened for writing is made if it is missing, and its
   * name is on the disk when this ends.
   *
   * @throws {RequestError} code 9
   * @throws {StorageError} among others `ERR_IN_USE`
   */
  static async open(
    files: SharedFiles,
    tree: DirectoryTree,
    name: string,
    path: FilePath,
    mode: FileMode,
  ): Promise<RemoteFile> {
    const place = files.descriptors.openFile();
    let claim: ReadClaim | WriteClaim | undefined;
    let opened: OpenedFile | undefined;
    try {
      await using directory = await fileNotFound(files.descriptors.walk(() => tree.resolve(path.directory)));
      const key = directory.entryKey(path.fileName);
      if (mode === FileMode.Read) {
        const known = files.openFiles.knownElsewhere(key);
        if (known) await known;
        claim = files.openFiles.claimForReading(key);
        opened = await fileNotFound(directory.openFile(path.fileName, 'read'));
      } else {
        const written = files.openFiles.claimForWriting(key, { kind: 'remote-stream', takeOver: neverCalled });
        claim = written;
        await written.ready;
        opened = await fileNotFound(directory.openFile(path.fileName, 'append'));
        await directory.sync();
      }
      const status = await opened.handle.stat({ bigint: true });
      return new RemoteFile({ name, path, mode, tree, opened, status, claim, place });
    } catch (error) {
      try {
        await opened?.handle.close();
      } finally {
        claim?.release();
        place[Symbol.dispose]();
      }
      throw error instanceof RequestError ? error : storageErrorFrom(error, 'file');
    }
  }

  /**
   * Goes on with a file that was open in another process. Whoever claims it in between has it.
   *
   * @throws {RequestError} code 15 when the name is another file's now
   * @throws as `open`
   */
  static async reopen(files: SharedFiles, tree: DirectoryTree, left: LeftFile): Promise<RemoteFile> {
    await using held = await files.descriptors.walk(() => tree.resolve(left.path.directory)).catch(fileChanged);
    const named = await held.status(left.path.fileName).catch(fileChanged);
    if (named.dev !== left.device || named.ino !== left.inode) fileChanged();
    const file = await RemoteFile.open(files, tree, left.name, left.path, left.mode);
    if (file.#inode !== left.inode) {
      await file.close();
      fileChanged();
    }
    file.position = left.position;
    file.#seen = left.seen;
    if (left.hasSyncFailed) file.#syncFailure = new StorageError('ERR_IO', 'a sync has failed');
    return file;
  }

  /** Closes the file, for another process to go on with. */
  async leave(): Promise<LeftFile> {
    await this.lookAfterWriting();
    await this.close();
    return {
      name: this.name,
      path: this.#path,
      mode: this.mode,
      position: this.position,
      device: this.#device,
      inode: this.#inode,
      seen: this.#seen,
      hasSyncFailed: this.#syncFailure !== undefined,
    };
  }

  /** In bytes, as it was when last looked at. */
  get seenSize(): bigint {
    return this.#seen.size;
  }

  /** Bytes read and written so far. */
  get movedBytes(): number {
    return this.#movedBytes;
  }

  /** Whether a read of so many bytes is made at once, on the event loop. */
  readsDirectly(count: number): boolean {
    return count <= MAX_DIRECT_BYTES && this.#pace.isDirect;
  }

  /**
   * Reads at once; only when `readsDirectly`.
   *
   * @returns how many bytes; fewer than `count` only at the end of the file
   * @throws {StorageError}
   */
  readNow(target: Uint8Array, at: number, count: number, position: number): number {
    const startedMs = performance.now();
    let got = 0;
    try {
      while (got < count) {
        const bytes = readSync(this.#handle.fd, target, at + got, count - got, position + got);
        if (bytes === 0) break;
        got += bytes;
        this.#movedBytes += bytes;
      }
    } catch (error) {
      throw storageErrorFrom(error, 'file');
    }
    this.#pace.record(performance.now() - startedMs);
    return got;
  }

  /** As `readNow`, through the thread pool; at most 2 GiB. The target belongs to the file meanwhile. */
  read(target: Uint8Array, at: number, count: number, position: number): Promise<number> {
    return this.#call(async () => {
      let got = 0;
      while (got < count) {
        const startedMs = performance.now();
        const { bytesRead } = await this.#handle.read(target, at + got, count - got, position + got);
        this.#recordPooled(count, startedMs);
        if (bytesRead === 0) break;
        got += bytesRead;
        this.#movedBytes += bytesRead;
      }
      return got;
    });
  }

  /**
   * Writes all of the data, which the caller may overwrite as soon as this returns.
   *
   * @returns a promise when the thread pool writes
   * @throws {RequestError} code 6 when it was opened for reading, or cannot become so long
   * @throws {StorageError} or rejects with it; a part may have been written
   */
  write(data: Uint8Array, position: number): void | Promise<void> {
    this.#requireWritable();
    if (position + data.length > Number.MAX_SAFE_INTEGER) throw tooLarge();
    this.#isUnseen = true;
    if (data.length > MAX_DIRECT_BYTES || !this.#pace.isDirect) return this.#writePooled(Buffer.from(data), position);
    const startedMs = performance.now();
    try {
      for (let at = 0; at < data.length; ) at += writeSync(this.#handle.fd, data, at, data.length - at, position + at);
    } catch (error) {
      throw callErrorFrom(error);
    }
    this.#pace.record(performance.now() - startedMs);
    this.#movedBytes += data.length;
  }

  #writePooled(data: Uint8Array, position: number): Promise<void> {
    return this.#call(async () => {
      for (let at = 0; at < data.length; ) {
        const startedMs = performance.now();
        const from = at;
        const call = () => this.#handle.write(data, from, data.length - from, position + from);
        const { bytesWritten } = await diskTurn(call);
        this.#recordPooled(data.length, startedMs);
        at += bytesWritten;
        this.#movedBytes += bytesWritten;
      }
    });
  }

  /** The length of the file; unlike `look`, this does not count as having seen what others did to it. */
  async lengthNow(): Promise<number> {
    const { size } = await this.#call(() => this.#handle.stat());
    return size;
  }

  /** @throws {RequestError} as `write` */
  async truncate(size: number): Promise<void> {
    this.#requireWritable();
    this.#isUnseen = true;
    await this.#call(() => this.#handle.truncate(size));
    this.position = Math.min(this.position, size);
  }

  /** Looks at the file. @throws {StorageError} */
  async look(): Promise<BigIntStats> {
    const status = await this.#call(() => this.#handle.stat({ bigint: true }));
    this.#seen = sightOf(status);
    this.#isUnseen = false;
    return status;
  }

  /** Looks at the file if it was written to since it was last looked at. */
  async lookAfterWriting(): Promise<void> {
    await this.settled();
    if (this.#isUnseen && !this.#isClosed) await this.look();
  }

  /**
   * Whether somebody else has changed the file, or its name, since it was last looked at.
   *
   * @throws {StorageError} when that cannot be found out
   */
  async hasChanged(files: SharedFiles): Promise<boolean> {
    const status = await this.#call(() => this.#handle.stat({ bigint: true }));
    if (!this.#isUnseen && (status.size !== this.#seen.size || status.mtimeNs !== this.#seen.modifiedNs)) return true;
    try {
      const { directory, fileName } = this.#path;
      await using held = await files.descriptors.walk(() => this.#tree.resolve(directory));
      const named = await held.status(fileName);
      return named.dev !== this.#device || named.ino !== this.#inode;
    } catch (error) {
      if (error instanceof StorageError && error.code !== 'ERR_IO' && error.code !== 'ERR_TOO_MANY_FILES') return true;
      throw error;
    }
  }

  /**
   * Settles when what was written before is on the disk.
   *
   * @throws {StorageError} for ever after a sync has failed: the system says so once, and forgets the bytes
   */
  async sync(): Promise<void> {
    if (this.#syncFailure !== undefined) throw this.#syncFailure;
    try {
      await this.#call(() => diskTurn(() => this.#handle.datasync()));
    } catch (error) {
      this.#syncFailure ??= error;
      throw error;
    }
  }

  /** Settles when no call is under way. */
  async settled(): Promise<void> {
    if (this.#callsUnderWay > 0) await new Promise<void>((resolve) => this.#onSettled.push(resolve));
  }

  /** Closes the file when the calls under way have ended, and gives its claim back then. May be called twice. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.settled();
    try {
      await this.#handle.close();
    } finally {
      this.#claim.release();
      this.#place[Symbol.dispose]();
    }
  }

  async #call<T>(work: () => Promise<T>): Promise<T> {
    this.#callsUnderWay += 1;
    try {
      return await work();
    } catch (error) {
      throw callErrorFrom(error);
    } finally {
      this.#callsUnderWay -= 1;
      if (this.#callsUnderWay === 0) for (const resolve of this.#onSettled.splice(0)) resolve();
    }
  }

  /** Only calls of the size that would be made directly say how those would fare. */
  #recordPooled(count: number, startedMs: number): void {
    if (!this.#pace.isDirect && count <= MAX_DIRECT_BYTES) this.#pace.record(performance.now() - startedMs);
  }

  #requireWritable(): void {
    if (this.mode === FileMode.Read)
      throw new RequestError(ResultCode.ParameterError, 'the file is open for reading only');
  }
}

function sightOf({ size, mtimeNs }: BigIntStats): Sight {
  return { size, modifiedNs: mtimeNs };
}

/** A size that the file system does not take is the client's matter. */
function callErrorFrom(error: unknown): Error {
  const code = systemCodeOf(error);
  return code === 'EFBIG' || code === 'EINVAL' ? tooLarge() : storageErrorFrom(error, 'file');
}

function tooLarge(): RequestError {
  return new RequestError(ResultCode.ParameterError, 'the file would be larger than it can be');
}

/** Nobody takes a file over from a remote stream: `OpenFiles` does so for uploads only. */
async function neverCalled(): Promise<void> {}

function fileChanged(): never {
  throw new RequestError(ResultCode.FileChanged, 'the file has changed meanwhile');
}
