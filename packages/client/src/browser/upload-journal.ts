import type { Durability, IfExists } from '../transfer.js';

const DATABASE = 'sluice';
const VERSION = 1;
const UPLOADS = 'uploads';
const DIGESTS = 'digests';

/** Chunks whose digests lie in one record: those of 4 GiB. */
export const SEGMENT_CHUNKS = 1_024;

/** An upload that was begun, as the browser keeps it. */
export interface UploadRecord {
  readonly id: string;
  /** URL of the gateway, and who has begun it; an empty name with a session. */
  readonly server: string;
  readonly userName: string;
  /** Path on the server. */
  readonly target: string;
  /** Of the file that was picked. */
  readonly name: string;
  readonly size: number;
  /** In milliseconds since 1970-01-01 UTC; missing for bytes that are no file. */
  readonly lastModified?: number;
  /** What the server knows the file by. */
  readonly sourceId: string;
  /** Of the server, once it has a place for it. */
  readonly uploadId?: string;
  readonly bytesDone: number;
  /** Both in milliseconds since 1970-01-01 UTC. */
  readonly startedAt: number;
  readonly changedAt: number;
  readonly options: {
    readonly ifExists?: IfExists;
    readonly durability?: Durability;
    readonly preserve?: boolean;
    readonly streams?: number;
  };
  /** With it the file need not be picked again. */
  readonly handle?: FileSystemFileHandle;
}

/** What was sent of a row of chunks. */
export interface DigestSegment {
  /** 0 for chunks that are not known. */
  readonly isKnown: Uint8Array;
  readonly digests: BigUint64Array;
}

/** The uploads that this browser has begun and not finished, with the digests of what they have sent; in IndexedDB, so a reload does not lose them. */
export class UploadJournal {
  readonly #database: IDBDatabase;

  private constructor(database: IDBDatabase) {
    this.#database = database;
  }

  /** @returns `undefined` where the browser keeps nothing, as in some private windows */
  static async open(factory: IDBFactory | undefined = globalThis.indexedDB): Promise<UploadJournal | undefined> {
    if (!factory) return undefined;
    try {
      const request = factory.open(DATABASE, VERSION);
      request.onupgradeneeded = () => {
        request.result.createObjectStore(UPLOADS, { keyPath: 'id' });
        request.result.createObjectStore(DIGESTS);
      };
      const database = await answerOf(request);
      database.onversionchange = () => database.close();
      return new UploadJournal(database);
    } catch {
      return undefined;
    }
  }

  /** All that were begun at this server by this user, oldest first. */
  async list(server: string, userName: string): Promise<UploadRecord[]> {
    const all = await answerOf<UploadRecord[]>(this.#store(UPLOADS, 'readonly').getAll());
    return all
      .filter((record) => record.server === server && record.userName === userName)
      .sort((a, b) => a.startedAt - b.startedAt);
  }

  get(id: string): Promise<UploadRecord | undefined> {
    return answerOf(this.#store(UPLOADS, 'readonly').get(id));
  }

  /** Adds, or replaces. */
  async put(record: UploadRecord): Promise<void> {
    await answerOf(this.#store(UPLOADS, 'readwrite').put(record));
  }

  async remove(id: string): Promise<void> {
    const work = this.#database.transaction([UPLOADS, DIGESTS], 'readwrite');
    work.objectStore(UPLOADS).delete(id);
    work.objectStore(DIGESTS).delete(segmentsOf(id));
    await endOf(work);
  }

  /** Rows of {@link SEGMENT_CHUNKS} chunks, by their number. */
  async segments(id: string): Promise<Map<number, DigestSegment>> {
    const store = this.#store(DIGESTS, 'readonly');
    const [keys, values] = await Promise.all([
      answerOf(store.getAllKeys(segmentsOf(id))),
      answerOf<DigestSegment[]>(store.getAll(segmentsOf(id))),
    ]);
    return new Map(keys.map((key, i) => [(key as [string, number])[1], values[i]!]));
  }

  async putSegments(id: string, segments: ReadonlyMap<number, DigestSegment>): Promise<void> {
    const work = this.#database.transaction(DIGESTS, 'readwrite');
    for (const [number, segment] of segments) work.objectStore(DIGESTS).put(segment, [id, number]);
    await endOf(work);
  }

  close(): void {
    this.#database.close();
  }

  #store(name: string, mode: IDBTransactionMode): IDBObjectStore {
    return this.#database.transaction(name, mode).objectStore(name);
  }
}

function segmentsOf(id: string): IDBKeyRange {
  return IDBKeyRange.bound([id, 0], [id, Number.MAX_SAFE_INTEGER]);
}

function answerOf<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function endOf(work: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    work.oncomplete = () => resolve();
    work.onerror = () => reject(work.error);
    work.onabort = () => reject(work.error);
  });
}
