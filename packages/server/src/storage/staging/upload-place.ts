import { type ChunkHash, type FileWriter, totalBytes } from '@sluice/files';
import { storageErrorFrom } from '../storage-error.js';
import { CHUNK_BYTES } from './chunk-table.js';
import type { StagedFile } from './staged-file.js';
import type { PartialIdentity } from './upload-journal.js';

/** What a place needs of its upload. */
export interface PlacedUpload {
  readonly identity: Pick<PartialIdentity, 'size'>;
  chunkLength(number: number): number;
  beginChunk(number: number, place: object): void | Promise<void>;
  leaveChunk(number: number, place: object): void;
  finishChunk(number: number, digest: bigint, bytes: number): void | Promise<void>;
  refuseChunk(number: number): void;
  /** Bytes of a chunk were written. */
  noteWritten(): void;
}

/** Where one connection writes in a staged upload: chunk by chunk, each digested on its way. */
export class UploadPlace {
  readonly #upload: PlacedUpload;
  readonly #file: StagedFile;
  readonly #writer: FileWriter;
  readonly #hash: ChunkHash;
  #chunk = 0;
  /** Bytes of the chunk that have been written. */
  #bytes = 0;

  /** Made by `openPlace` of the upload. */
  constructor(upload: PlacedUpload, file: StagedFile, hash: ChunkHash) {
    this.#upload = upload;
    this.#file = file;
    this.#hash = hash;
    this.#writer = file.writer();
  }

  /** Where the next byte goes. */
  get position(): number {
    return this.#chunk * CHUNK_BYTES + this.#bytes;
  }

  /** Bytes until the chunk must be ended. */
  get room(): number {
    return this.#upload.chunkLength(this.#chunk) - this.#bytes;
  }

  /** Whether the chunk may be ended here. When the size is not known, any chunk may be the last. */
  get isAtChunkEnd(): boolean {
    return this.#bytes > 0 && (this.room === 0 || this.#upload.identity.size === undefined);
  }

  /** Whether a chunk has begun here and not ended. */
  get isInChunk(): boolean {
    return this.#bytes > 0;
  }

  /** Goes on elsewhere; what was begun here and not ended does not count. @param position where a chunk begins */
  moveTo(position: number): void {
    this.close();
    this.#chunk = Math.floor(position / CHUNK_BYTES);
  }

  /**
   * Writes bytes that fit into `room`.
   *
   * @returns a promise when that goes on; the parts may be overwritten as soon as the call returns
   * @throws {StorageError}, or rejects with it
   */
  write(parts: readonly Uint8Array[]): void | Promise<void> {
    try {
      const pending = this.#bytes === 0 ? this.#upload.beginChunk(this.#chunk, this) : undefined;
      if (!pending) return this.#writeNow(parts)?.catch(asStorageError);
      const copy = [Buffer.concat(parts)];
      return pending.then(() => this.#writeNow(copy)).catch(asStorageError);
    } catch (error) {
      return asStorageError(error);
    }
  }

  #writeNow(parts: readonly Uint8Array[]): void | Promise<void> {
    for (const part of parts) this.#hash.update(part);
    if (this.#bytes === 0) this.#writer.moveTo(this.#chunk * CHUNK_BYTES);
    this.#bytes += totalBytes(parts);
    const pending = this.#writer.write(parts);
    this.#upload.noteWritten();
    if (pending) return pending.then(() => this.#file.stampPooled());
    this.#file.stampNow();
  }

  /**
   * Ends the chunk, to be called when `isAtChunkEnd`. It counts if its bytes have this digest; the next one begins.
   *
   * @returns a promise where another process has to know that it counts
   */
  endChunk(digest: bigint): void | Promise<void> {
    const isRight = this.#hash.end() === digest;
    const finished = isRight ? this.#upload.finishChunk(this.#chunk, digest, this.#bytes) : undefined;
    if (!isRight) this.#upload.refuseChunk(this.#chunk);
    this.#upload.leaveChunk(this.#chunk, this);
    this.#chunk += 1;
    this.#bytes = 0;
    return finished;
  }

  /** Lets others write the chunk that was begun, which does not count. To be called when no write goes on. */
  close(): void {
    this.#upload.leaveChunk(this.#chunk, this);
    this.#hash.restart();
    this.#bytes = 0;
  }
}

function asStorageError(error: unknown): never {
  throw storageErrorFrom(error, 'file');
}
