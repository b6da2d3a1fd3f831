import { constants } from 'node:fs';
import type { Log } from '../../log.js';
import type { DirectoryHandle } from '../../storage/directory-handle.js';
import { StorageError, storageErrorFrom, systemCodeOf } from '../../storage/storage-error.js';

/** Uploads by tus that are not complete, of one user, and of all users together. */
export const MAX_TUS_UPLOADS_OF_USER = 1000;
export const MAX_TUS_UPLOADS = 10_000;

/** Complete ones that are remembered: a client that has not got the last answer asks how far it is. */
const MAX_COMPLETE = 10_000;
const KEEP_COMPLETE_MS = 3_600_000;

/** A record is this large at most: names and metadata are limited. */
const MAX_RECORD_BYTES = 128 << 10;

/** A record is made in less. */
const MAKING_MS = 60_000;

const OPEN = '.open';
const COMPLETE = '.complete';
const RECORD_NAME = /^([0-9a-f]{32})(\.open|\.complete)$/;

/** What an upload by tus is. */
export interface TusRecord {
  /** 32 random hexadecimal digits: who knows it, and is its user, may go on with it. */
  readonly id: string;
  readonly user: string;
  /** Of what it becomes. */
  readonly directory: readonly string[];
  readonly fileName: string;
  readonly mayReplace: boolean;
  readonly size: number;
  /** As its client has sent it. */
  readonly metadata: string;
}

/** What is known of a record without reading it. */
interface KnownRecord {
  readonly user: string;
  /** Of the file, from the user's root. */
  readonly path: string;
  isComplete: boolean;
  changedAtMs: number;
}

/** A record, and what has become of the upload. */
export interface FoundRecord {
  readonly record: TusRecord;
  readonly isComplete: boolean;
  readonly isExpired: boolean;
}

export interface TusRecordsOptions {
  /** Age after which an upload that nobody goes on with has expired, in milliseconds; 0 for never. */
  readonly keepMs: number;
  readonly nowMs: () => number;
  readonly log: Log;
}

/**
 * The uploads by tus that were created, each in a file of its own: a restart forgets none, and any process of the server finds them. What has come
 * of an upload is in the staging area. One that has expired is known for as long again, so that its client is told why it cannot go on.
 */
export class TusRecords {
  readonly #place: (isMade: boolean) => Promise<DirectoryHandle | undefined>;
  readonly #options: TusRecordsOptions;
  /** Of this process, and those that the last sweep has found. */
  readonly #known = new Map<string, KnownRecord>();
  #directory: DirectoryHandle | undefined;
  #making: Promise<DirectoryHandle | undefined> | undefined;
  #looking: Promise<DirectoryHandle | undefined> | undefined;

  private constructor(
    place: (isMade: boolean) => Promise<DirectoryHandle | undefined>,
    options: TusRecordsOptions,
    directory: DirectoryHandle | undefined,
  ) {
    this.#place = place;
    this.#options = options;
    this.#directory = directory;
  }

  /** @throws {StorageError} */
  static async open(
    place: (isMade: boolean) => Promise<DirectoryHandle | undefined>,
    options: TusRecordsOptions,
  ): Promise<TusRecords> {
    const records = new TusRecords(place, options, await place(false));
    await records.sweep();
    return records;
  }

  /** When an upload expires that something has been done with just now; `undefined` for never. */
  get expiry(): Date | undefined {
    const { keepMs, nowMs } = this.#options;
    return keepMs === 0 ? undefined : new Date(nowMs() + keepMs);
  }

