import assert from 'node:assert/strict';
import { ChunkHash, type FileWriter } from '@sluice/files';
import { storageErrorFrom } from '../storage-error.js';
import { CHUNK_BYTES } from './chunk-table.js';
import { digestRange, type StagedFile } from './staged-file.js';

/** What a place at the end needs of its upload. */
export interface AppendedUpload {
  chunkLength(number: number): number;
  beginChunk(number: number, place: object, keepsBegin?: boolean): void | Promise<void>;
  leaveChunk(number: number, place: object): void;
  finishChunk(number: number, digest: bigint, bytes: number): void;
  /** Bytes of a chunk were written. */
  noteWritten(): void;
}

interface FinishedChunk {
  readonly number: number;
  readonly digest: bigint;
  readonly bytes: number;
}

/**
 * Where a staged upload grows at its end, digested on the way: for who sends a file from its beginning to its end, in pieces that end anywhere.
 * Of a chunk that a piece has left unfinished its begin is recorded, and the next piece adds to it: what was recorded is never written again.
 */
export class AppendPlace {
  readonly #upload: AppendedUpload;
  readonly #file: StagedFile;
  readonly #writer: FileWriter;
  readonly #hash: ChunkHash;
  #chunk: number;
  /** Bytes of the chunk that have been written. */
  #bytes: number;
  /** Of the chunk, what the upload knows of. */
  #keptBytes: number;
  /** Whether the chunk is this place's. */
  #isInChunk = false;
  /** Where the upload ends for `discard`. */
  #kept: { readonly chunk: number; readonly bytes: number };
  /** Finished chunks that do not count yet, while it is not sure that they are to. */
  #onTrial: FinishedChunk[] | undefined;

  private constructor(upload: AppendedUpload, file: StagedFile, hash: ChunkHash, chunk: number, bytes: number) {
    this.#upload = upload;
    this.#file = file;
    this.#hash = hash;
    this.#writer = file.writer();
    this.#chunk = chunk;
    this.#bytes = bytes;
    this.#keptBytes = bytes;
    this.#kept = { chunk, bytes };
  }

  /**
   * To be asked of the upload: `openAppendPlace`.
   *
   * @param bytes of the chunk that are there already
   */
  static async open(
    upload: AppendedUpload,
    file: StagedFile,
    chunk: number,
    bytes: number,
    signal?: AbortSignal,
  ): Promise<AppendPlace> {
    const place = new AppendPlace(upload, file, await ChunkHash.create(), chunk, bytes);
    await place.#readBegin(signal);
    return place;
  }

  /** Of the bytes of the chunk that are there. */
  get begunDigest(): bigint {
    return this.#hash.soFar();
  }

  /** Where the next byte goes. */
  get position(): number {
    const chunk = this.#chunk;
    if (this.#bytes > 0 || chunk === 0) return chunk * CHUNK_BYTES + this.#bytes;
    return (chunk - 1) * CHUNK_BYTES + this.#upload.chunkLength(chunk - 1); // the last one may be shorter
  }

  /** A piece begins. @param isOnTrial whether nothing of it counts before `keep` */
  begin(isOnTrial: boolean): void {
    this.#kept = { chunk: this.#chunk, bytes: this.#bytes };
    this.#onTrial = isOnTrial ? [] : undefined;
  }

  /**
   * Writes bytes that fit into the file, whatever chunks they are of.
   *
   * @param bytes must stay as they are until that is done
   * @returns a promise when that goes on
   * @throws {StorageError}, or rejects with it
   */
  write(bytes: Uint8Array): void | Promise<void> {
    try {
      let rest = bytes;
      while (rest.length > 0) {
        const room = this.#upload.chunkLength(this.#chunk) - this.#bytes;
        assert(room > 0, 'bytes behind the end of the file');
        const part = rest.length > room ? rest.subarray(0, room) : rest;
        rest = rest.subarray(part.length);
        const pending = this.#writePart(part);
        if (pending) return pending.then(() => this.write(rest)).catch(asStorageError);
      }
    } catch (error) {
      asStorageError(error);
    }
  }

  /** What has come counts from now on. To be called when no write goes on, between pieces. */
  keep(): void {
    for (const { number, digest, bytes } of this.#onTrial ?? []) this.#upload.finishChunk(number, digest, bytes);
    this.#onTrial = undefined;
    if (this.#bytes > this.#keptBytes) this.#upload.finishChunk(this.#chunk, this.#hash.soFar(), this.#bytes);
    this.#keptBytes = this.#bytes;
    this.close();
  }

  /** Goes back to where the piece began, which must be on trial. To be called when no write goes on. @throws {StorageError} */
  async discard(): Promise<void> {
    this.close();
    this.#onTrial = undefined;
    this.#chunk = this.#kept.chunk;
    this.#bytes = this.#kept.bytes;
    this.#keptBytes = this.#kept.bytes;
    this.#hash.restart();
    try {
      await this.#readBegin();
    } catch (error) {
      asStorageError(error);
    }
  }

  /** Lets go of the chunk that has begun. */
  close(): void {
    this.#upload.leaveChunk(this.#chunk, this);
    this.#isInChunk = false;
  }

  #writePart(part: Uint8Array): void | Promise<void> {
    if (!this.#isInChunk) {
      this.#isInChunk = true;
      const pending = this.#upload.beginChunk(this.#chunk, this, this.#bytes > 0);
      if (pending) return pending.then(() => this.#writePart(part));
    }
    this.#hash.update(part);
    this.#writer.moveTo(this.#chunk * CHUNK_BYTES + this.#bytes);
    this.#bytes += part.length;
    const pending = this.#writer.write([part]);
    this.#upload.noteWritten();
    if (pending) return pending.then(() => this.#file.stampPooled()).then(() => this.#endIfFull());
    this.#file.stampNow();
    this.#endIfFull();
  }

  #endIfFull(): void {
    if (this.#bytes < this.#upload.chunkLength(this.#chunk)) return;
    const finished = { number: this.#chunk, digest: this.#hash.end(), bytes: this.#bytes };
    if (this.#onTrial) this.#onTrial.push(finished);
    else this.#upload.finishChunk(finished.number, finished.digest, finished.bytes);
    this.close();
    this.#chunk += 1;
    this.#bytes = 0;
    this.#keptBytes = 0;
  }

  /** So that the digest of the chunk can go on. */
  async #readBegin(signal?: AbortSignal): Promise<void> {
    if (this.#bytes === 0) return;
    const from = this.#chunk * CHUNK_BYTES;
    await digestRange(this.#file.handle, from, this.#bytes, signal, async (piece) => this.#hash.update(piece));
  }
}

function asStorageError(error: unknown): never {
  throw storageErrorFrom(error, 'file');
}
