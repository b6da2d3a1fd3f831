import type { JournalChunk } from './upload-journal.js';

/** Bytes of a file under one digest; the last chunk may be shorter. docs/protocol.md. */
export const CHUNK_BYTES = 4 << 20;

/** A finished chunk of a staged upload, or the begin of one. */
export interface StagedChunk {
  readonly digest: bigint;
  readonly bytes: number;
  /** Whether it is on the disk. */
  isSynced: boolean;
  /** Whether its bytes have to be read and compared before it counts: an earlier process, or somebody else, left them. */
  isDoubtful: boolean;
}

/** How many chunks a file of so many bytes has. */
export function chunkCount(fileSize: number): number {
  return Math.ceil(fileSize / CHUNK_BYTES);
}

/** Bytes of chunk `number` of a file. */
export function chunkLength(fileSize: number, number: number): number {
  return Math.max(0, Math.min(CHUNK_BYTES, fileSize - number * CHUNK_BYTES));
}

/** Which chunks of a staged upload are there, by number. */
export class ChunkTable {
  readonly #chunks = new Map<number, StagedChunk>();
  #bytes = 0;

  /** Bytes of all finished chunks. */
  get bytes(): number {
    return this.#bytes;
  }

  /** One more than the highest number. */
  get end(): number {
    let end = 0;
    for (const number of this.#chunks.keys()) end = Math.max(end, number + 1);
    return end;
  }

  get(number: number): StagedChunk | undefined {
    return this.#chunks.get(number);
  }

  set(number: number, chunk: StagedChunk): void {
    this.delete(number);
    this.#chunks.set(number, chunk);
    this.#bytes += chunk.bytes;
  }

  delete(number: number): void {
    this.#bytes -= this.#chunks.get(number)?.bytes ?? 0;
    this.#chunks.delete(number);
  }

  /** What a journal has; doubtful unless told otherwise. */
  load(chunks: ReadonlyMap<number, JournalChunk>, isDoubtful: (chunk: JournalChunk) => boolean): void {
    for (const [number, chunk] of chunks) this.set(number, { ...chunk, isDoubtful: isDoubtful(chunk) });
  }

  [Symbol.iterator](): IterableIterator<[number, StagedChunk]> {
    return this.#chunks.entries();
  }

  /** How many chunks of a file of this size are not there, are doubtful, or have another length: work by the chunks that are there. */
  missing(fileSize: number): number {
    const count = chunkCount(fileSize);
    let good = 0;
    for (const [number, chunk] of this.#chunks)
      if (number < count && !chunk.isDoubtful && chunk.bytes === chunkLength(fileSize, number)) good += 1;
    return count - good;
  }

  /** The digests of a file of which nothing is missing, in order. */
  *digests(fileSize: number): Generator<bigint> {
    for (let number = 0; number < chunkCount(fileSize); number += 1) yield this.#chunks.get(number)!.digest;
  }
}
