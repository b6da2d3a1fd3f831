import { createHash } from 'node:crypto';
import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { digestChunks, FileReader, paceOfDevice } from '@sluice/files';
import type { ChunkHash } from '@sluice/files/digests';
import { DIGEST_CHUNK_BYTES } from '@sluice/wire';
import { ClientError } from './errors.js';
import { localFileError } from './local-errors.js';
import type { LocalDigests } from './matching-prefix.js';
import { SlabChunks } from './slab-chunks.js';
import type { ChunkReader, UploadSource } from './upload-source.js';

/**
 * Age of the last change, in milliseconds, from which on another change has another time: file systems take their time from a clock that
 * ticks, at most every 10 ms.
 */
const SETTLED_AGE_MS = 20;

/** A local file that is uploaded. */
export class SourceFile implements UploadSource {
  readonly path: string;
  readonly handle: FileHandle;
  readonly size: number;
  readonly isIdentified = true;
  readonly #reader: FileReader;
  readonly #stats: BigIntStats;

  private constructor(path: string, handle: FileHandle, stats: BigIntStats) {
    this.path = path;
    this.handle = handle;
    this.size = Number(stats.size);
    this.#stats = stats;
    this.#reader = new FileReader(handle, paceOfDevice(Number(stats.dev)));
  }

  /** @throws {ClientError} `ERR_LOCAL_FILE` */
  static async open(path: string): Promise<SourceFile> {
    let handle: FileHandle | undefined;
    try {
      // Without O_NONBLOCK, opening a named pipe would wait for its writer.
      handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
      const stats = await settledStats(handle);
      if (stats.isFile()) return new SourceFile(path, handle, stats);
      throw new Error(stats.isDirectory() ? 'is a directory' : 'is not a regular file; give it as a stream');
    } catch (error) {
      await handle?.close().catch(() => {}); // there is a failure to be told already
      throw localFileError('read', path, error);
    }
  }

  /** Another text for another file, and for another state of this one, without anything that could be read out of it. 32 hexadecimal digits. */
  get sourceId(): string {
    const { dev, ino, size, mtimeNs, ctimeNs } = this.#stats;
    const facts = [hostname(), dev, ino, size, mtimeNs, ctimeNs].join('\0');
    return createHash('sha256').update(facts).digest('hex').slice(0, 32);
  }

  get modifiedNs(): bigint {
    return this.#stats.mtimeNs;
  }

  get mode(): number {
    return Number(this.#stats.mode) & 0o777;
  }

  /** Reads the file for each range. Rejects with the system's error. */
  readonly digests: LocalDigests = (range) => digestChunks(this.handle, { ...range, chunkBytes: DIGEST_CHUNK_BYTES });

  openChunks(hash: ChunkHash): ChunkReader {
    return new SlabChunks(this, hash);
  }

  /** Directly on the event loop while the device is fast. */
  async read(views: readonly Uint8Array[], position: number, count: number): Promise<void> {
    await this.#checked(async () => this.#reader.read(views, position), count);
  }

  async readPooled(views: readonly Uint8Array[], position: number, count: number): Promise<void> {
    await this.#checked(() => this.#reader.readPooled(views, position), count);
  }

  /** Looks at size and times. */
  async requireUnchanged(): Promise<void> {
    const { size, mtimeNs, ctimeNs } = await this.handle.stat({ bigint: true }).catch((error) => {
      throw this.unreadable(error);
    });
    const before = this.#stats;
    if (size !== before.size || mtimeNs !== before.mtimeNs || ctimeNs !== before.ctimeNs) throw this.#changed();
  }

  unreadable(cause: unknown): ClientError {
    return localFileError('read', this.path, cause);
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
      throw this.unreadable(error);
    }
    if (got < count) throw this.#changed();
  }

  #changed(): ClientError {
    return new ClientError('ERR_SOURCE_CHANGED', `${this.path} changed while it was being uploaded; upload it again`);
  }
}

/** What the file is like, once it is so old that a change from now on shows in its times. */
async function settledStats(handle: FileHandle): Promise<BigIntStats> {
  const stats = await handle.stat({ bigint: true });
  const ageMs = Date.now() - Number(stats.ctimeNs / 1_000_000n);
  if (ageMs < 0 || ageMs >= SETTLED_AGE_MS || !stats.isFile()) return stats;
  await delay(SETTLED_AGE_MS - ageMs);
  return await handle.stat({ bigint: true });
}
