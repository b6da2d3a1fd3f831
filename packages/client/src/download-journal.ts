import assert from 'node:assert/strict';
import { constants, futimesSync } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { parseRecords, RecordLog } from '@sluice/files';
import {
  type DownloadRecord,
  decodeDownloadRecord,
  encodeDownloadRecord,
  type JournalHead,
} from './download-records.js';
import { localFileError } from './local-errors.js';
import { readFully } from './read-fully.js';

/** Longer journals are not read: what is behind counts as damaged. */
const MAX_JOURNAL_BYTES = 64 << 20;

/** Behind the name of a file that is being downloaded in ranges: what of the partial is complete, and whose it is. */
export const JOURNAL_SUFFIX = '.sluice-journal';

/** A chunk that the partial has. */
export interface RecordedChunk {
  readonly bytes: number;
  readonly digest: bigint;
  /** The chunk record's number, from 0. */
  readonly order: number;
}

/** What the records of a journal come to. */
export class JournalState {
  head: JournalHead | undefined;
  readonly chunks = new Map<number, RecordedChunk>();
  /** What the server's file has, as far as it was asked; of the version in the head. */
  readonly digests = new Map<number, bigint>();
  /** Chunk records so far, dropped ones included. */
  chunkRecords = 0;
  /** So many of them are of bytes that are on the disk. */
  syncedRecords = 0;
  /** How the partial was left, if nothing was recorded afterwards. */
  closed: Extract<DownloadRecord, { kind: 'closed' }> | undefined;

  add(record: DownloadRecord): void {
    this.closed = undefined;
    switch (record.kind) {
      case 'head':
        if (record.head.version !== this.head?.version) this.digests.clear();
        this.head = record.head;
        break;
      case 'chunk':
        this.chunks.set(record.chunk, { bytes: record.bytes, digest: record.digest, order: this.chunkRecords });
        this.chunkRecords += 1;
        break;
      case 'dropped':
        for (let i = 0; i < record.count; i++) this.chunks.delete(record.first + i);
        break;
      case 'digests':
        for (const [i, digest] of record.digests.entries()) this.digests.set(record.first + i, digest);
        break;
      case 'synced':
        this.syncedRecords = record.chunkRecords;
        break;
      case 'closed':
        this.closed = record;
        break;
    }
  }

  isSynced({ order }: RecordedChunk): boolean {
    return order < this.syncedRecords;
  }
}

/** The journal beside the partial of a download: a {@link RecordLog}. */
export class DownloadJournal {
  readonly path: string;
  /** Bytes that are no good records: then nothing may be added before `restart`. */
  readonly damagedBytes: number;
  /** What its records come to, those that were added included. */
  state: JournalState;
  readonly #handle: FileHandle;
  #log: RecordLog | undefined;
  #failure: { readonly error: unknown } | undefined;

  private constructor(
    path: string,
    handle: FileHandle,
    log: RecordLog | undefined,
    state: JournalState,
    damagedBytes: number,
  ) {
    this.path = path;
    this.#handle = handle;
    this.#log = log;
    this.state = state;
    this.damagedBytes = damagedBytes;
  }

  /** Opens what an earlier download has left, or begins. @throws {ClientError} `ERR_LOCAL_FILE` */
  static async open(target: string): Promise<DownloadJournal> {
    const path = `${target}${JOURNAL_SUFFIX}`;
    let handle: FileHandle | undefined;
    try {
      handle = await open(path, constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0), 0o666);
      if (!(await handle.stat()).isFile()) throw new Error('is not a regular file');
      const { records, damagedBytes } = await readRecords(handle);
      const state = new JournalState();
      let unknownBytes = 0;
      for (const bytes of records) {
        const record = decodeDownloadRecord(bytes);
        if (record) state.add(record);
        else unknownBytes += bytes.length;
      }
      // What is damaged stays so until it is replaced by something better: nobody may take what is left of it for the whole.
      const log = damagedBytes === 0 ? (await RecordLog.open(handle)).log : undefined;
      return new DownloadJournal(path, handle, log, state, damagedBytes + unknownBytes);
    } catch (error) {
      await handle?.close().catch(() => {}); // there is a failure to be told already
      const isLink = (error as NodeJS.ErrnoException).code === 'ELOOP';
      throw localFileError('write', path, isLink ? new Error('is a symbolic link') : error);
    }
  }

  /** Forgets everything that was recorded. @throws the system's error */
  async restart(): Promise<void> {
    await this.#log?.settle();
    await this.#handle.truncate(0);
    ({ log: this.#log } = await RecordLog.open(this.#handle));
    this.state = new JournalState();
  }

  /** Adds a record; that it could not be written is told by the next call. @throws the system's error */
  add(record: DownloadRecord): void {
    if (this.#failure) throw this.#failure.error;
    assert(this.#log, 'nothing is added to a journal that is damaged');
    this.state.add(record);
    this.#log.append(encodeDownloadRecord(record)).catch((error: unknown) => {
      this.#failure ??= { error };
    });
  }

  /** When its status was changed last, as the file system says: by a record, or by `touch`; in nanoseconds. @throws the system's error */
  async touchedNs(): Promise<bigint> {
    return (await this.#handle.stat({ bigint: true })).ctimeNs;
  }

  /** Shows that this process is at work on the partial. @throws the system's error */
  touch(): void {
    const seconds = Date.now() / 1_000;
    futimesSync(this.#handle.fd, seconds, seconds);
  }

  /** Settles when all records are on the disk. Rejects with the system's error. */
  async sync(): Promise<void> {
    await this.#log?.sync();
  }

  /** Removes it; a missing one is fine. */
  async remove(): Promise<void> {
    await unlink(this.path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
  }

  /** Never rejects. */
  async close(): Promise<void> {
    await this.#log?.settle();
    await this.#handle.close().catch(() => {});
  }
}

async function readRecords(
  handle: FileHandle,
): Promise<{ readonly records: readonly Uint8Array[]; readonly damagedBytes: number }> {
  const { size } = await handle.stat();
  const bytes = new Uint8Array(Math.min(size, MAX_JOURNAL_BYTES));
  const got = await readFully(handle, bytes, 0);
  const { records, goodBytes } = await parseRecords(bytes.subarray(0, got));
  return { records, damagedBytes: size - goodBytes };
}