  /**
   * Keeps a record of an upload whose partial has been begun. Earlier ones of the same user to the same name have lost theirs to it.
   *
   * @throws {StorageError} `ERR_NO_SPACE` for too many
   */
  async add(record: TusRecord): Promise<void> {
    const path = pathOf(record);
    const replaced = [...this.#known].filter(
      ([, known]) => !known.isComplete && known.user === record.user && known.path === path,
    );
    this.#requireRoom(record.user);
    const known = { user: record.user, path, isComplete: false, changedAtMs: this.#options.nowMs() };
    this.#known.set(record.id, known); // counts at once
    try {
      for (const [id] of replaced) await this.remove(id);
      const directory = await this.#made();
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
      const handle = await directory.openFile(record.id + OPEN, flags, 0o600);
      try {
        await handle.writeFile(JSON.stringify(record));
        await handle.utimes(known.changedAtMs / 1000, known.changedAtMs / 1000);
      } finally {
        await handle.close();
      }
    } catch (error) {
      this.#known.delete(record.id);
      throw storageErrorFrom(error, 'file');
    }
  }

  /** @returns `undefined` when there is none of that id, or it is another user's. @throws {StorageError} */
  async find(id: string, user: string): Promise<FoundRecord | undefined> {
    if (!/^[0-9a-f]{32}$/.test(id)) return undefined;
    const directory = await this.#found();
    if (!directory) return undefined;
    for (const suffix of [OPEN, COMPLETE]) {
      const read = await readRecord(directory, id + suffix);
      if (!read) continue;
      if (read.record.user !== user) return undefined;
      const { keepMs, nowMs } = this.#options;
      const isComplete = suffix === COMPLETE;
      const isExpired = !isComplete && keepMs > 0 && read.changedAtMs + keepMs < nowMs();
      this.#known.set(id, { user, path: pathOf(read.record), isComplete, changedAtMs: read.changedAtMs });
      return { record: read.record, isComplete, isExpired };
    }
    return undefined;
  }

  /** Something was done with the upload: it expires later. @throws {StorageError} */
  async touch(id: string): Promise<void> {
    const directory = await this.#made();
    const nowMs = this.#options.nowMs();
    try {
      const handle = await directory.openFile(id + OPEN, constants.O_RDWR);
      try {
        await handle.utimes(nowMs / 1000, nowMs / 1000);
      } finally {
        await handle.close();
      }
    } catch (error) {
      if (systemCodeOf(error) !== 'ENOENT') throw storageErrorFrom(error, 'file');
    }
    const known = this.#known.get(id);
    if (known) known.changedAtMs = nowMs;
  }

  /** The file has its name. @throws {StorageError} */
  async complete(id: string): Promise<void> {
    const known = this.#known.get(id);
    if (known) known.isComplete = true;
    try {
      await (await this.#made()).rename(id + OPEN, id + COMPLETE);
    } catch (error) {
      if (systemCodeOf(error) !== 'ENOENT') throw storageErrorFrom(error, 'file');
    }
  }

  /** @throws {StorageError} */
  async remove(id: string): Promise<void> {
    this.#known.delete(id);
    const directory = await this.#found();
    for (const suffix of [OPEN, COMPLETE]) {
      await directory?.unlink(id + suffix).catch((error: unknown) => {
        if (systemCodeOf(error) !== 'ENOENT') throw storageErrorFrom(error, 'file');
      });
    }
  }

  /** Looks what is there, and removes what is too old. Never rejects. */
  async sweep(): Promise<void> {
    const { keepMs, nowMs, log } = this.#options;
    try {
      const directory = await this.#found();
      if (!directory) return;
      await this.#load(directory);
      let complete = 0;
      for (const [id, known] of [...this.#known].sort(([, a], [, b]) => b.changedAtMs - a.changedAtMs)) {
        if (known.isComplete) complete += 1;
        const ageMs = nowMs() - known.changedAtMs;
        const isOld = known.isComplete
          ? ageMs > KEEP_COMPLETE_MS || complete > MAX_COMPLETE
          : keepMs > 0 && ageMs > 2 * keepMs;
        if (isOld) await this.remove(id);
      }
    } catch (error) {
      log.error('uploads by tus cannot be looked through', { detail: String(error) });
    }
  }

  async close(): Promise<void> {
    await this.#looking?.catch(() => {});
    await this.#making?.catch(() => {});
    await this.#directory?.close();
  }

  async #load(directory: DirectoryHandle): Promise<void> {
    const found = new Set<string>();
    // What is younger may be being made just now.
    const isOld = (changedAtMs: number): boolean => this.#options.nowMs() - changedAtMs > MAKING_MS;
    for (const { name } of await directory.list()) {
      const [, id, suffix] = RECORD_NAME.exec(name.toString()) ?? [];
      if (id === undefined || suffix === undefined) continue;
      found.add(id);
      const known = this.#known.get(id);
      const isComplete = suffix === COMPLETE;
      const changedAtMs = (await directory.stat(name.toString()).catch(() => undefined))?.mtimeMs ?? 0;
      if (known?.isComplete === isComplete) {
        known.changedAtMs = Math.max(known.changedAtMs, changedAtMs);
        continue;
      }
      const read = await readRecord(directory, name.toString());
      if (read) {
        const { record } = read;
        this.#known.set(id, { user: record.user, path: pathOf(record), isComplete, changedAtMs });
      } else if (isOld(changedAtMs)) await directory.unlink(name.toString()).catch(() => {}); // torn when it was made
    }
    for (const [id, { changedAtMs }] of this.#known) if (!found.has(id) && isOld(changedAtMs)) this.#known.delete(id);
  }

  #requireRoom(user: string): void {
    let all = 0;
    let own = 0;
    for (const known of this.#known.values()) {
      if (known.isComplete) continue;
      all += 1;
      if (known.user === user) own += 1;
    }
    if (own >= MAX_TUS_UPLOADS_OF_USER || all >= MAX_TUS_UPLOADS)
      throw new StorageError('ERR_NO_SPACE', 'too many uploads that are not complete');
  }

  /** Another process may have made it meanwhile. */
  async #found(): Promise<DirectoryHandle | undefined> {
    if (this.#directory) return this.#directory;
    if (this.#making) return await this.#making;
    this.#looking ??= this.#place(false).finally(() => {
      this.#looking = undefined;
    });
    const found = await this.#looking;
    if (found) this.#directory = found;
    return found;
  }

  async #made(): Promise<DirectoryHandle> {
    if (this.#directory) return this.#directory;
    const found = await this.#looking;
    if (found) return found;
    this.#making ??= this.#place(true).finally(() => {
      this.#making = undefined;
    });
    const made = await this.#making;
    this.#directory = made;
    if (!made) throw new StorageError('ERR_IO', 'there is no place for uploads');
    return made;
  }
}

function pathOf({ directory, fileName }: TusRecord): string {
  return [...directory, fileName].join('/');
}

interface ReadRecord {
  readonly record: TusRecord;
  readonly changedAtMs: number;
}

/** `undefined` when it is not there, or was torn as it was made. @throws {StorageError} */
async function readRecord(directory: DirectoryHandle, name: string): Promise<ReadRecord | undefined> {
  try {
    const handle = await directory.openFile(name, constants.O_RDONLY);
    try {
      const { size, mtimeMs } = await handle.stat();
      if (size > MAX_RECORD_BYTES) return undefined;
      return { record: JSON.parse(await handle.readFile('utf8')) as TusRecord, changedAtMs: mtimeMs };
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof SyntaxError || systemCodeOf(error) === 'ENOENT') return undefined;
    throw storageErrorFrom(error, 'file');
  }
}
