import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { parseRecords, RecordLog } from '@sluice/files';
import type { DirectoryHandle } from '../directory-handle.js';

/** What a partial belongs to. */
export interface PartialIdentity {
  /** Who uploads. */
  readonly user: string;
  /** `HeldDirectory.entryKey` of the file that it will be. */
  readonly targetKey: string;
  /** Of that file, relative to the root of its user, for people. */
  readonly name: string;
  /** Declared, in bytes; `undefined` when it is not known. */
  readonly size: number | undefined;
  readonly sourceId: string | undefined;
  /** Milliseconds since 1970-01-01 UTC. */
  readonly createdAtMs: number;
  /** Seconds since 1970-01-01 that the data file shows as its time of change, as long as nobody else writes it. */
  readonly stamp: number;
}

/** What the data file looked like when all in it was on the disk. */
export interface SyncedState {
  readonly size: number;
  readonly changedNs: bigint;
}

/** A finished chunk, as the journal has it. */
export interface JournalChunk {
  readonly digest: bigint;
  /** Fewer than a whole chunk for the last one of a file, and for the begin of one of which more will come. */
  readonly bytes: number;
  /** Whether it was on the disk when the journal said so. */
  isSynced: boolean;
}

/** What a journal says, as far as its records are good. */
export interface JournalContent {
  readonly identity: PartialIdentity | undefined;
  readonly chunks: Map<number, JournalChunk>;
  /** Of the last sync, if nothing was written since. */
  readonly lastSync: SyncedState | undefined;
  /** Bytes behind the last good record: torn by a crash, or damaged. */
  readonly damagedBytes: number;
}

type JournalRecord =
  | { readonly t: 'head'; readonly id: PartialIdentity }
  | { readonly t: 'chunk'; readonly n: number; readonly d: string; readonly b: number }
  | { readonly t: 'drop'; readonly n: number }
  | { readonly t: 'write' }
  | { readonly t: 'sync'; readonly k: number; readonly s: number; readonly c: string };

/**
 * Beside the data of an upload: whose they are, the digest of each finished chunk, and which of them have been synced. Append-only; a crash
 * takes no more than its end, and damage no more than what stands behind it.
 */
export class UploadJournal {
  readonly #handle: FileHandle;
  readonly #log: RecordLog;
  /** Records so far. */
  #count: number;
  /** Whether the last record says that all is on the disk. */
  #endsWithSync: boolean;

  private constructor(handle: FileHandle, log: RecordLog, count: number, endsWithSync: boolean) {
    this.#handle = handle;
    this.#log = log;
    this.#count = count;
    this.#endsWithSync = endsWithSync;
  }

  /** Opens, or makes, the journal of this name. @throws the system's error */
  static async open(
    directory: DirectoryHandle,
    name: string,
  ): Promise<{ readonly journal: UploadJournal; readonly content: JournalContent }> {
    const handle = await directory.openFile(name, constants.O_RDWR | constants.O_CREAT);
    try {
      const { log, records, damagedBytes } = await RecordLog.open(handle);
      const content = { ...readRecords(records), damagedBytes };
      const journal = new UploadJournal(handle, log, records.length, content.lastSync !== undefined);
      return { journal, content };
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** What a journal says, without opening it for writing. @throws the system's error */
  static async read(directory: DirectoryHandle, name: string): Promise<JournalContent> {
    const handle = await directory.openFile(name, constants.O_RDONLY);
    try {
      const bytes = await handle.readFile();
      const { records, goodBytes } = await parseRecords(bytes);
      return { ...readRecords(records), damagedBytes: bytes.length - goodBytes };
    } finally {
      await handle.close();
    }
  }

  /** Records so far: what a sync of the data that begins now is told to cover. */
  get count(): number {
    return this.#count;
  }

  begin(identity: PartialIdentity): Promise<void> {
    return this.#append({ t: 'head', id: identity });
  }

  /** Something is about to be written: the file will not look any more as the last sync has found it. */
  beginWriting(): Promise<void> {
    return this.#endsWithSync ? this.#append({ t: 'write' }) : Promise.resolve();
  }

  finishChunk(number: number, digest: bigint, bytes: number): Promise<void> {
    return this.#append({ t: 'chunk', n: number, d: digest.toString(16), b: bytes });
  }

  /** Settles when the disk has it that the chunk does not count any more: only then may its place be written to. */
  async dropChunk(number: number): Promise<void> {
    await this.#append({ t: 'drop', n: number });
    await this.#log.sync();
  }

  /** The data behind the first `count` records were synced; the data file looked like `state` then. Settles when the disk has this. */
  async markSynced(count: number, state: SyncedState): Promise<void> {
    await this.#append({ t: 'sync', k: count, s: state.size, c: state.changedNs.toString() });
    await this.#log.sync();
  }

  /** Closes it after what is being written. Never rejects: what had to be kept was synced. */
  async close(): Promise<void> {
    await this.#log.settle();
    await this.#handle.close().catch(() => {});
  }

  #append(record: JournalRecord): Promise<void> {
    this.#count += 1;
    this.#endsWithSync = record.t === 'sync';
    return this.#log.append(Buffer.from(JSON.stringify(record)));
  }
}

/** What the records say, one after the other. A record of a later version, or one that makes no sense, says nothing. */
function readRecords(records: readonly Uint8Array[]): Omit<JournalContent, 'damagedBytes'> {
  let identity: PartialIdentity | undefined;
  let lastSync: SyncedState | undefined;
  const chunks = new Map<number, JournalChunk>();
  /** For each chunk, which record finished it. */
  const finishedBy = new Map<number, number>();
  for (const [index, bytes] of records.entries()) {
    const record = JSON.parse(Buffer.from(bytes).toString()) as JournalRecord;
    lastSync = undefined;
    if (record.t === 'head') identity = record.id;
    else if (record.t === 'chunk') {
      chunks.set(record.n, { digest: BigInt(`0x${record.d}`), bytes: record.b, isSynced: false });
      finishedBy.set(record.n, index);
    } else if (record.t === 'drop') {
      chunks.delete(record.n);
      finishedBy.delete(record.n);
    } else if (record.t === 'sync') {
      for (const [number, by] of finishedBy) {
        if (by >= record.k) continue;
        chunks.get(number)!.isSynced = true;
        finishedBy.delete(number);
      }
      // A record between the begin of the sync and its mark: something was written meanwhile.
      if (record.k === index) lastSync = { size: record.s, changedNs: BigInt(record.c) };
    }
  }
  return { identity, chunks, lastSync };
}
