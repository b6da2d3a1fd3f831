import { ClientError } from '../errors.js';
import { randomHex } from '../random.js';
import type { Progress, UploadResult } from '../transfer.js';
import type { UploadObserver } from '../upload-source.js';
import type { BrowserUploadOptions } from './browser-transfers.js';
import { JournaledUpload } from './journaled-upload.js';
import { isPickedFile, openPickedFile } from './picked-file.js';
import { UploadJournal, type UploadRecord } from './upload-journal.js';
import { uploadsGoingOn, whileAlone } from './upload-lock.js';

/** An upload that this browser has begun and not finished. */
export interface PendingUpload {
  readonly id: string;
  /** Path on the server. */
  readonly target: string;
  /** Of the file that was picked. */
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  /** Of the file, in milliseconds since 1970-01-01 UTC. */
  readonly lastModified?: number;
  /** As far as it had come. */
  readonly bytesDone: number;
  readonly startedAt: Date;
  readonly changedAt: Date;
  /** Whether the user has to pick the file again. If not, the browser may still ask for leave to read it, which takes a click. */
  readonly needsFile: boolean;
  /** Whether this page, or another tab, is at it. */
  readonly isRunning: boolean;
}

/** Uploads one file, known to the server by `sourceId`. */
export type UploadBlob = (
  blob: Blob,
  target: string,
  sourceId: string,
  options: BrowserUploadOptions,
  observer: UploadObserver | undefined,
) => Promise<UploadResult>;

/** The uploads of one client that survive a reload of the page. */
export class PendingUploads {
  readonly #server: string;
  readonly #userName: string;
  readonly #upload: UploadBlob;
  readonly #running = new Set<Promise<unknown>>();
  #opening: Promise<UploadJournal | undefined> | undefined;

  constructor(server: string, userName: string, upload: UploadBlob) {
    this.#server = server;
    this.#userName = userName;
    this.#upload = upload;
  }

  async list(): Promise<PendingUpload[]> {
    const journal = await this.#journal();
    const records = (await journal?.list(this.#server, this.#userName)) ?? [];
    const goingOn = await uploadsGoingOn();
    return records.map(({ id, target, name, size, lastModified, bytesDone, startedAt, changedAt, handle }) => ({
      id,
      target,
      name,
      size,
      ...(lastModified !== undefined && { lastModified }),
      bytesDone,
      startedAt: new Date(startedAt),
      changedAt: new Date(changedAt),
      needsFile: handle === undefined,
      isRunning: goingOn.has(id),
    }));
  }

  /** Uploads a file that was picked, and keeps account of it; without, where the browser keeps nothing. */
  async begin(
    blob: Blob,
    handle: FileSystemFileHandle | undefined,
    target: string,
    options: BrowserUploadOptions,
  ): Promise<UploadResult> {
    const sourceId = randomHex(16);
    const journal = await this.#journal();
    if (!journal) return await this.#upload(blob, target, sourceId, options, undefined);
    const now = Date.now();
    return await this.#run(journal, blob, options, {
      id: sourceId,
      server: this.#server,
      userName: this.#userName,
      target,
      name: 'name' in blob ? String(blob.name) : '',
      size: blob.size,
      ...('lastModified' in blob && { lastModified: Number(blob.lastModified) }),
      sourceId,
      bytesDone: 0,
      startedAt: now,
      changedAt: now,
      options: keptOptions(options),
      ...(handle && { handle }),
    });
  }

  /**
   * Goes on with an upload.
   *
   * @param given the file; not needed if it was picked in a way that the browser remembers
   * @throws {ClientError} `ERR_LOCAL_FILE` when there is no such upload, or no file; `ERR_SOURCE_CHANGED` when the file is another one
   */
  async resume(
    id: string,
    given: Blob | FileSystemFileHandle | undefined,
    options: BrowserUploadOptions,
  ): Promise<UploadResult> {
    const journal = await this.#journal();
    const record = await journal?.get(id);
    if (!journal || record?.server !== this.#server || record.userName !== this.#userName)
      throw new ClientError('ERR_LOCAL_FILE', 'this browser knows of no such upload');
    const picked = given ?? record.handle;
    if (!picked) throw new ClientError('ERR_LOCAL_FILE', `pick ${record.name} again: the browser does not remember it`);
    const blob = isPickedFile(picked) ? await openPickedFile(picked) : picked;
    if (blob.size !== record.size) {
      const text = `${record.name} is not the file whose upload was begun: it has ${blob.size} bytes instead of ${record.size}`;
      throw new ClientError('ERR_SOURCE_CHANGED', text);
    }
    const handle = isPickedFile(picked) ? picked : record.handle;
    // Nothing is taken for sent that is not compared: the same name and size are no proof.
    const how = { ...record.options, ...options, checksum: true };
    return await this.#run(journal, blob, how, { ...record, ...(handle && { handle }) });
  }

  /** Forgets an upload. @returns what the server knows it by, if it has a place for it */
  async forget(id: string): Promise<string | undefined> {
    const journal = await this.#journal();
    const record = await journal?.get(id);
    await journal?.remove(id);
    return record?.uploadId;
  }

  /** To be called when the uploads have been called off. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#running);
    (await this.#opening)?.close();
  }

  async #run(
    journal: UploadJournal,
    blob: Blob,
    options: BrowserUploadOptions,
    record: UploadRecord,
  ): Promise<UploadResult> {
    const running = whileAlone(record.id, async () => {
      const kept = await JournaledUpload.open(journal, record);
      const onProgress = (progress: Progress): void => {
        kept.onProgress(progress.bytesDone);
        options.onProgress?.(progress);
      };
      try {
        const result = await this.#upload(blob, record.target, record.sourceId, { ...options, onProgress }, kept);
        await kept.finish();
        return result;
      } catch (error) {
        await kept.leave();
        throw error;
      }
    });
    this.#running.add(running);
    const done = await running.finally(() => this.#running.delete(running));
    if (!done) throw new ClientError('ERR_LOCAL_FILE', `${record.name} is being uploaded by another tab`);
    return done.result;
  }

  #journal(): Promise<UploadJournal | undefined> {
    this.#opening ??= UploadJournal.open();
    return this.#opening;
  }
}

function keptOptions({ ifExists, durability, preserve, streams }: BrowserUploadOptions): UploadRecord['options'] {
  return {
    ...(ifExists !== undefined && { ifExists }),
    ...(durability !== undefined && { durability }),
    ...(preserve !== undefined && { preserve }),
    ...(streams !== undefined && { streams }),
  };
}
