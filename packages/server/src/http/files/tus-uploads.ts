import { randomBytes } from 'node:crypto';
import type { Cancel } from '@sluice/core';
import type { UploadHolder } from '../../storage/staging/staged-upload.js';
import { StorageError } from '../../storage/storage-error.js';
import { HttpError } from '../http-error.js';
import { fileAt } from './file-at.js';
import type { FileRequest } from './file-request.js';
import type { FilesParts } from './files-parts.js';
import { HttpUpload } from './http-upload.js';
import { receiveBody } from './request-body.js';
import type { ExpectedChecksum } from './tus-headers.js';
import { type FoundRecord, type TusRecord, TusRecords } from './tus-records.js';

/** An upload stays open so long after a request: clients that send it in pieces come again at once. */
const IDLE_MS = 5000;

/** Uploads that are open although nobody sends; beyond that the one that has waited longest is put away. */
const MAX_IDLE = 64;

const SWEEP_PERIOD_MS = 60_000;

/** An upload that is open in this process. */
interface LiveUpload {
  readonly record: TusRecord;
  readonly upload: HttpUpload;
  /** Set while nobody works on it. */
  idle: Cancel | undefined;
}

/** One request at an upload. */
interface Turn {
  readonly end: AbortController;
  readonly ended: Promise<unknown>;
}

/** How far an upload is. */
export interface TusState {
  readonly record: TusRecord;
  readonly offset: number;
  readonly isComplete: boolean;
}

/** A piece of an upload. */
export interface TusPiece {
  /** Where its client believes that it goes; `undefined` for the begin of a new upload. */
  readonly offset: number | undefined;
  readonly checksum: ExpectedChecksum | undefined;
}

/**
 * Uploads by tus. Each is staged as any other upload is; what tus adds is a URL, by which its user finds it again, and that a piece may end
 * anywhere. One request at a time works on an upload: a newer one ends the one before, whose client is gone or has lost its way, and goes on behind
 * what came.
 */
export class TusUploads {
  readonly #parts: FilesParts;
  readonly #records: TusRecords;
  readonly #live = new Map<string, LiveUpload>();
  readonly #turns = new Map<string, Turn>();
  readonly #stopSweeping: Cancel;

  private constructor(parts: FilesParts, records: TusRecords) {
    this.#parts = parts;
    this.#records = records;
    this.#stopSweeping = parts.clock.every(SWEEP_PERIOD_MS, () => void records.sweep());
  }

  /** @throws {StorageError} */
  static async open(parts: FilesParts): Promise<TusUploads> {
    const { openTusDirectory, keepPartialsMs, wallClockMs, log } = parts;
    const options = { keepMs: keepPartialsMs, nowMs: wallClockMs ?? Date.now, log };
    return new TusUploads(parts, await TusRecords.open(openTusDirectory, options));
  }

  /** When an upload expires that something has been done with just now; `undefined` for never. */
  get expiry(): Date | undefined {
    return this.#records.expiry;
  }

  newId(): string {
    return randomBytes(16).toString('hex');
  }

