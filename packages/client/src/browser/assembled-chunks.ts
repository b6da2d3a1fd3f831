import { DIGEST_CHUNK_BYTES } from '@sluice/wire';
import { Bell } from '../bell.js';
import type { ChunkStore, ChunkWriter } from '../chunk-store.js';
import { ClientError } from '../errors.js';

/** Chunks that may be fetched before the first that has not come, where they are needed in order: 64 MiB. */
const WINDOW_CHUNKS = 16;
/** Bytes that may wait for who takes them before nothing more is read. */
const MAX_WAITING_BYTES = 16 << 20;

/** Takes chunks that are whole and right. */
export interface ChunkSink {
  /** Whether the chunks are needed in the order of the file. */
  readonly isOrdered: boolean;
  /** Whether the memory is the sink's own from then on. */
  readonly keepsMemory: boolean;
  /** @param bytes stay as they are until the promise settles */
  take(chunk: number, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
}

interface KnownChunk {
  readonly bytes: number;
  readonly digest: bigint;
}

/** Puts the bytes of chunks together, as they come on several connections, and hands each chunk on once it has proven right. */
export class AssembledChunks implements ChunkStore {
  version: string | undefined;
  onRoom?: () => void;
  readonly #name: string;
  readonly #sink: ChunkSink;
  readonly #known = new Map<number, KnownChunk>();
  /** Chunks that are coming. */
  readonly #coming = new Map<number, Uint8Array<ArrayBuffer>>();
  /** Chunks that have come before those in front of them. */
  readonly #early = new Map<number, Uint8Array<ArrayBuffer>>();
  readonly #spare: Uint8Array<ArrayBuffer>[] = [];
  readonly #bell = new Bell();
  #size = 0;
  /** The next that the sink takes, where there is an order. */
  #next = 0;
  #waitingBytes = 0;
  #isTaking = false;
  #failure: ClientError | undefined;

  /** @param name of the target, for people */
  constructor(name: string, sink: ChunkSink) {
    this.#name = name;
    this.#sink = sink;
  }

  get isFresh(): boolean {
    return this.#known.size === 0;
  }

  get endChunk(): number {
    if (this.#failure) throw this.#failure;
    return this.#sink.isOrdered ? this.#next + WINDOW_CHUNKS : Number.MAX_SAFE_INTEGER;
  }

  serverDigest(): undefined {
    return undefined;
  }

  async begin(_remote: string, version: string, size: number): Promise<void> {
    this.version = version;
    this.#size = size;
    this.#coming.clear();
    this.#spare.length = 0; // of another size, maybe
  }

  allKnown(): void {}

  addServerDigests(): void {}

  async digestOf(chunk: number, bytes: number): Promise<bigint | undefined> {
    const known = this.#known.get(chunk);
    return known?.bytes === bytes ? known.digest : undefined;
  }

  keep(chunk: number, bytes: number, digest: bigint): void {
    this.#known.set(chunk, { bytes, digest });
    const content = this.#coming.get(chunk);
    if (!content) return; // it was here already
    this.#coming.delete(chunk);
    this.#waitingBytes += bytes;
    if (!this.#sink.isOrdered) void this.#take(chunk, content.subarray(0, bytes));
    else {
      this.#early.set(chunk, content.subarray(0, bytes));
      void this.#takeInOrder();
    }
  }

  drop(chunk: number): void {
    this.#known.delete(chunk);
  }

  async dropsAreSafe(): Promise<void> {}

  async write(position: number, bytes: Uint8Array): Promise<void> {
    this.writerAt(position).write([bytes]);
  }

  writerAt(position: number): ChunkWriter {
    const writer = {
      position,
      write: (parts: readonly Uint8Array[]): void => {
        for (const part of parts) writer.position = this.#put(writer.position, part);
      },
    };
    return writer;
  }

  written(): void | Promise<void> {
    if (this.#failure) throw this.#failure;
    if (this.#isFull) return this.#untilRoom();
  }

  unwritable(cause: unknown): ClientError {
    const why = cause instanceof Error ? cause.message : String(cause ?? 'it was closed');
    return new ClientError('ERR_LOCAL_FILE', `cannot write to ${this.#name}: ${why}`, { cause });
  }

  /** Settles when the sink has taken everything. @throws {ClientError} `ERR_LOCAL_FILE` */
  async finish(): Promise<void> {
    while (this.#waitingBytes > 0 && !this.#failure) await this.#bell.heard();
    if (this.#failure) throw this.#failure;
  }

  /** Where there is an order, the window bounds what comes. */
  get #isFull(): boolean {
    return !this.#sink.isOrdered && this.#waitingBytes > MAX_WAITING_BYTES;
  }

  async #untilRoom(): Promise<void> {
    while (this.#isFull && !this.#failure) await this.#bell.heard();
    if (this.#failure) throw this.#failure;
  }

  /** @returns where it ends */
  #put(position: number, part: Uint8Array): number {
    let from = position;
    for (let at = 0; at < part.length; ) {
      const chunk = Math.floor(from / DIGEST_CHUNK_BYTES);
      const offset = from - chunk * DIGEST_CHUNK_BYTES;
      const count = Math.min(part.length - at, DIGEST_CHUNK_BYTES - offset);
      this.#memoryOf(chunk).set(part.subarray(at, at + count), offset);
      at += count;
      from += count;
    }
    return from;
  }

  #memoryOf(chunk: number): Uint8Array {
    const coming = this.#coming.get(chunk);
    if (coming) return coming;
    const memory = this.#spare.pop() ?? new Uint8Array(Math.min(DIGEST_CHUNK_BYTES, this.#size));
    this.#coming.set(chunk, memory);
    return memory;
  }

  async #takeInOrder(): Promise<void> {
    if (this.#isTaking) return;
    this.#isTaking = true;
    for (let content = this.#early.get(this.#next); content && !this.#failure; content = this.#early.get(this.#next)) {
      this.#early.delete(this.#next);
      await this.#take(this.#next, content);
      this.#next += 1;
      this.onRoom?.();
    }
    this.#isTaking = false;
  }

  /** Never rejects: a failure is kept. */
  async #take(chunk: number, content: Uint8Array<ArrayBuffer>): Promise<void> {
    try {
      await this.#sink.take(chunk, content);
      if (!this.#sink.keepsMemory) this.#spare.push(new Uint8Array(content.buffer));
    } catch (error) {
      this.#failure ??= this.unwritable(error);
      this.onRoom?.();
    }
    this.#waitingBytes -= content.length;
    this.#bell.ring();
  }
}
