import { constants } from 'node:fs';
import { type FileHandle, open, rename, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FileWriter, type IoPace, paceOfDevice } from '@sluice/files';
import { ClientError, localFileError } from './errors.js';

/** Behind the name of a file whose download is not complete. */
const PARTIAL_SUFFIX = '.sluice-part';

/** The bytes of a download until it is complete: beside its target, and renamed over it at the end. */
export class PartialFile {
  readonly target: string;
  readonly path: string;
  readonly handle: FileHandle;
  readonly #pace: IoPace;
  #writer: FileWriter | undefined;
  #isCommitted = false;

  private constructor(target: string, path: string, handle: FileHandle, pace: IoPace) {
    this.target = target;
    this.path = path;
    this.handle = handle;
    this.#pace = pace;
  }

  /** Opens what an earlier download has left, or begins. @throws {ClientError} `ERR_LOCAL_FILE` */
  static async open(target: string): Promise<PartialFile> {
    const path = `${target}${PARTIAL_SUFFIX}`;
    let handle: FileHandle | undefined;
    try {
      const existing = await stat(target).catch(() => undefined);
      if (existing?.isDirectory()) throw new Error('is a directory');
      handle = await open(path, constants.O_RDWR | constants.O_CREAT, 0o666);
      const { dev } = await handle.stat();
      return new PartialFile(target, path, handle, paceOfDevice(dev));
    } catch (error) {
      await handle?.close();
      throw localFileError('write', target, error);
    }
  }

  /** Length of what is there, in bytes. */
  async length(): Promise<number> {
    const { size } = await this.handle.stat();
    return size;
  }

  /** Drops everything behind `bytes`; the next write goes there. @throws {ClientError} `ERR_LOCAL_FILE` */
  async keep(bytes: number): Promise<void> {
    await this.#asLocal(async () => {
      await this.#writer?.sync(); // a failed sync in the background is told only to this writer
      await this.handle.truncate(bytes);
    });
    this.#writer = new FileWriter(this.handle, bytes, this.#pace);
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

  /** Puts the complete file on the disk and in the place of the target. @throws {ClientError} `ERR_LOCAL_FILE` */
  async commit(bytes: number): Promise<void> {
    const length = await this.length();
    if (length !== bytes) {
      throw new ClientError(
        'ERR_LOCAL_FILE',
        `${this.path} has ${length} bytes instead of ${bytes}: someone changed it`,
      );
    }
    await this.#asLocal(async () => {
      await this.#writer?.sync();
      await rename(this.path, this.target);
      this.#isCommitted = true;
      if (process.platform !== 'win32') await syncDirectory(dirname(this.target));
    });
  }

  /** Closes the file, and removes it when nothing is in it. May be called after `commit`. */
  async close(): Promise<void> {
    await this.#writer?.settle();
    const isEmpty = !this.#isCommitted && (await this.length()) === 0;
    await this.handle.close();
    if (isEmpty) await unlink(this.path).catch(() => {});
  }

  async #asLocal(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      throw localFileError('write', this.target, error);
    }
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