  /**
   * Creates an upload, and takes its first piece if there is one.
   *
   * @throws {HttpError}; {StorageError}; {RequestError} when a hook refuses it
   */
  async create(request: FileRequest, record: TusRecord, piece: TusPiece | undefined): Promise<TusState> {
    const { hooks } = this.#parts.files;
    const name = [...record.directory, record.fileName].join('/');
    await hooks.before(request, [{ name, size: record.size }]);
    return await this.#inTurn(record.id, request.gone, async (signal) => {
      if (!record.mayReplace) await this.#requireAbsent(request, record);
      const live = await this.#open(request, record, signal);
      try {
        await this.#records.add(record);
      } catch (error) {
        await this.#end(live, () => live.upload.drop());
        throw error;
      }
      request.log.info('upload begins', { file: name, from: 0, size: record.size, by: 'tus' });
      if (piece) await this.#receive(request, live, piece, signal);
      return await this.#stateOf(request, live);
    });
  }

  /** How far an upload is. @throws {HttpError} 404; 410; {StorageError} */
  async status(request: FileRequest, id: string): Promise<TusState> {
    return await this.#inTurn(id, request.gone, async (signal) => {
      const found = await this.#find(request, id);
      if (found.isComplete) return { record: found.record, offset: found.record.size, isComplete: true };
      const live = await this.#liveOf(request, found, signal);
      return live ? await this.#stateOf(request, live) : { ...found, offset: found.record.size, isComplete: true };
    });
  }

  /** Takes a piece. @throws {HttpError} 404; 409; 410; 413; 460; {StorageError} */
  async add(request: FileRequest, id: string, piece: TusPiece): Promise<TusState> {
    return await this.#inTurn(id, request.gone, async (signal) => {
      const found = await this.#find(request, id);
      const live = found.isComplete ? undefined : await this.#liveOf(request, found, signal);
      if (!live) {
        if (piece.offset !== found.record.size) throw wrongOffset(found.record.size);
        return { record: found.record, offset: found.record.size, isComplete: true };
      }
      await this.#receive(request, live, piece, signal);
      return await this.#stateOf(request, live);
    });
  }

  /** Gives an upload up; of a complete one only what is known of it, and the file stays. @throws {HttpError} 404; 410; {StorageError} */
  async remove(request: FileRequest, id: string): Promise<void> {
    await this.#inTurn(id, request.gone, async (signal) => {
      const found = await this.#find(request, id);
      const live = found.isComplete ? undefined : await this.#liveOf(request, found, signal);
      if (live) {
        await this.#end(live, () => live.upload.drop());
        const { name } = live.upload;
        request.log.info('upload given up', { file: name });
        this.#parts.files.hooks.failed(request, [{ name, size: found.record.size }], 'given up');
      }
      await this.#records.remove(id);
    });
  }

  /** Puts away what is open, in order. */
  async close(): Promise<void> {
    this.#stopSweeping();
    const turns = [...this.#turns.values()];
    for (const { end } of turns) end.abort(new HttpError(503, 'the server is ending'));
    await Promise.all(turns.map(({ ended }) => ended));
    await Promise.all([...this.#live.values()].map((live) => this.#putAway(live)));
    await this.#records.close();
  }

  /** One after the other. A newer request ends the one before. */
  async #inTurn<T>(id: string, gone: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const former = this.#turns.get(id);
    former?.end.abort(new HttpError(423, 'a newer request has taken over'));
    const end = new AbortController();
    const result = (async () => {
      await former?.ended;
      try {
        return await work(AbortSignal.any([end.signal, gone]));
      } finally {
        this.#rest(id);
      }
    })();
    const turn = { end, ended: result.catch(() => {}) };
    this.#turns.set(id, turn);
    try {
      return await result;
    } finally {
      if (this.#turns.get(id) === turn) this.#turns.delete(id);
    }
  }

  async #find(request: FileRequest, id: string): Promise<FoundRecord> {
    const found = await this.#records.find(id, request.userName);
    if (!found) throw new HttpError(404, 'there is no such upload');
    if (found.isExpired && !this.#live.has(id)) throw new HttpError(410, 'the upload has expired');
    return found;
  }

  /** @returns `undefined` when the file has its name: the server was ended before it could note it */
  async #liveOf(request: FileRequest, { record }: FoundRecord, signal: AbortSignal): Promise<LiveUpload | undefined> {
    const live = this.#live.get(record.id);
    if (live) {
      live.idle?.();
      live.idle = undefined;
      return live;
    }
    if (await this.#isPublished(request, record)) {
      await this.#records.complete(record.id);
      return undefined;
    }
    return await this.#open(request, record, signal);
  }

  async #open(request: FileRequest, record: TusRecord, signal: AbortSignal): Promise<LiveUpload> {
    const { id, directory, fileName, size } = record;
    const holder: UploadHolder = {
      takeOver: async () => {
        const live = this.#live.get(id);
        const turn = this.#turns.get(id);
        turn?.end.abort(new HttpError(423, 'a newer request has taken over'));
        await turn?.ended;
        if (live && this.#live.get(id) === live) await this.#end(live, async () => live.upload.handOver());
      },
    };
    const target = { directory, fileName, size, sourceId: sourceIdOf(id) };
    const upload = await HttpUpload.open(this.#parts, request, target, holder, signal);
    const live: LiveUpload = { record, upload, idle: undefined };
    this.#live.set(id, live);
    return live;
  }

  async #receive(request: FileRequest, live: LiveUpload, piece: TusPiece, signal: AbortSignal): Promise<void> {
    const { place, name } = live.upload;
    const { size, id } = live.record;
    const { checksum, offset = place.position } = piece;
    if (offset !== place.position) throw wrongOffset(place.position);
    const { message } = request.request;
    requireFitting(message.headers['content-length'], size - offset);
    place.begin(checksum !== undefined);
    request.memory.isFeeding = true;
    const take = (bytes: Buffer): void | Promise<void> => {
      if (bytes.length > size - place.position) throw new HttpError(413, `the upload has ${size} bytes`);
      checksum?.update(bytes);
      const pending = place.write(bytes);
      if (!pending) return;
      const held = request.memory.hold(bytes.length);
      return pending.finally(() => held[Symbol.dispose]());
    };
    let isWhole: boolean;
    try {
      isWhole = (await receiveBody(message, take, signal, request.bodyGate)) === 'whole';
    } catch (error) {
      if (!(error instanceof HttpError))
        await this.#putAway(live); // where the disk has failed, only the journal knows what is there
      else if (checksum) await place.discard();
      else place.keep();
      throw error;
    } finally {
      request.memory.isFeeding = false;
    }
    // What cannot be compared does not count.
    const isRight = checksum === undefined || (isWhole && checksum.isRight);
    if (isRight) place.keep();
    else await place.discard();
    await this.#records.touch(id);
    if (!isWhole) {
      request.log.info('upload broken off', { file: name, bytes: place.position });
      this.#parts.files.hooks.failed(request, [{ name, size }], 'broken off');
      signal.throwIfAborted();
      throw new HttpError(400, 'the body is not complete');
    }
    if (!isRight) throw new HttpError(460, 'the checksum is another');
  }

  /** A file of which everything is there gets its name: nobody is told that it is complete before. */
  async #stateOf(request: FileRequest, live: LiveUpload): Promise<TusState> {
    const { record, upload } = live;
    const offset = upload.place.position;
    if (offset < record.size) return { record, offset, isComplete: false };
    try {
      await upload.publish(request, { mayReplace: record.mayReplace });
    } catch (error) {
      await this.#putAway(live);
      throw error;
    }
    this.#live.delete(record.id);
    await this.#records.complete(record.id);
    return { record, offset, isComplete: true };
  }

  async #isPublished(request: FileRequest, { id, directory, fileName, size }: TusRecord): Promise<boolean> {
    const existing = await fileAt(request, this.#parts, [...directory, fileName]);
    return existing?.size === size && existing.recorded?.sourceId === sourceIdOf(id);
  }

  async #requireAbsent(request: FileRequest, { directory, fileName }: TusRecord): Promise<void> {
    if (await fileAt(request, this.#parts, [...directory, fileName]))
      throw new StorageError('ERR_EXISTS', 'a file of this name exists');
  }

  /** Nobody works on it for now: it is put away if nobody comes again soon. */
  #rest(id: string): void {
    const live = this.#live.get(id);
    if (!live) return;
    live.idle?.();
    live.idle = this.#parts.clock.after(IDLE_MS, () => void this.#putAway(live));
    // In the order in which they have begun to wait.
    this.#live.delete(id);
    this.#live.set(id, live);
    const idle = [...this.#live.values()].filter((one) => one.idle);
    if (idle.length > MAX_IDLE && idle[0]) void this.#putAway(idle[0]);
  }

  /** What is there is kept for later. Never rejects. */
  async #putAway(live: LiveUpload): Promise<void> {
    try {
      await this.#end(live, () => live.upload.leave());
    } catch (error) {
      this.#parts.log.error('an upload cannot be put away', { file: live.upload.name, detail: String(error) });
    }
  }

  async #end(live: LiveUpload, end: () => Promise<void>): Promise<void> {
    live.idle?.();
    live.idle = undefined;
    if (this.#live.get(live.record.id) !== live) return;
    this.#live.delete(live.record.id);
    await end();
  }
}

function sourceIdOf(id: string): string {
  return `tus:${id}`;
}

function wrongOffset(offset: number): HttpError {
  return new HttpError(409, `the upload is at ${offset}`, { 'Upload-Offset': String(offset) });
}

/** @throws {HttpError} 413 before anything is read */
function requireFitting(contentLength: string | undefined, roomBytes: number): void {
  if (contentLength !== undefined && Number(contentLength) > roomBytes)
    throw new HttpError(413, `there is room for ${roomBytes} bytes`);
}
