import { constants, type Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { FileReader, paceOfDevice } from '@sluice/files';
import { ClientError, localFileError } from './errors.js';

/** A local file that is uploaded: open for reading only (C7), and expected to stay as it was when it was opened. */
export class SourceFile {
  readonly path: string;
  readonly handle: FileHandle;
  /** In bytes, when it was opened. */
  readonly size: number;
  readonly #reader: FileReader;
  readonly #mtimeMs: number;

  private constructor(path: string, handle: FileHandle, stats: Stats) {
    this.path = path;
    this.handle = handle;
    this.size = stats.size;
    this.#mtimeMs = stats.mtimeMs;
    this.#reader = new FileReader(handle, paceOfDevice(stats.dev));
  }

  /** @throws {ClientError} `ERR_LOCAL_FILE` */
  static async open(path: string): Promise<SourceFile> {
    let handle: FileHandle | undefined;
    try {
      // Without O_NONBLOCK, opening a named pipe would wait for its writer.
      handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
      const stats = await handle.stat();
      if (stats.isFile()) return new SourceFile(path, handle, stats);
      throw new Error(stats.isDirectory() ? 'is a directory' : 'is not a regular file; give it as a stream');
    } catch (error) {
      await handle?.close().catch(() => {}); // there is a failure to be told already
      throw localFileError('read', path, error);
    }
  }

  /**
   * Fills the views from `position` on, directly on the event loop while the device is fast.
   *
   * @throws {ClientError} `ERR_LOCAL_FILE`; `ERR_SOURCE_CHANGED` when the file ends before the views are full
   */
  async read(views: readonly Uint8Array[], position: number, count: number): Promise<void> {
    await this.#checked(async () => this.#reader.read(views, position), count);
  }

  /** As `read`, in the background. */
  async readPooled(views: readonly Uint8Array[], position: number, count: number): Promise<void> {
    await this.#checked(() => this.#reader.readPooled(views, position), count);
  }

  /** @throws {ClientError} `ERR_SOURCE_CHANGED` when size or modification time are not what they were; `ERR_LOCAL_FILE` */
  async requireUnchanged(): Promise<void> {
    const { size, mtimeMs } = await this.handle.stat().catch((error) => {
      throw localFileError('read', this.path, error);
    });
    if (size !== this.size || mtimeMs !== this.#mtimeMs) throw this.#changed();
  }

  /** May be called while a read is going on: waits for it. Never rejects: there is nothing to lose in a file that was only read. */
  async close(): Promise<void> {
    await this.handle.close().catch(() => {});
  }

  async #checked(read: () => Promise<number>, count: number): Promise<void> {
    let got: number;
    try {
      got = await read();
    } catch (error) {
      throw localFileError('read', this.path, error);
    }
    if (got < count) throw this.#changed();
  }

  #changed(): ClientError {
    return new ClientError('ERR_SOURCE_CHANGED', `${this.path} changed while it was being uploaded; upload it again`);
  }
}
