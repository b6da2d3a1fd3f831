import { MainPacker } from './main-packer.js';
import type { ChunkPacker, ChunkPlace, PackedChunk } from './packed-chunk.js';

/** What the worker is told. */
export type PackRequest =
  | { readonly kind: 'open'; readonly blobId: number; readonly blob: Blob }
  | { readonly kind: 'close'; readonly blobId: number }
  | { readonly kind: 'pack'; readonly id: number; readonly blobId: number; readonly place: ChunkPlace };

/** What it answers. */
export interface PackAnswer {
  readonly id: number;
  readonly packed?: PackedChunk | undefined;
  readonly failure?: { readonly name: string; readonly message: string };
}

/** Makes the worker; `undefined` where there are none. */
export type MakeWorker = () => Worker | undefined;

/** The worker as this package has it. Bundlers read this expression, and pack the file that it names. */
export const makeDigestWorker: MakeWorker = () =>
  typeof Worker === 'undefined'
    ? undefined
    : new Worker(new URL('./digest-worker.js', import.meta.url), { type: 'module', name: 'sluice digests' });

interface Waiting {
  readonly blob: Blob;
  readonly place: ChunkPlace;
  resolve(packed: PackedChunk | undefined): void;
  reject(error: unknown): void;
}

/** Packs in a worker, so that the page has its thread for itself. Without one that answers, what was asked is done in the page's thread. */
export class WorkerPacker implements ChunkPacker {
  readonly #fallback = new MainPacker();
  readonly #waiting = new Map<number, Waiting>();
  /** What the worker knows, by number. */
  readonly #blobs = new Map<Blob, number>();
  #worker: Worker | undefined;
  #lastId = 0;

  constructor(make: MakeWorker = makeDigestWorker) {
    try {
      this.#worker = make();
    } catch {
      return; // the page's policy forbids it
    }
    if (!this.#worker) return;
    this.#worker.onmessage = ({ data }: MessageEvent<PackAnswer>) => this.#onAnswer(data);
    this.#worker.onerror = () => this.#giveUp();
    this.#worker.onmessageerror = () => this.#giveUp();
  }

  pack(blob: Blob, place: ChunkPlace): Promise<PackedChunk | undefined> {
    const worker = this.#worker;
    if (!worker) return this.#fallback.pack(blob, place);
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      this.#waiting.set(id, { blob, place, resolve, reject });
      const request: PackRequest = { kind: 'pack', id, blobId: this.#numberOf(blob, worker), place };
      worker.postMessage(request, place.memory ? [place.memory] : []);
    });
  }

  /** Forgets a blob. */
  release(blob: Blob): void {
    const blobId = this.#blobs.get(blob);
    if (blobId === undefined) return;
    this.#blobs.delete(blob);
    const request: PackRequest = { kind: 'close', blobId };
    this.#worker?.postMessage(request);
  }

  close(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    for (const { reject } of this.#waiting.values()) reject(new DOMException('the client is closed', 'AbortError'));
    this.#waiting.clear();
  }

  #numberOf(blob: Blob, worker: Worker): number {
    const known = this.#blobs.get(blob);
    if (known !== undefined) return known;
    const blobId = ++this.#lastId;
    this.#blobs.set(blob, blobId);
    const request: PackRequest = { kind: 'open', blobId, blob };
    worker.postMessage(request);
    return blobId;
  }

  #onAnswer({ id, packed, failure }: PackAnswer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (failure) waiting?.reject(new DOMException(failure.message, failure.name));
    else waiting?.resolve(packed);
  }

  /** The worker could not be loaded, or has failed. The memory that it was given is lost. */
  #giveUp(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#blobs.clear();
    for (const { blob, place, resolve, reject } of this.#waiting.values())
      this.#fallback.pack(blob, { ...place, memory: undefined }).then(resolve, reject);
    this.#waiting.clear();
  }
}
