import type { BigIntStats } from 'node:fs';
import type { Coordinator } from '../coordination/coordinator.js';
import { SINGLE_PROCESS } from '../coordination/single-process.js';
import { type FileVersion, MAX_CHUNK_DIGEST_BYTES, type RecordedDigest } from './digest-log.js';
import { type DigestedDirectory, type DigestSummary, DirectoryDigests, type NamedDigest } from './directory-digests.js';
import type { DirectoryHandle } from './directory-handle.js';
import { systemCodeOf } from './storage-error.js';
import { Turnstile } from './turnstile.js';

export type { DigestedDirectory, DigestSummary, FileVersion, NamedDigest, RecordedDigest };

/** How much of the digests is kept, and who is told when that fails. */
export interface ContentDigestsOptions {
  /** Told of a log that cannot be read or written; the system's code, like ENOSPC. What is not recorded is not known later: that is all. */
  readonly onFailure?: (code: string) => void;
  /** Records of all directories that are kept in memory; about 300 bytes each. @default 200_000 */
  readonly maxRecordsInMemory?: number;
  /** Records of one directory; the oldest go first. @default 200_000 */
  readonly maxRecordsOfDirectory?: number;
  /** @default there are no other processes */
  readonly coordinator?: Coordinator;
}

/**
 * Opens the directory that the logs are in, which then belongs to the digests.
 *
 * @param isMade whether it is made if it is missing: not before there is something to record
 * @returns `undefined` if it is missing
 */
export type DigestPlace = (isMade: boolean) => Promise<DirectoryHandle | undefined>;

interface LogDirectory {
  readonly handle: DirectoryHandle;
  readonly device: string;
}

/** Logs of directories in memory, whatever is in them. */
const MAX_LOGS_IN_MEMORY = 4096;

/** Files open at once. */
const MAX_OPEN_LOGS = 8;

/**
 * The digests of finished files, by directory and name: one log for each directory, in the state directory of the server. A digest is given
 * out only for the version of the file that it was recorded for, and only from a record whose checksum is right. A log that is torn or damaged
 * loses the records that are, and no others. Where nothing can be written nothing is recorded.
 *
 * @see docs/protocol.md, section 17; docs/decisions.md
 */
export class ContentDigests {
  readonly #place: DigestPlace;
  #logDirectory: Promise<LogDirectory | undefined>;
  #making: Promise<LogDirectory | undefined> | undefined;
  readonly #maxInMemory: number;
  readonly #maxOfDirectory: number;
  readonly #onFailure: (code: string) => void;
  readonly #coordinator: Coordinator;
  readonly #openLogs = new Turnstile(MAX_OPEN_LOGS);
  /** Least recently used first. */
  readonly #logs = new Map<string, DirectoryDigests>();

  private constructor(place: DigestPlace, options: ContentDigestsOptions) {
    this.#place = place;
    this.#onFailure = options.onFailure ?? (() => {});
    this.#coordinator = options.coordinator ?? SINGLE_PROCESS;
    this.#maxInMemory = options.maxRecordsInMemory ?? 200_000;
    this.#maxOfDirectory = options.maxRecordsOfDirectory ?? 200_000;
    this.#logDirectory = this.#openPlace(false);
  }

  /** Never rejects. */
  static async open(place: DigestPlace, options: ContentDigestsOptions = {}): Promise<ContentDigests> {
    const digests = new ContentDigests(place, options);
    await digests.#logDirectory;
    return digests;
  }

  /**
   * Records the digests of files that have their names in the directory. All that is recorded while a write goes on is written together, with
   * one sync.
   *
   * @param durable whether it waits until the records are on the disk
   * @returns whether all of them are recorded; never rejects
   */
  async record(directory: DigestedDirectory, entries: readonly NamedDigest[], durable: boolean): Promise<boolean> {
    if (entries.some(({ digest }) => digest.chunkDigests.length > MAX_CHUNK_DIGEST_BYTES)) return false;
    const log = await this.#logOf(directory.key, true);
    if (!log) return false;
    return await this.#using(log, () => log.record(directory, entries, durable));
  }

