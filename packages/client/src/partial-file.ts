import { constants } from 'node:fs';
import { type FileHandle, link, lstat, open, rename, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { digestChunks, FileWriter, type IoPace, paceOfDevice, syncDirectory } from '@sluice/files';
import { DIGEST_CHUNK_BYTES } from '@sluice/wire';
import { ClientError } from './errors.js';
import { localFileError } from './local-errors.js';
import type { LocalDigests } from './matching-prefix.js';
import { TargetLock } from './target-lock.js';

/** Behind the name of a file whose download is not complete. */
export const PARTIAL_SUFFIX = '.sluice-part';

/** What a file is known by, whatever its name. */
interface FileIdentity {
  readonly dev: bigint;
  readonly ino: bigint;
}

/** The bytes of a download until it is complete: beside its target, and renamed over it at the end. Nobody else downloads to it meanwhile. */
export class PartialFile {
  readonly target: string;
  readonly path: string;
  readonly handle: FileHandle;
  /** Of its device. */
  readonly pace: IoPace;
  readonly #identity: FileIdentity;
  readonly #lock: TargetLock;
  #writer: FileWriter | undefined;
  #isCommitted = false;

  private constructor(target: string, path: string, handle: FileHandle, identity: FileIdentity, lock: TargetLock) {
    this.target = target;
    this.path = path;
    this.handle = handle;
    this.#identity = identity;
    this.pace = paceOfDevice(Number(identity.dev));
    this.#lock = lock;
  }

  /** Opens what an earlier download has left, or begins. @throws {ClientError} `ERR_LOCAL_FILE` */
  static async open(target: string): Promise<PartialFile> {
    const existing = await stat(target).catch(() => undefined);
    if (existing?.isDirectory()) throw localFileError('write', target, new Error('is a directory'));
    const path = `${target}${PARTIAL_SUFFIX}`;
    const lock = await TargetLock.take(target);
    let handle: FileHandle | undefined;
    try {
      // Not through a link: it would be the link that is renamed, and somebody else's file that is written.
      handle = await open(path, constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0), 0o666);
      const stats = await handle.stat({ bigint: true });
      if (!stats.isFile()) throw new Error('is not a regular file');
      return new PartialFile(target, path, handle, stats, lock);
    } catch (error) {
      await handle?.close().catch(() => {}); // there is a failure to be told already
      await lock.release();
      const isLink = (error as NodeJS.ErrnoException).code === 'ELOOP';
      throw localFileError('write', path, isLink ? new Error('is a symbolic link') : error);
    }
  }

  get inode(): bigint {
    return this.#identity.ino;
  }

  /** Of what is there. Rejects with the system's error. */
  readonly digests: LocalDigests = (range) => digestChunks(this.handle, { ...range, chunkBytes: DIGEST_CHUNK_BYTES });

  /** Length of what is there, in bytes. @throws {ClientError} `ERR_LOCAL_FILE` */
  async length(): Promise<number> {
    try {
      return (await this.handle.stat()).size;
    } catch (error) {
      throw localFileError('read', this.path, error);
    }
  }

  /** Drops everything behind `bytes`; the next write goes there. @throws {ClientError} `ERR_LOCAL_FILE` */
  async keep(bytes: number): Promise<void> {
    await this.#asLocal(async () => {
      await this.#writer?.sync(); // a failed sync in the background is told only to this writer
      await this.handle.truncate(bytes);
    });
    this.#writer = new FileWriter(this.handle, bytes, this.pace);
  }

  /** Writes on, as FileWriter does. @throws {ClientError} `ERR_LOCAL_FILE` */
  write(parts: readonly Uint8Array[]): void | Promise<void> {
    try {
      return this.#writer?.write(parts)?.catch((error: unknown) => {
        throw localFileError('write', this.path, error);
      });
    } catch (error) {
      throw localFileError('write', this.path, error);
    }
  }

  /**
   * Puts the complete file on the disk and in the place of the target.
   *
   * @param mayReplace whether a file that has the target's name may go
   * @throws {ClientError} `ERR_LOCAL_FILE`, `ERR_EXISTS`
   */
  async commit(bytes: number, mayReplace = true): Promise<void> {
    await this.#asLocal(async () => {
      await this.#writer?.sync();
      const length = await this.length();
      if (length !== bytes) throw this.#changed(`has ${length} bytes instead of ${bytes}`);
      // What is renamed is the name: it must be that of the file that was written.
      if (!(await this.#isInPlace())) throw this.#changed('is not the file that was written');
      if (mayReplace) await rename(this.path, this.target);
      else await this.#moveToFreeName();
      this.#isCommitted = true;
      await syncDirectory(dirname(this.target));
    });
  }

  /** Renaming would replace what has taken the name meanwhile; a further link to the file does not. */
  async #moveToFreeName(): Promise<void> {
    try {
      await link(this.path, this.target);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EEXIST') throw targetExists(this.target);
      if (!(code === 'EPERM' || code === 'ENOTSUP' || code === 'EMLINK')) throw error; // a file system without links
      if (await lstat(this.target).catch(() => undefined)) throw targetExists(this.target);
      await rename(this.path, this.target);
      return;
    }
    await unlink(this.path);
  }

  /**
   * Closes the file, and removes it when nothing is in it. May be called after `commit`. Never rejects: what was to be kept is safe by then,
   * and otherwise something has failed before, which is what the caller is to be told.
   */
  async close(): Promise<void> {
    await this.#writer?.settle();
    if (!this.#isCommitted) await this.#leaveForNextTime().catch(() => {});
    await this.handle.close().catch(() => {});
    await this.#lock.release();
  }

  /** Drops all that is there: `close` removes the file. @throws {ClientError} `ERR_LOCAL_FILE` */
  async empty(): Promise<void> {
    await this.#asLocal(() => this.handle.truncate(0));
  }

  async #leaveForNextTime(): Promise<void> {
    if (this.#writer?.hasSyncFailed) {
      // The system still shows these bytes, so the next download would find that they agree; and may have lost them a moment later.
      const bytes = Math.min(await this.length(), this.#writer.syncedBytes);
      await this.handle.truncate(bytes).catch(() => this.#remove());
    }
    if ((await this.length()) === 0) await this.#remove();
  }

  async #remove(): Promise<void> {
    if (await this.#isInPlace()) await unlink(this.path);
  }

  /** Whether the file still has its name. */
  async #isInPlace(): Promise<boolean> {
    try {
      const { dev, ino } = await lstat(this.path, { bigint: true });
      // On Windows, the two calls that ask by handle and by name do not always agree about the device.
      return ino === this.#identity.ino && (dev === this.#identity.dev || process.platform === 'win32');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
      throw error;
    }
  }

  #changed(what: string): ClientError {
    return new ClientError('ERR_LOCAL_FILE', `${this.path} ${what}: someone changed it`);
  }

  async #asLocal(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      throw error instanceof ClientError ? error : localFileError('write', this.target, error);
    }
  }
}

/** For `ifExists: 'fail'`. */
export function targetExists(target: string): ClientError {
  return new ClientError('ERR_EXISTS', `${target} exists already`);
}
