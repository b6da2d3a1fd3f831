import { constants, statSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { diskTurn } from '@sluice/files';
import type { Coordinator } from '../coordination/coordinator.js';
import {
  encodeDigestRecord,
  type FoundRecord,
  LOG_HEADER_BYTES,
  newLogHeader,
  nextDigestRecord,
  type RecordedDigest,
  saltOf,
} from './digest-log.js';
import type { DirectoryHandle } from './directory-handle.js';
import { systemCodeOf } from './storage-error.js';
import type { Turnstile } from './turnstile.js';

/** A directory whose files have digests: `HeldDirectory` is one. */
export interface DigestedDirectory {
  /** `dev:ino`. */
  readonly key: string;
  /** The names that are in it. Asked for when the log is written anew: records of files that are gone go as well. */
  names(): Promise<ReadonlySet<string>>;
}

/** A name with the digest of the file that has it. */
export interface NamedDigest {
  readonly name: string;
  readonly digest: RecordedDigest;
}

/** What is known of a file without reading its chunk digests. */
export type DigestSummary = Omit<RecordedDigest, 'chunkDigests'>;

/** Chunk digests up to this size are kept in memory, those of larger files are read when they are asked for. */
const MAX_KEPT_DIGEST_BYTES = 64;

/** Records that count, of one directory, in bytes: 60 TiB of files. The oldest go first. */
const MAX_LIVE_BYTES = 128 << 20;

/** What is read of a log, in bytes: it is never longer, unless it could not be written anew. */
const MAX_LOG_BYTES = 2 * MAX_LIVE_BYTES;

/** A log is written anew when it has grown to twice what it was then, and to so many bytes. */
const MIN_COMPACTED_BYTES = 64 << 10;

/** Records read, or written anew, between two turns of the event loop. */
const RECORDS_PER_TURN = 500;

const NEW_SUFFIX = '.new';

/** What is kept of a record. */
interface KeptRecord extends DigestSummary {
  readonly offset: number;
  readonly bytes: number;
  /** One character for each byte: with an array, a record takes 790 bytes of memory in place of 285. `undefined` where they are too many. */
  readonly digestText: string | undefined;
}

interface WaitingRecords {
  readonly entries: readonly NamedDigest[];
  readonly directory: DigestedDirectory;
  readonly durable: boolean;
  readonly settle: (isRecorded: boolean) => void;
}

export interface DirectoryDigestsOptions {
  readonly openLogs: Turnstile;
  readonly maxRecords: number;
  readonly onFailure: (code: string) => void;
  /** Other processes write to the log, too: one at a time, and what they have written is seen at once. */
  readonly coordinator: Coordinator;
}

/** A file as it was when it was last read or written: another process may write to it, too. */
interface LogFile {
  readonly inode: bigint;
  readonly salt: bigint;
  bytes: number;
}

/** The digests of the files of one directory, and the log that they are in. One thing at a time is done with the log. */
export class DirectoryDigests {
  /** Calls that go on. */
  users = 0;
  readonly #directory: DirectoryHandle;
  readonly #fileName: string;
  readonly #options: DirectoryDigestsOptions;
  /** Oldest first. */
  #records = new Map<string, KeptRecord>();
  /** Of the records that count. */
  #liveBytes = 0;
  #file: LogFile | undefined;
  #isLoaded = false;
  /** Bytes at which the log is written anew. */
  #compactAtBytes = MIN_COMPACTED_BYTES;
  #waiting: WaitingRecords[] = [];
  #turn: Promise<unknown> = Promise.resolve();

  constructor(directory: DirectoryHandle, fileName: string, options: DirectoryDigestsOptions) {
    this.#directory = directory;
    this.#fileName = fileName;
    this.#options = options;
  }

  get recordsInMemory(): number {
    return this.#records.size;
  }

  async settled(): Promise<void> {
    await this.#turn;
  }

  record(directory: DigestedDirectory, entries: readonly NamedDigest[], durable: boolean): Promise<boolean> {
    return new Promise((resolve) => {
      this.#waiting.push({ entries, directory, durable, settle: resolve });
      if (this.#waiting.length === 1) void this.#inTurn(() => this.#write());
    });
  }

  async read(name: string): Promise<RecordedDigest | undefined> {
    if (!this.#isUpToDate) await this.#inTurn(() => this.#load());
    const kept = this.#records.get(name);
    if (kept?.digestText !== undefined) return recordOf(kept, Buffer.from(kept.digestText, 'latin1'));
    return kept && (await this.#inTurn(() => this.#readFromFile(name)));
  }

  async summaries(): Promise<ReadonlyMap<string, DigestSummary>> {
    if (!this.#isUpToDate) await this.#inTurn(() => this.#load());
    return this.#records;
  }

  /** Whether the records in memory are those of the log. A server that is one process knows; others look at the file, for some 5 µs. */
  get #isUpToDate(): boolean {
    if (!this.#isLoaded || this.#options.coordinator.isAlone) return this.#isLoaded;
    const prefix = this.#directory.entryPrefix;
    const found = prefix && statSync(`${prefix}/${this.#fileName}`, { bigint: true, throwIfNoEntry: false });
    if (!found) return this.#file === undefined && prefix !== undefined;
    return this.#file?.inode === found.ino && BigInt(this.#file.bytes) === found.size;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T | undefined> {
    const turn = this.#turn.then(() => this.#options.openLogs.pass(work));
    const settled = turn.catch((error: unknown) => {
      this.#isLoaded = false; // nobody knows what is in the file now
      this.#options.onFailure(systemCodeOf(error) ?? String(error));
      return undefined;
    });
    this.#turn = settled;
    return settled;
  }

  async #load(): Promise<void> {
    if (this.#isUpToDate) return;
    try {
      await using handle = await this.#directory.openFile(this.#fileName, constants.O_RDONLY);
      await this.#refresh(handle);
    } catch (error) {
      if (systemCodeOf(error) !== 'ENOENT') throw error;
      this.#begin(undefined);
    }
  }

  #begin(file: LogFile | undefined): void {
    this.#records = new Map();
    this.#liveBytes = 0;
    this.#file = file;
    this.#isLoaded = true;
  }

  /** Reads the log, unless it is as it was. */
  async #refresh(handle: FileHandle): Promise<void> {
    const { ino, size } = await handle.stat({ bigint: true });
    if (this.#isLoaded && this.#file?.inode === ino && BigInt(this.#file.bytes) === size) return;
    if (this.#isLoaded && this.#file?.inode === ino && (await this.#readOn(handle, this.#file, Number(size)))) return;
    const log = await readAll(handle, Math.min(Number(size), MAX_LOG_BYTES));
    const salt = saltOf(log);
    this.#begin(salt === undefined ? undefined : { inode: ino, salt, bytes: Number(size) });
    this.#compactAtBytes = MIN_COMPACTED_BYTES;
    if (salt === undefined) return;
    let count = 0;
    let at = LOG_HEADER_BYTES;
    for (let found = nextDigestRecord(log, at, salt); found; found = nextDigestRecord(log, at, salt)) {
      at = found.offset + found.bytes;
      this.#keep(found);
      count += 1;
      if (count % RECORDS_PER_TURN === 0) await nextTurn();
    }
    this.#compactAtBytes = Math.max(MIN_COMPACTED_BYTES, 2 * this.#liveBytes);
  }

  /** Reads what another process has appended. @returns whether the log is the one that it was */
  async #readOn(handle: FileHandle, file: LogFile, size: number): Promise<boolean> {
    if (size < file.bytes || saltOf(await readAll(handle, LOG_HEADER_BYTES)) !== file.salt) return false;
    const start = file.bytes;
    const log = await readAll(handle, size - start, start);
    for (let found = nextDigestRecord(log, 0, file.salt), at = 0; found; found = nextDigestRecord(log, at, file.salt)) {
      at = found.offset + found.bytes;
      this.#keep({ ...found, offset: start + found.offset });
    }
    file.bytes = size;
    return true;
  }

  #keep({ name, digest, offset, bytes }: FoundRecord): void {
    const { size, modifiedNs, inode, contentDigest, sourceId, chunkDigests } = digest;
    const isKept = chunkDigests.length <= MAX_KEPT_DIGEST_BYTES;
    const digestText = isKept ? asBuffer(chunkDigests).toString('latin1') : undefined;
    this.#drop(name);
    this.#records.set(name, { size, modifiedNs, inode, contentDigest, sourceId, digestText, offset, bytes });
    this.#liveBytes += bytes;
    if (!this.#isTooMuch) return;
    for (const oldest of this.#records.keys()) {
      this.#drop(oldest);
      if (!this.#isTooMuch) return;
    }
  }

  get #isTooMuch(): boolean {
    return this.#records.size > this.#options.maxRecords || this.#liveBytes > MAX_LIVE_BYTES;
  }

  #drop(name: string): void {
    const record = this.#records.get(name);
    if (!record) return;
    this.#liveBytes -= record.bytes;
    this.#records.delete(name);
  }

  /** The file may have been written anew since the record was found: then it is found again. */
  async #readFromFile(name: string): Promise<RecordedDigest | undefined> {
    await using handle = await this.#directory.openFile(this.#fileName, constants.O_RDONLY);
    await this.#refresh(handle);
    const kept = this.#records.get(name);
    if (!kept || !this.#file) return undefined;
    const found = nextDigestRecord(await readAll(handle, kept.bytes, kept.offset), 0, this.#file.salt);
    return found?.offset === 0 && found.name === name ? found.digest : undefined;
  }

  async #write(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    let isRecorded = false;
    const turn = this.#options.coordinator.lock(`digests/${this.#fileName}`);
    const lock = turn instanceof Promise ? await turn : turn;
    try {
      const flags = constants.O_RDWR | constants.O_CREAT | constants.O_APPEND;
      await using handle = await this.#directory.openFile(this.#fileName, flags, 0o600);
      await this.#refresh(handle);
      const isNew = this.#file === undefined;
      const file = this.#file ?? (await this.#beginFile(handle));
      const isDurable = waiting.some(({ durable }) => durable);
      await this.#append(
        handle,
        file,
        waiting.flatMap(({ entries }) => entries),
      );
      if (isDurable) await diskTurn(() => handle.datasync());
      if (isDurable && isNew) await this.#directory.sync();
      isRecorded = true;
      if (file.bytes >= this.#compactAtBytes) await this.#compact(handle, file, await waiting[0]!.directory.names());
    } finally {
      lock.release();
      for (const { settle } of waiting) settle(isRecorded);
    }
  }

  async #beginFile(handle: FileHandle): Promise<LogFile> {
    const header = newLogHeader();
    await handle.truncate(0);
    await writeAll(handle, header);
    const { ino } = await handle.stat({ bigint: true });
    const file = { inode: ino, salt: saltOf(Buffer.from(header))!, bytes: header.length };
    this.#begin(file);
    return file;
  }

  async #append(handle: FileHandle, file: LogFile, entries: readonly NamedDigest[]): Promise<void> {
    const found: FoundRecord[] = [];
    const parts: Buffer[] = [];
    let end = file.bytes;
    for (const { name, digest } of entries) {
      const bytes = encodeDigestRecord(file.salt, name, digest);
      found.push({ name, digest, offset: end, bytes: bytes.length });
      parts.push(bytes);
      end += bytes.length;
    }
    try {
      await writeAll(handle, Buffer.concat(parts));
    } catch (error) {
      await handle.truncate(file.bytes).catch(() => {});
      throw error;
    }
    file.bytes = end;
    for (const record of found) this.#keep(record);
  }

  /** Writes the records that still count to a new file, which then takes the place of the old one. A crash leaves one of them. */
  async #compact(handle: FileHandle, file: LogFile, names: ReadonlySet<string>): Promise<void> {
    const log = await readAll(handle, file.bytes);
    const newName = this.#fileName + NEW_SUFFIX;
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC;
    await using target = await this.#directory.openFile(newName, flags, 0o600);
    const records = new Map<string, KeptRecord>();
    const parts: Uint8Array[] = [log.subarray(0, LOG_HEADER_BYTES)];
    let end = LOG_HEADER_BYTES;
    for (const [name, record] of this.#records) {
      if (!names.has(name)) continue;
      parts.push(log.subarray(record.offset, record.offset + record.bytes));
      records.set(name, { ...record, offset: end });
      end += record.bytes;
      if (parts.length % RECORDS_PER_TURN === 0) {
        await writeAll(target, Buffer.concat(parts.splice(0)));
      }
    }
    await writeAll(target, Buffer.concat(parts));
    await diskTurn(() => target.datasync());
    const { ino } = await target.stat({ bigint: true });
    await this.#directory.rename(newName, this.#fileName);
    await this.#directory.sync();
    this.#records = records;
    this.#liveBytes = end - LOG_HEADER_BYTES;
    this.#file = { inode: ino, salt: file.salt, bytes: end };
    this.#compactAtBytes = Math.max(MIN_COMPACTED_BYTES, 2 * end);
  }
}

function recordOf(
  { size, modifiedNs, inode, contentDigest, sourceId }: KeptRecord,
  chunkDigests: Uint8Array,
): RecordedDigest {
  return { size, modifiedNs, inode, contentDigest, sourceId, chunkDigests };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

async function readAll(handle: FileHandle, bytes: number, position = 0): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(bytes);
  let got = 0;
  while (got < bytes) {
    const { bytesRead } = await handle.read(buffer, got, bytes - got, position + got);
    if (bytesRead === 0) break;
    got += bytesRead;
  }
  return buffer.subarray(0, got);
}

/** Appends. */
async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const from = at;
    at += (await diskTurn(() => handle.write(bytes, from))).bytesWritten;
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
