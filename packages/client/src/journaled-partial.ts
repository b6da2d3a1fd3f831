import { randomInt } from 'node:crypto';
import { futimesSync } from 'node:fs';
import { dirname } from 'node:path';
import { ChunkHash, FileWriter, SYNC_EVERY_BYTES, syncDirectory } from '@sluice/files';
import { DIGEST_CHUNK_BYTES } from '@sluice/wire';
import { digestOf } from './chunk-digest.js';
import type { ChunkStore } from './chunk-store.js';
import { DownloadJournal, type RecordedChunk } from './download-journal.js';
import { ClientError } from './errors.js';
import { localFileError } from './local-errors.js';
import type { PartialFile } from './partial-file.js';
import { readFully } from './read-fully.js';
import type { DamagedPart } from './transfer.js';

/** A stamp lies up to this long ago, in microseconds: as many as one day has. */
const STAMP_SPAN_US = 86_400_000_000;

/** While the partial is written, the journal is touched again when so much time has passed, in milliseconds. */
const TOUCH_EVERY_MS = 20;
/** A partial that was changed so long after its journal was touched, or later, was changed by somebody else; in nanoseconds. */
const TOUCHED_TOGETHER_NS = 40_000_000n;

/** What the finished file is given. */
export interface Finish {
  readonly size: number;
  /** `undefined`: the present time. */
  readonly modifiedNs: bigint | undefined;
  /** Permission bits; `undefined`: those of a new file. */
  readonly mode: number | undefined;
  /** Whether a file that has the target's name may go. */
  readonly mayReplace: boolean;
}

/**
 * The partial of a download in chunks, in any order, with its journal.
 *
 * What the journal says of a chunk is believed without reading it when the chunk was synced, and nobody else has written to the partial
 * since: either the partial is in every detail as it was left; or, if the process that wrote to it was killed, it still has the time of last
 * change that this one gives it after each write, a random one that only the journal tells, and its status was not changed later than that of the journal, which is
 * touched all along. Otherwise the chunk is read, and compared.
 */
export class JournaledPartial implements ChunkStore {
  readonly file: PartialFile;
  /** What was found to be damaged, in the order in which it was found. */
  readonly damaged: DamagedPart[] = [];
  readonly #journal: DownloadJournal;
  readonly #newHash: () => ChunkHash;
  /** Chunk records from this number on are of this process. */
  #firstOwnRecord: number;
  /** Chunks of earlier records that were read and found right. */
  readonly #checked = new Set<number>();
  /** What a journal that is not believed said: damage can still be told from what was never there. */
  #disbelieved = new Map<number, RecordedChunk>();
  #isTrusted: boolean;
  #unknownBytes: number;
  #stamp: { readonly seconds: number; readonly ns: bigint } | undefined;
  #buffer: Uint8Array | undefined;
  #hasBegun = false;
  #isCommitted = false;
  #hasDropped = false;
  #unsyncedBytes = 0;
  #touchedMs = 0;
  /** Of the partial and the journal. */
  #areNamesSynced = false;
  #backgroundSync: Promise<void> | undefined;
  #syncFailure: { readonly error: unknown } | undefined;

  private constructor(
    file: PartialFile,
    journal: DownloadJournal,
    newHash: () => ChunkHash,
    found: { readonly isTrusted: boolean; readonly unknownBytes: number },
  ) {
    this.file = file;
    this.#journal = journal;
    this.#newHash = newHash;
    this.#firstOwnRecord = journal.state.chunkRecords;
    this.#isTrusted = found.isTrusted;
    this.#unknownBytes = found.unknownBytes;
    const stampNs = journal.state.head?.stampNs ?? 0n;
    if (found.isTrusted) this.#stamp = { seconds: secondsOf(stampNs), ns: stampNs };
  }

  /** Opens the journal that belongs to the partial; does not change anything yet. @throws {ClientError} `ERR_LOCAL_FILE` */
  static async open(file: PartialFile): Promise<JournaledPartial> {
    const newHash = await ChunkHash.maker();
    const journal = await DownloadJournal.open(file.target);
    try {
      const stats = await file.handle.stat({ bigint: true });
      const { head, closed } = journal.state;
      const isTrusted =
        head !== undefined &&
        journal.damagedBytes === 0 &&
        head.inode === stats.ino &&
        (closed
          ? closed.size === stats.size && closed.modifiedNs === stats.mtimeNs && closed.changedNs === stats.ctimeNs
          : head.stampNs === stats.mtimeNs && stats.ctimeNs <= (await journal.touchedNs()) + TOUCHED_TOGETHER_NS);
      const unknownBytes = isTrusted ? head.unknownBytes : Number(stats.size);
      const partial = new JournaledPartial(file, journal, newHash, { isTrusted, unknownBytes });
      if (journal.damagedBytes > 0) partial.#noteDamage('journal', 0, journal.damagedBytes);
      return partial;
    } catch (error) {
      await journal.close();
      throw localFileError('read', file.path, error);
    }
  }

