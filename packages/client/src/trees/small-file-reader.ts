import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { open } from 'node:fs/promises';
import { MAX_BATCHED_FILE_BYTES } from '@sluice/wire';
import { ClientError } from '../errors.js';
import { localFileError } from '../local-errors.js';
import { DirectPace } from './direct-pace.js';
import type { SmallFile, SmallFiles } from './small-file.js';

/** Without O_NONBLOCK, opening a named pipe would wait for its writer. */
const FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/** How often a file that changes while it is read is read again. */
const MAX_READS = 3;

/** Reads small local files, directly or, when the disk is slow, in the background. */
export class SmallFileReader implements SmallFiles<string> {
  readonly #pace = new DirectPace();
  readonly #buffer = Buffer.allocUnsafeSlow(MAX_BATCHED_FILE_BYTES);

  read(path: string): SmallFile | undefined | Promise<SmallFile | undefined> {
    if (!this.#pace.isDirect) return this.#timed(() => this.#readPooled(path));
    const startedMs = performance.now();
    try {
      return this.#readDirect(path);
    } catch (error) {
      throw asLocalError(path, error);
    } finally {
      this.#pace.record(performance.now() - startedMs);
    }
  }

  #readDirect(path: string): SmallFile | undefined {
    const descriptor = openSync(path, FLAGS);
    try {
      for (let reads = 0; reads < MAX_READS; reads++) {
        const before = fstatSync(descriptor);
        requireFile(before);
        if (before.size > MAX_BATCHED_FILE_BYTES) return undefined;
        let bytes = 0;
        for (let got = -1; got !== 0 && bytes < before.size; bytes += got) {
          got = readSync(descriptor, this.#buffer, bytes, before.size - bytes, bytes);
        }
        const after = fstatSync(descriptor, { bigint: true });
        if (isSame(before, after, bytes)) return this.#file(after, bytes);
      }
    } finally {
      closeSync(descriptor);
    }
    throw changed(path);
  }

  async #readPooled(path: string): Promise<SmallFile | undefined> {
    try {
      await using handle = await open(path, FLAGS);
      for (let reads = 0; reads < MAX_READS; reads++) {
        const before = await handle.stat();
        requireFile(before);
        if (before.size > MAX_BATCHED_FILE_BYTES) return undefined;
        let bytes = 0;
        for (let got = -1; got !== 0 && bytes < before.size; bytes += got) {
          got = (await handle.read(this.#buffer, bytes, before.size - bytes, bytes)).bytesRead;
        }
        const after = await handle.stat({ bigint: true });
        if (isSame(before, after, bytes)) return this.#file(after, bytes);
      }
    } catch (error) {
      throw asLocalError(path, error);
    }
    throw changed(path);
  }

  async #timed<T>(read: () => Promise<T>): Promise<T> {
    const startedMs = performance.now();
    try {
      return await read();
    } finally {
      this.#pace.record(performance.now() - startedMs);
    }
  }

  #file({ mtimeNs, mode }: BigIntStats, bytes: number): SmallFile {
    return { content: this.#buffer.subarray(0, bytes), modifiedNs: mtimeNs, mode: Number(mode) & 0o777 };
  }
}

function requireFile(stats: Stats): void {
  if (stats.isFile()) return;
  throw new Error(stats.isDirectory() ? 'is a directory' : 'is not a regular file; give it as a stream');
}

/** Whether the bytes that were read in between are one state of the file. */
function isSame(before: Stats, after: BigIntStats, bytes: number): boolean {
  const isUnchanged = Math.abs(Number(after.mtimeNs) / 1e6 - before.mtimeMs) < 0.001;
  return isUnchanged && before.size === bytes && Number(after.size) === bytes;
}

function asLocalError(path: string, error: unknown): ClientError {
  return error instanceof ClientError ? error : localFileError('read', path, error);
}

function changed(path: string): ClientError {
  return new ClientError('ERR_SOURCE_CHANGED', `${path} changes while it is being uploaded; upload it again`);
}