  /** `undefined` when nothing is recorded for that name, or for another version of the file. Never rejects. */
  async lookup(directoryKey: string, name: string, version: FileVersion): Promise<RecordedDigest | undefined> {
    const digest = await this.lastOf(directoryKey, name);
    return digest && isVersion(digest, version) ? digest : undefined;
  }

  /** The newest record of a name, whatever has the name now. Never rejects. */
  async lastOf(directoryKey: string, name: string): Promise<RecordedDigest | undefined> {
    const log = await this.#logOf(directoryKey, false);
    if (!log) return undefined;
    return await this.#using(log, () => log.read(name));
  }

  /**
   * The newest record of each name, for listings; it may change when more is recorded. Compare the version with `isVersion`. Never rejects.
   */
  async summariesOf(directoryKey: string): Promise<ReadonlyMap<string, DigestSummary>> {
    const log = await this.#logOf(directoryKey, false);
    if (!log) return new Map();
    return await this.#using(log, () => log.summaries());
  }

  /** Ends when what was begun has ended. */
  async close(): Promise<void> {
    await Promise.all(Array.from(this.#logs.values(), (log) => log.settled()));
    await (await this.#logDirectory)?.handle.close();
  }

  /** @param isMade whether a place that is missing is made. @returns `undefined` if it cannot be used */
  async #openPlace(isMade: boolean): Promise<LogDirectory | undefined> {
    try {
      const handle = await this.#place(isMade);
      if (!handle) return undefined;
      const [device = ''] = (await handle.readKey()).split(':');
      return { handle, device };
    } catch (error) {
      this.#onFailure(systemCodeOf(error) ?? String(error));
      return undefined;
    }
  }

  async #logOf(directoryKey: string, isMade: boolean): Promise<DirectoryDigests | undefined> {
    let place = await this.#logDirectory;
    if (!place && !isMade && !this.#coordinator.isAlone) {
      this.#logDirectory = this.#openPlace(false); // another process may have made it
      place = await this.#logDirectory;
    }
    if (!place && isMade) {
      this.#making ??= this.#openPlace(true);
      this.#logDirectory = this.#making;
      place = await this.#making;
      if (!place) this.#making = undefined;
    }
    if (!place) return undefined;
    const [device, inode] = directoryKey.split(':');
    // Numbers of devices may change when the system starts anew; that of the root's device need not be known.
    const name = device === place.device ? `${inode}` : `${device}-${inode}`;
    const known = this.#logs.get(name);
    if (known) this.#logs.delete(name);
    const log =
      known ??
      new DirectoryDigests(place.handle, `${name}.digests`, {
        openLogs: this.#openLogs,
        maxRecords: this.#maxOfDirectory,
        onFailure: this.#onFailure,
        coordinator: this.#coordinator,
      });
    this.#logs.set(name, log);
    return log;
  }

  async #using<T>(log: DirectoryDigests, work: () => Promise<T>): Promise<T> {
    log.users += 1;
    try {
      return await work();
    } finally {
      log.users -= 1;
      this.#forgetOld();
    }
  }

  #forgetOld(): void {
    let records = 0;
    for (const log of this.#logs.values()) records += log.recordsInMemory;
    for (const [name, log] of this.#logs) {
      if (records <= this.#maxInMemory && this.#logs.size <= MAX_LOGS_IN_MEMORY) return;
      if (log.users > 0) continue;
      records -= log.recordsInMemory;
      this.#logs.delete(name);
    }
  }
}

/** The version that a file has. */
export function fileVersionOf({ size, mtimeNs, ino }: BigIntStats): FileVersion {
  return { size: Number(size), modifiedNs: mtimeNs, inode: ino };
}

/** Whether a record is of this version of a file. */
export function isVersion(record: FileVersion, { size, modifiedNs, inode }: FileVersion): boolean {
  return record.size === size && record.modifiedNs === modifiedNs && record.inode === inode;
}
