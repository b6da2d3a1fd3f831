import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { RecordLog } from '@sluice/files';
import type { DirectoryHandle } from '../storage/directory-handle.js';
import type { UploadEvent } from './upload-hooks.js';

const NAME = 'pending.log';

/** Events that wait at once; beyond that the oldest is given up. */
const MAX_PENDING = 10_000;

/** A log of so many bytes is written anew when nothing is pending. */
const COMPACT_AT_BYTES = 1 << 20;

type PendingRecord =
  | { readonly t: 'add'; readonly url: string; readonly event: UploadEvent }
  | { readonly t: 'done'; readonly url: string; readonly id: string };

/** Events that somebody has not been told yet, kept in a file of the server's own so that a restart forgets none. */
export class PendingEvents {
  readonly #handle: FileHandle;
  #log: RecordLog;
  /** While the log is being written anew nothing is appended. */
  #compacting: Promise<void> | undefined;
  /** By address and id; in the order in which they came. */
  readonly #pending = new Map<string, { readonly url: string; readonly event: UploadEvent }>();

  private constructor(handle: FileHandle, log: RecordLog) {
    this.#handle = handle;
    this.#log = log;
  }

  /** @param directory of the server's own; the caller closes it. @throws the system's error */
  static async open(directory: DirectoryHandle): Promise<PendingEvents> {
    const handle = await directory.openFile(NAME, constants.O_RDWR | constants.O_CREAT);
    try {
      const { log, records } = await RecordLog.open(handle);
      const events = new PendingEvents(handle, log);
      for (const bytes of records) events.#apply(JSON.parse(Buffer.from(bytes).toString()) as PendingRecord);
      return events;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** What an address has not been told. */
  of(url: string): UploadEvent[] {
    return [...this.#pending.values()].filter((entry) => entry.url === url).map(({ event }) => event);
  }

  /** Settles when a restart does not forget it. @returns the event that was given up for it, if there were too many */
  async add(url: string, event: UploadEvent): Promise<UploadEvent | undefined> {
    const [oldest] = this.#pending.size >= MAX_PENDING ? this.#pending.values() : [];
    if (oldest) await this.remove(oldest.url, oldest.event.id);
    await this.#append({ t: 'add', url, event });
    await this.#log.sync();
    return oldest?.event;
  }

  /** Somebody was told, or will not be. */
  async remove(url: string, id: string): Promise<void> {
    await this.#append({ t: 'done', url, id });
    if (this.#pending.size > 0 || this.#log.bytes < COMPACT_AT_BYTES || this.#compacting) return;
    this.#compacting = this.#compact().finally(() => {
      this.#compacting = undefined;
    });
    await this.#compacting;
  }

  async close(): Promise<void> {
    await this.#compacting;
    await this.#log.settle();
    await this.#handle.close();
  }

  async #compact(): Promise<void> {
    await this.#log.settle();
    await this.#handle.truncate(0);
    this.#log = (await RecordLog.open(this.#handle)).log;
  }

  async #append(record: PendingRecord): Promise<void> {
    await this.#compacting;
    this.#apply(record);
    await this.#log.append(Buffer.from(JSON.stringify(record)));
  }

  #apply(record: PendingRecord): void {
    if (record.t === 'add') this.#pending.set(`${record.url} ${record.event.id}`, record);
    else this.#pending.delete(`${record.url} ${record.id}`);
  }
}