  /** Whether an earlier download has left anything to go on with. */
  get isFresh(): boolean {
    return this.#unknownBytes === 0 && this.#journal.state.chunks.size === 0;
  }

  /** Version of the server's file that the journal is about. */
  get version(): string | undefined {
    return this.#isTrusted ? this.#journal.state.head?.version : undefined;
  }

  /** The server's digest of a chunk, if it was recorded for this version. */
  serverDigest(chunk: number): bigint | undefined {
    return this.#journal.state.digests.get(chunk);
  }

  /** How many bytes from the start on are there for certain, as far as the journal tells. */
  get trustedPrefixBytes(): number {
    const { state } = this.#journal;
    let bytes = 0;
    for (let chunk = 0; this.#isTrusted; chunk++) {
      const record = state.chunks.get(chunk);
      if (!record || !state.isSynced(record)) break;
      bytes += record.bytes;
      if (record.bytes < DIGEST_CHUNK_BYTES) break;
    }
    return bytes;
  }

  /** Whether there is a journal at all. */
  get hasJournal(): boolean {
    return this.#journal.state.head !== undefined || this.#journal.damagedBytes > 0;
  }

  /** Forgets all that is there. @throws {ClientError} `ERR_LOCAL_FILE` */
  async clear(): Promise<void> {
    await this.#asLocal(async () => {
      await this.#journal.restart();
      await this.file.handle.truncate(0);
    });
    this.#isTrusted = false;
    this.#unknownBytes = 0;
    this.damaged.length = 0;
  }

  /**
   * Says which state of which file the partial is to become, before anything is written. May be called again for another state.
   *
   * @throws {ClientError} `ERR_LOCAL_FILE`
   */
  async begin(remote: string, version: string, size: number): Promise<void> {
    await this.#asLocal(async () => {
      const { state } = this.#journal;
      const mustForget = !this.#isTrusted && this.hasJournal;
      if (!this.#isTrusted) {
        this.#disbelieved = state.chunks;
        await this.#journal.restart();
        this.#firstOwnRecord = 0;
        this.#stamp = await this.#newStamp();
      }
      this.#hasBegun = true;
      const { head } = this.#journal.state;
      if (head?.version !== version || head.size !== size || !this.#isTrusted) this.#addHead(remote, version, size);
      this.#isTrusted = true;
      if (mustForget) await this.#journal.sync(); // or a loss of power could bring back what it said of the bytes that are written over
      await this.#cutTo(size);
      this.#stampNow();
    });
  }

  /** Says that the whole partial was looked at: chunks that are not recorded are not there. @throws the system's error */
  allKnown(): void {
    const { head } = this.#journal.state;
    if (this.#unknownBytes === 0 || !head) return;
    this.#unknownBytes = 0;
    this.#addHead(head.remote, head.version, head.size);
  }

  /** Records what the server's file has. @throws the system's error */
  addServerDigests(first: number, digests: readonly bigint[]): void {
    if (digests.length > 0) this.#journal.add({ kind: 'digests', first, digests });
  }

  /**
   * The digest of what the partial has of a chunk; of a chunk that it may have and nobody vouches for, after reading it.
   *
   * @param bytes length of the chunk in the server's file
   * @throws {ClientError} `ERR_LOCAL_FILE`
   */
  async digestOf(chunk: number, bytes: number): Promise<bigint | undefined> {
    const { state } = this.#journal;
    const record = state.chunks.get(chunk);
    const isVouchedFor =
      record !== undefined &&
      (record.order >= this.#firstOwnRecord || state.isSynced(record) || this.#checked.has(chunk));
    if (isVouchedFor) return record.bytes === bytes ? record.digest : undefined;
    const position = chunk * DIGEST_CHUNK_BYTES;
    const recorded = record ?? this.#disbelieved.get(chunk);
    if (!record) this.#disbelieved.delete(chunk);
    if (!record && position >= this.#unknownBytes) {
      if (recorded) this.#noteDamage('partial', position, recorded.bytes); // what is behind the end was cut off
      return undefined;
    }
    const digest = await this.#read(position, bytes, recorded);
    if (record && digest === record.digest) this.#checked.add(chunk);
    return digest;
  }

  /** Records that the partial has the chunk. @throws the system's error */
  keep(chunk: number, bytes: number, digest: bigint): void {
    const record = this.#journal.state.chunks.get(chunk);
    if (record?.digest === digest && record.bytes === bytes) return;
    this.#journal.add({ kind: 'chunk', chunk, bytes, digest });
  }

  /** Records that a chunk will be written over. Nothing may be written to it before {@link dropsAreSafe} has settled. */
  drop(chunk: number): void {
    if (!this.#journal.state.chunks.has(chunk)) return;
    this.#journal.add({ kind: 'dropped', first: chunk, count: 1 });
    this.#hasDropped = true;
  }

  /** Otherwise a crash could leave new bytes under a record of the old ones. @throws {ClientError} `ERR_LOCAL_FILE` */
  async dropsAreSafe(): Promise<void> {
    if (!this.#hasDropped) return;
    this.#hasDropped = false;
    await this.#asLocal(() => this.#journal.sync());
  }

  /** Writes the bytes of a chunk that come from elsewhere. @throws {ClientError} `ERR_LOCAL_FILE` */
  async write(position: number, bytes: Uint8Array): Promise<void> {
    await this.#asLocal(async () => {
      await this.writerAt(position).write([bytes]);
      await this.written(bytes.length);
    });
  }

  /** Writes a run of bytes, in order; `written` is to be called after each write. */
  writerAt(position: number): FileWriter {
    return new FileWriter(this.file.handle, position, this.file.pace);
  }

  /**
   * Says that so many bytes were written. Marks the partial as written by this process, and begins a sync from time to time.
   *
   * @returns a promise to be waited for when the thread pool works on it
   * @throws {ClientError} `ERR_LOCAL_FILE`, also for a sync that has failed meanwhile
   */
  written(bytes: number): void | Promise<void> {
    if (this.#syncFailure) throw this.unwritable(this.#syncFailure.error);
    this.#unsyncedBytes += bytes;
    if (this.#unsyncedBytes >= SYNC_EVERY_BYTES && !this.#backgroundSync) {
      this.#backgroundSync = this.#sync().finally(() => {
        this.#backgroundSync = undefined;
      });
    }
    try {
      if (this.file.pace.isDirect) this.#stampNow();
      else return this.#asLocal(() => this.#stampPooled());
    } catch (error) {
      throw this.unwritable(error);
    }
  }

  unwritable(cause: unknown): ClientError {
    return localFileError('write', this.file.path, cause);
  }

  /** Puts the complete file in the place of the target. @throws {ClientError} `ERR_LOCAL_FILE`, `ERR_EXISTS` */
  async commit({ size, modifiedNs, mode, mayReplace }: Finish): Promise<void> {
    await this.#asLocal(async () => {
      await this.#backgroundSync;
      if (this.#syncFailure) throw this.#syncFailure.error;
      const { handle } = this.file;
      if (mode !== undefined) await handle.chmod(mode);
      const seconds = modifiedNs === undefined ? Date.now() / 1_000 : secondsOf(modifiedNs);
      await handle.utimes(seconds, seconds);
      await handle.sync();
      await this.file.commit(size, mayReplace);
      this.#isCommitted = true;
      await this.#journal.remove();
    });
  }

  /** Leaves the partial for the next time, or, if there is nothing in it, not. May be called after `commit`. Never rejects. */
  async close(): Promise<void> {
    await this.#backgroundSync;
    try {
      if (this.#hasBegun && !this.#isCommitted) await this.#leave();
      else if (!this.#isCommitted && !this.hasJournal) await this.#journal.remove();
    } catch {
      // something has failed before, which is what the caller is told; the next download looks at everything that is not recorded as synced
    }
    await this.#journal.close();
  }

  /** Removes the journal: from now on the partial is written without one. @throws {ClientError} `ERR_LOCAL_FILE` */
  async forgetJournal(): Promise<void> {
    await this.#asLocal(() => this.#journal.remove());
    await this.#journal.close();
  }

  async #leave(): Promise<void> {
    const { state } = this.#journal;
    if (!this.#syncFailure) await this.#sync();
    if (this.#syncFailure) {
      // The system still shows these bytes, and may have lost them a moment later.
      for (const [chunk, record] of state.chunks) if (!state.isSynced(record)) this.drop(chunk);
    }
    if (state.chunks.size === 0 && this.#unknownBytes === 0) {
      await this.file.empty();
      await this.#journal.remove();
      return;
    }
    await this.#stampPooled();
    const { size, mtimeNs, ctimeNs } = await this.file.handle.stat({ bigint: true });
    this.#journal.add({ kind: 'closed', size, modifiedNs: mtimeNs, changedNs: ctimeNs });
    await this.#journal.sync();
  }

  /** Never rejects: a failure is kept. */
  async #sync(): Promise<void> {
    this.#unsyncedBytes = 0;
    const { chunkRecords, syncedRecords } = this.#journal.state;
    try {
      await this.file.handle.datasync();
      if (chunkRecords === syncedRecords) return;
      this.#journal.add({ kind: 'synced', chunkRecords });
      await this.#journal.sync();
      if (!this.#areNamesSynced) await syncDirectory(dirname(this.file.target));
      this.#areNamesSynced = true;
    } catch (error) {
      this.#syncFailure ??= { error };
    }
  }

  #addHead(remote: string, version: string, size: number): void {
    const { inode } = this.file;
    const stampNs = this.#stamp?.ns ?? 0n;
    const head = { format: 1, remote, version, size, inode, stampNs, unknownBytes: this.#unknownBytes } as const;
    this.#journal.add({ kind: 'head', head });
  }

  /** Drops what lies behind the end of the server's file, the records first. */
  async #cutTo(size: number): Promise<void> {
    if ((await this.file.handle.stat()).size <= size) return;
    for (const [chunk, { bytes }] of this.#journal.state.chunks) {
      if (chunk * DIGEST_CHUNK_BYTES + bytes > size) this.drop(chunk);
    }
    await this.dropsAreSafe();
    await this.file.handle.truncate(size);
  }

  /** @returns `undefined` when the partial has fewer bytes there */
  async #read(position: number, bytes: number, recorded: RecordedChunk | undefined): Promise<bigint | undefined> {
    this.#buffer ??= new Uint8Array(DIGEST_CHUNK_BYTES);
    const found = this.#buffer.subarray(0, bytes);
    const got = await this.#asLocal(() => readFully(this.file.handle, found, position));
    const digest = got === bytes ? digestOf(this.#newHash, found) : undefined;
    if (recorded?.bytes === bytes && recorded.digest !== digest) this.#noteDamage('partial', position, bytes);
    return digest;
  }

  #noteDamage(file: DamagedPart['file'], position: number, bytes: number): void {
    const last = this.damaged.at(-1);
    if (last?.file === file && last.position + last.bytes === position) {
      this.damaged[this.damaged.length - 1] = { ...last, bytes: last.bytes + bytes };
    } else {
      this.damaged.push({ file, position, bytes });
    }
  }

  /** @returns as the file system keeps it */
  async #newStamp(): Promise<{ seconds: number; ns: bigint }> {
    const seconds = secondsOf(BigInt(Date.now() * 1_000 - randomInt(STAMP_SPAN_US)) * 1_000n);
    await this.file.handle.utimes(seconds, seconds);
    const { mtimeNs } = await this.file.handle.stat({ bigint: true });
    return { seconds: secondsOf(mtimeNs), ns: mtimeNs };
  }

  #stampNow(): void {
    if (this.#stamp) futimesSync(this.file.handle.fd, this.#stamp.seconds, this.#stamp.seconds);
    this.#touchJournal();
  }

  async #stampPooled(): Promise<void> {
    if (this.#stamp) await this.file.handle.utimes(this.#stamp.seconds, this.#stamp.seconds);
    this.#touchJournal();
  }

  #touchJournal(): void {
    const nowMs = performance.now();
    if (nowMs - this.#touchedMs < TOUCH_EVERY_MS) return;
    this.#touchedMs = nowMs;
    this.#journal.touch();
  }

  async #asLocal<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw error instanceof ClientError ? error : localFileError('write', this.file.path, error);
    }
  }
}

/** For the calls of the system, which take whole microseconds: the middle of one, so that rounding does not change it. */
function secondsOf(ns: bigint): number {
  return (Number(ns / 1_000n) + 0.5) / 1e6;
}
