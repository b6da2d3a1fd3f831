import { ChunkHash, contentDigest, diskTurn, SYNC_EVERY_BYTES } from '@sluice/files';
import type { Log } from '../../log.js';
import { StorageError, storageErrorFrom } from '../storage-error.js';
import { AppendPlace } from './append-place.js';
import { CHUNK_BYTES, ChunkTable, chunkCount, chunkLength } from './chunk-table.js';
import type { Reservation } from './space-reservations.js';
import { digestRange, type StagedFile } from './staged-file.js';
import type { TargetFile } from './target-file.js';
import type { JournalContent, PartialIdentity, UploadJournal } from './upload-journal.js';
import { UploadPlace } from './upload-place.js';

/** Bytes that one question for chunks reads at most, beyond what it was asked first: about a quarter of a second of work. */
const MAX_READ_FOR_ENTRIES_BYTES = 256 << 20;

/** A journal whose end is damaged by more than a torn record has lost chunks that are there. */
const TORN_RECORD_BYTES = 256;

/** One connection that works on a staged upload. */
export interface UploadHolder {
  /** A newer session has taken the upload over: ends the connection. Settles when nothing of it goes on any more. */
  takeOver(): Promise<void>;
}

/** What is known of a chunk before it is sent. */
export interface KnownChunk {
  /** `staged`: it counts. `found`: it stands there, or in the file that has the name; it counts when `use` was called for it. */
  readonly state: 'missing' | 'staged' | 'found';
  readonly digest: bigint;
}

const MISSING: KnownChunk = { state: 'missing', digest: 0n };

