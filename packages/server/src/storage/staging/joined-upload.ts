import { ChunkHash } from '@sluice/files';
import type { Coordinator } from '../../coordination/coordinator.js';
import type { DirectoryHandle } from '../directory-handle.js';
import { storageErrorFrom } from '../storage-error.js';
import { CHUNK_BYTES, chunkLength } from './chunk-table.js';
import { StagedFile } from './staged-file.js';
import type { KnownChunk, StagedUpload, UploadHolder } from './staged-upload.js';
import type { PartialIdentity } from './upload-journal.js';
import { type PlacedUpload, UploadPlace } from './upload-place.js';

/** One connection that has joined an upload of another process; what both name it by. */
export interface JoinKey {
  /** Number of the process that has the connection. */
  readonly process: number;
  readonly joinId: number;
}

/** Who wants to join what. */
export interface JoinRequest extends JoinKey {
  readonly id: string;
  readonly user: string;
}

/** What whoever joins has to know. */
export interface JoinAnswer {
  /** Number of the process that has the upload. */
  readonly owner: number;
  readonly identity: PartialIdentity;
  readonly found: StagedUpload['found'];
  readonly stagedBytes: number;
  readonly knownChunks: number;
  readonly syncs: boolean;
}

export interface ChunkMessage extends JoinKey {
  readonly number: number;
}

export interface FinishedChunkMessage extends ChunkMessage {
  readonly digest: bigint;
  readonly bytes: number;
}

export interface ChunkRangeMessage extends JoinKey {
  readonly first: number;
  readonly count: number;
}

/**
 * A staged upload of another process, as a connection of this one works on it: the data are written here, which chunk is whose, and which are
 * finished, is known there.
 */
export class JoinedUpload implements PlacedUpload {
  readonly id: string;
  readonly identity: PartialIdentity;
  readonly found: StagedUpload['found'];
  readonly knownChunks: number;
  readonly holders = new Set<UploadHolder>();
  readonly key: JoinKey;
  readonly owner: number;
  readonly #coordinator: Coordinator;
  readonly #file: StagedFile;
  readonly #syncs: boolean;
  #stagedBytes: number;
  #syncing: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  /** @param fileName of the data, in the staging directory */
  static async open(
    key: JoinKey,
    id: string,
    answer: JoinAnswer,
    coordinator: Coordinator,
    directory: DirectoryHandle,
    fileName: string,
  ): Promise<JoinedUpload> {
    const file = await StagedFile.open(directory, fileName, answer.identity.stamp);
    return new JoinedUpload(key, id, answer, coordinator, file);
  }

  private constructor(key: JoinKey, id: string, answer: JoinAnswer, coordinator: Coordinator, file: StagedFile) {
    this.key = key;
    this.id = id;
    this.owner = answer.owner;
    this.identity = answer.identity;
    this.found = answer.found;
    this.knownChunks = answer.knownChunks;
    this.#stagedBytes = answer.stagedBytes;
    this.#syncs = answer.syncs;
    this.#coordinator = coordinator;
    this.#file = file;
  }

  /** What was there when it joined, and what it has added. */
  get stagedBytes(): number {
    return this.#stagedBytes;
  }

  chunkLength(number: number): number {
    return this.identity.size === undefined ? CHUNK_BYTES : chunkLength(this.identity.size, number);
  }

  async openPlace(): Promise<UploadPlace> {
    return new UploadPlace(this, this.#file, await ChunkHash.create());
  }

  known(first: number, count: number, signal?: AbortSignal): Promise<KnownChunk[]> {
    return this.#ask('known', { first, count }, signal);
  }

  use(first: number, count: number, signal: AbortSignal): Promise<void> {
    return this.#ask('use', { first, count }, signal);
  }

  beginChunk(number: number): Promise<void> {
    return this.#ask('begin', { number });
  }

  async finishChunk(number: number, digest: bigint, bytes: number): Promise<void> {
    if (this.#failure) throw storageErrorFrom(this.#failure.error, 'file');
    await this.#ask('finish', { number, digest, bytes });
    this.#stagedBytes += bytes;
  }

  leaveChunk(number: number): void {
    this.#ask('leave', { number }).catch(() => {}); // the other process is gone, and the upload with it
  }

  refuseChunk(number: number): void {
    this.#ask('refuse', { number }).catch(() => {});
  }

  /** As the upload does it; that it can be told as synced, only its own process says. */
  noteWritten(): void {
    if (!this.#syncs || this.#syncing || !this.#file.wantsSync) return;
    this.#syncing = this.#file
      .sync()
      .then(
        () => {},
        (error: unknown) => {
          this.#failure ??= { error };
        },
      )
      .finally(() => {
        this.#syncing = undefined;
      });
  }

  /** The connection goes on with something else, or is gone. */
  async leave(): Promise<void> {
    await this.#ask('end', {}).catch(() => {});
    await this.#syncing;
    await this.#file.handle.close();
  }

  /** Gives the upload up, for all connections. */
  async drop(): Promise<void> {
    await this.#ask('drop', {});
    await this.#syncing;
    await this.#file.handle.close();
  }

  #ask<T>(what: string, body: object, signal?: AbortSignal): Promise<T> {
    return this.#coordinator.askOne<T>(this.owner, `staging.joined.${what}`, { ...this.key, ...body }, signal);
  }
}