/** An upload on its way: data, journal, and which chunks are there. Shared by all connections that work on it. */
export class StagedUpload {
  readonly id: string;
  readonly identity: PartialIdentity;
  /** Whether what was found came from this very source, from another state of it, or nothing was found. */
  readonly found: 'same' | 'other' | 'none';
  readonly holders = new Set<UploadHolder>();
  /** Room on the disk that is kept for it. */
  reservation: Reservation | undefined;
  readonly #file: StagedFile;
  readonly #journal: UploadJournal;
  readonly #target: TargetFile | undefined;
  readonly #syncs: boolean;
  readonly #syncNames: () => Promise<void>;
  readonly #log: Log;
  readonly #chunks = new ChunkTable();
  /** Chunks that stand in the data without a record in the journal, by number; their digests, when they were asked for. */
  readonly #unrecorded = new Map<number, bigint | undefined>();
  readonly #beingWritten = new Map<number, object>();
  #areNamesSynced = false;
  #isSealed = false;
  #unsyncedBytes = 0;
  #syncing: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  /**
   * @param opened what it works on, and closes
   * @param options `syncs`: whether data are synced while they come; `syncNames` puts the names of its files on the disk
   */
  constructor(
    id: string,
    identity: PartialIdentity,
    { file, journal, content, target }: OpenedPartial,
    { syncs, syncNames, log }: StagedUploadOptions,
  ) {
    this.id = id;
    this.identity = identity;
    this.#file = file;
    this.#journal = journal;
    this.#target = target;
    this.#syncs = syncs;
    this.#syncNames = syncNames;
    this.#log = log;
    const { found } = file;
    const { lastSync } = content;
    const isAsSynced = lastSync?.size === found.size && lastSync.changedNs === found.changedNs;
    // A file that was left in order, and has changed since, was changed by somebody else, whatever time it shows.
    const isOurs = lastSync === undefined && found.hasStamp;
    this.#chunks.load(content.chunks, (chunk) => !(isAsSynced || (isOurs && chunk.isSynced)));
    if (content.damagedBytes > TORN_RECORD_BYTES || (!content.identity && found.size > 0)) {
      log.warn('the journal of a partial is damaged', { file: identity.name, upload: id, bytes: content.damagedBytes });
      for (let number = 0; number < chunkCount(found.size); number += 1)
        if (!this.#chunks.get(number)) this.#unrecorded.set(number, undefined);
    }
    const isEmpty = this.#chunks.end === 0 && this.#unrecorded.size === 0;
    const isSame = identity.sourceId !== undefined && identity.sourceId === content.identity?.sourceId;
    this.found = isEmpty ? 'none' : isSame ? 'same' : 'other';
  }

  /** Bytes of finished chunks. */
  get stagedBytes(): number {
    return this.#chunks.bytes;
  }

  /** Chunks for which `known` may have something to say. */
  get knownChunks(): number {
    const ofUnrecorded = Math.max(0, ...[...this.#unrecorded.keys()].map((number) => number + 1));
    const most = Math.max(this.#chunks.end, ofUnrecorded, this.#target ? chunkCount(this.#target.size) : 0);
    return this.identity.size === undefined ? most : Math.min(most, chunkCount(this.identity.size));
  }

  /** Whether its data are synced while they come. */
  get syncs(): boolean {
    return this.#syncs;
  }

  get isHeld(): boolean {
    return this.holders.size > 0;
  }

  /** Whether a sync has failed: then nothing that was not synced before may be taken for written. */
  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** The place of one connection in it. */
  async openPlace(): Promise<UploadPlace> {
    return new UploadPlace(this, this.#file, await ChunkHash.create());
  }

  /**
   * A place behind all that is there in a row from the beginning, for who sends a file from its beginning to its end. What an earlier process
   * has left is read and compared now.
   *
   * @throws {StorageError}; the signal's reason
   */
  async openAppendPlace(signal?: AbortSignal): Promise<AppendPlace> {
    try {
      let number = 0;
      for (; ; number += 1) {
        await this.#verify(number, signal);
        const chunk = this.#chunks.get(number);
        if (chunk?.bytes !== this.chunkLength(number)) break;
      }
      const begun = this.#chunks.get(number);
      const place = await AppendPlace.open(this, this.#file, number, begun?.bytes ?? 0, signal);
      if (!begun || place.begunDigest === begun.digest) return place;
      this.#chunks.delete(number);
      await this.#journal.dropChunk(number);
      return await AppendPlace.open(this, this.#file, number, 0, signal);
    } catch (error) {
      signal?.throwIfAborted();
      throw storageErrorFrom(error, 'file');
    }
  }

  /** Bytes that chunk `number` must have; the whole of one when the size is not known. */
  chunkLength(number: number): number {
    return this.identity.size === undefined ? CHUNK_BYTES : chunkLength(this.identity.size, number);
  }

  /**
   * What is known of a row of chunks; fewer than asked for when that takes too much reading. What an earlier process has left and what
   * somebody else has touched is read and compared now; what is not as the journal has it is named in the log, and missing.
   *
   * @throws {StorageError}; the signal's reason
   */
  async known(first: number, count: number, signal?: AbortSignal): Promise<KnownChunk[]> {
    const entries: KnownChunk[] = [];
    const end = Math.min(first + count, this.knownChunks);
    let readBytes = 0;
    try {
      for (let number = first; number < end && readBytes <= MAX_READ_FOR_ENTRIES_BYTES; number += 1) {
        if (this.#needsReading(number)) readBytes += CHUNK_BYTES;
        entries.push(await this.#knownChunk(number, signal));
      }
    } catch (error) {
      signal?.throwIfAborted();
      throw storageErrorFrom(error, 'file');
    }
    return entries;
  }

  #needsReading(number: number): boolean {
    const chunk = this.#chunks.get(number);
    if (chunk) return chunk.isDoubtful;
    if (this.#unrecorded.has(number)) return this.#unrecorded.get(number) === undefined;
    return this.#target !== undefined && !this.#target.knows(number);
  }

  async #knownChunk(number: number, signal?: AbortSignal): Promise<KnownChunk> {
    await this.#verify(number, signal);
    const chunk = this.#chunks.get(number);
    if (chunk && chunk.bytes === this.chunkLength(number)) return { state: 'staged', digest: chunk.digest };
    const length = this.chunkLength(number);
    if (this.#unrecorded.has(number)) {
      const { digest, bytes } = await digestRange(this.#file.handle, number * CHUNK_BYTES, length, signal);
      if (bytes === length) {
        this.#unrecorded.set(number, digest);
        return { state: 'found', digest };
      }
      this.#unrecorded.delete(number);
    }
    if (!this.#target || chunkLength(this.#target.size, number) !== length) return MISSING;
    const digest = await this.#target.digest(number, signal);
    return digest === undefined ? MISSING : { state: 'found', digest };
  }

  /** Reads a doubtful chunk and compares it with the journal. */
  async #verify(number: number, signal?: AbortSignal): Promise<void> {
    const chunk = this.#chunks.get(number);
    if (!chunk?.isDoubtful) return;
    const { digest, bytes } = await digestRange(this.#file.handle, number * CHUNK_BYTES, chunk.bytes, signal);
    if (this.#chunks.get(number) !== chunk) return; // somebody has sent it meanwhile
    if (bytes === chunk.bytes && digest === chunk.digest) {
      chunk.isDoubtful = false;
      return;
    }
    this.#log.warn('a chunk of a partial is damaged', { file: this.identity.name, upload: this.id, chunk: number });
    this.#chunks.delete(number);
    await this.#journal.dropChunk(number);
  }

  /**
   * Takes chunks that were found, those of which `known` has told the digest: from the data, or from the file that has the name now. One that
   * is another meanwhile stays missing.
   *
   * @throws {StorageError}; the signal's reason
   */
  async use(first: number, count: number, signal: AbortSignal): Promise<void> {
    try {
      for (let number = first; number < Math.min(first + count, this.knownChunks); number += 1) {
        signal.throwIfAborted();
        if (this.#beingWritten.has(number) || this.#chunks.get(number)) continue;
        const unrecorded = this.#unrecorded.get(number);
        if (unrecorded !== undefined) {
          this.#unrecorded.delete(number);
          this.finishChunk(number, unrecorded, this.chunkLength(number));
        } else await this.#copyFromTarget(number, signal);
      }
    } catch (error) {
      signal.throwIfAborted();
      throw storageErrorFrom(error, 'file');
    }
  }

  async #copyFromTarget(number: number, signal: AbortSignal): Promise<void> {
    const told = this.#target?.told(number);
    const length = this.chunkLength(number);
    if (!this.#target || told === undefined || chunkLength(this.#target.size, number) !== length) return;
    const place = await this.openPlace();
    place.moveTo(number * CHUNK_BYTES);
    try {
      await digestRange(this.#target.handle, number * CHUNK_BYTES, length, signal, async (piece) =>
        place.write([piece]),
      );
      if (place.isAtChunkEnd) place.endChunk(told);
    } finally {
      place.close();
    }
  }

  /**
   * Gives a chunk to one place, for writing; it counts no more until it is finished again.
   *
   * @param keepsBegin whether what is recorded of it is its begin, which stays as it is and goes on counting
   * @returns a promise when the journal has to be told first
   * @throws {StorageError} `ERR_IN_USE` when another connection writes it
   */
  beginChunk(number: number, place: object, keepsBegin = false): void | Promise<void> {
    if (this.#failure) throw storageErrorFrom(this.#failure.error, 'file');
    if (this.#isSealed) throw new StorageError('ERR_IN_USE', 'the upload is being committed');
    const writing = this.#beingWritten.get(number);
    if (writing && writing !== place) throw new StorageError('ERR_IN_USE', 'another connection sends this chunk');
    this.#beingWritten.set(number, place);
    this.#unrecorded.delete(number);
    this.#journal.beginWriting().catch((error: unknown) => this.#fail(error));
    if (keepsBegin || !this.#chunks.get(number)) return;
    this.#chunks.delete(number);
    return this.#journal.dropChunk(number).catch((error) => {
      throw storageErrorFrom(error, 'file');
    });
  }

  /** The place leaves the chunk, finished or not. */
  leaveChunk(number: number, place: object): void {
    if (this.#beingWritten.get(number) === place) this.#beingWritten.delete(number);
  }

  /** The place is gone. */
  leaveAll(place: object): void {
    for (const [number, other] of this.#beingWritten) if (other === place) this.#beingWritten.delete(number);
  }

  /** All bytes of a chunk are written, or those of its begin, and are what they should be. */
  finishChunk(number: number, digest: bigint, bytes: number): void {
    const addedBytes = bytes - (this.#chunks.get(number)?.bytes ?? 0);
    this.#chunks.set(number, { digest, bytes, isSynced: false, isDoubtful: false });
    this.reservation?.use(addedBytes);
    this.#journal.finishChunk(number, digest, bytes).catch((error: unknown) => this.#fail(error));
    this.#unsyncedBytes += addedBytes;
    if (this.#syncs && this.#unsyncedBytes >= SYNC_EVERY_BYTES && !this.#syncing) {
      this.#syncing = this.#sync().finally(() => {
        this.#syncing = undefined;
      });
    }
  }

  /** Bytes of a chunk were written. When all uploads together have written much, one of them is synced: that shows whether the disk takes it. */
  noteWritten(): void {
    if (!this.#syncs || this.#syncing || !this.#file.wantsSync) return;
    this.#syncing = this.#syncData().finally(() => {
      this.#syncing = undefined;
    });
  }

  /** Without a word in the journal: no chunk counts as synced by this. Never rejects: a failure is kept. */
  async #syncData(): Promise<void> {
    try {
      await this.#file.sync();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** A chunk is not what the client says that it is. */
  refuseChunk(number: number): void {
    this.#log.warn('a chunk arrived damaged', { file: this.identity.name, upload: this.id, chunk: number });
  }

  /** Never rejects: a failure is kept. */
  async #sync(): Promise<void> {
    this.#unsyncedBytes = 0;
    const { count } = this.#journal;
    const finished = [...this.#chunks].filter(([, chunk]) => !chunk.isSynced && !chunk.isDoubtful);
    try {
      if (!this.#areNamesSynced) await this.#syncNames();
      this.#areNamesSynced = true;
      const state = await this.#file.sync();
      for (const [, chunk] of finished) chunk.isSynced = true;
      await this.#journal.markSynced(count, state);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    if (this.#failure) return;
    this.#failure = { error };
    this.#log.error('a staged upload cannot be kept', {
      file: this.identity.name,
      upload: this.id,
      detail: String(error),
    });
  }

  /**
   * Lets nobody write any more, unless somebody does.
   *
   * @throws {StorageError} `ERR_IN_USE`
   */
  seal(): void {
    if (this.#beingWritten.size > 0) throw new StorageError('ERR_IN_USE', 'a chunk has begun and not ended');
    this.#isSealed = true;
  }

  unseal(): void {
    this.#isSealed = false;
  }

  /**
   * Looks whether the file is complete.
   *
   * @returns how many chunks are missing, or are not what the client says; 0 when the file may get its name
   * @throws {StorageError}; the signal's reason
   */
  async missingChunks(fileSize: number, digest: bigint, signal?: AbortSignal): Promise<number> {
    await this.#verifyAll(signal);
    const missing = this.#chunks.missing(fileSize);
    if (missing > 0) return missing;
    // Some chunk is another than the client's: which one, only the client can tell.
    return (await contentDigest(this.#chunks.digests(fileSize))) === digest ? 0 : 1;
  }

  async #verifyAll(signal: AbortSignal | undefined): Promise<void> {
    try {
      for (const [number] of [...this.#chunks]) await this.#verify(number, signal);
    } catch (error) {
      signal?.throwIfAborted();
      throw storageErrorFrom(error, 'file');
    }
  }

  /**
   * The content digest of what is there, for who sends without digests of its own.
   *
   * @returns `undefined` when something is missing
   * @throws {StorageError}; the signal's reason
   */
  async wholeDigest(fileSize: number, signal?: AbortSignal): Promise<bigint | undefined> {
    await this.#verifyAll(signal);
    return this.#chunks.missing(fileSize) > 0 ? undefined : await contentDigest(this.#chunks.digests(fileSize));
  }

  /** The digests of all chunks, 8 bytes each, big-endian; of a complete file. */
  chunkDigests(fileSize: number): Uint8Array {
    const bytes = new Uint8Array(chunkCount(fileSize) * 8);
    const view = new DataView(bytes.buffer);
    let at = 0;
    for (const digest of this.#chunks.digests(fileSize)) {
      view.setBigUint64(at, digest);
      at += 8;
    }
    return bytes;
  }

  /**
   * Gives the complete file its length, its time and its permissions, and puts it on the disk if asked to.
   *
   * @throws {StorageError}
   */
  async finish(fileSize: number, { modifiedNs, mode, durable }: FinishOptions): Promise<FinishedFile> {
    await this.#syncing;
    if (this.#failure) throw storageErrorFrom(this.#failure.error, 'file');
    const { handle } = this.#file;
    try {
      if ((await handle.stat()).size !== fileSize) await handle.truncate(fileSize);
      if (mode !== undefined) await handle.chmod(mode);
      const seconds = modifiedNs === undefined ? Date.now() / 1000 : Number(modifiedNs) / 1e9;
      await handle.utimes(seconds, seconds);
      // Not datasync: the time belongs to what the recorded digest is found by.
      if (durable) await diskTurn(() => handle.sync());
      const { size, mtimeNs, ino } = await handle.stat({ bigint: true });
      return { size: Number(size), modifiedNs: mtimeNs, inode: ino };
    } catch (error) {
      this.#fail(error);
      throw storageErrorFrom(error, 'file');
    }
  }

  /** Puts what is finished on the disk, and lets the journal say so. Never rejects: what could not be synced does not count any more. */
  async settle(): Promise<void> {
    await this.#syncing;
    if (!this.#failure && this.#chunks.bytes > 0) await this.#sync();
    if (!this.#failure) return;
    // The system still shows what it could not write, and may forget it a moment later.
    const unsynced = [...this.#chunks].filter(([, chunk]) => !chunk.isSynced && !chunk.isDoubtful);
    for (const [number] of unsynced) {
      this.#chunks.delete(number);
      await this.#journal.dropChunk(number).catch(() => {}); // then it is doubtful, or gone
    }
  }

  /** Whether there is anything to go on with later. */
  get isWorthKeeping(): boolean {
    return this.#chunks.bytes > 0 || this.#unrecorded.size > 0;
  }

  async close(): Promise<void> {
    await this.#syncing;
    await this.#journal.close();
    await Promise.all([this.#file.handle.close().catch(() => {}), this.#target?.close().catch(() => {})]);
  }
}

/** What a staged upload works on. */
export interface OpenedPartial {
  readonly file: StagedFile;
  readonly journal: UploadJournal;
  /** What the journal said when it was opened. */
  readonly content: JournalContent;
  readonly target: TargetFile | undefined;
}

export interface StagedUploadOptions {
  readonly syncs: boolean;
  readonly syncNames: () => Promise<void>;
  readonly log: Log;
}

export interface FinishOptions {
  /** @default now */
  readonly modifiedNs: bigint | undefined;
  /** Permission bits. @default as the file was made */
  readonly mode: number | undefined;
  readonly durable: boolean;
}

/** What a finished file is known by. */
export interface FinishedFile {
  readonly size: number;
  readonly modifiedNs: bigint;
  readonly inode: bigint;
}
