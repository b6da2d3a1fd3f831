import { type ChunkEntry, ChunkState, DIGEST_CHUNK_BYTES } from '@sluice/wire';

/** Where a chunk lies in its file. */
export interface ChunkPlace {
  readonly position: number;
  readonly bytes: number;
}

/** Which chunks of a file are still to be brought to the server, and what is known of each. Hands them out, one at a time. */
export class ChunkPlan {
  readonly fileSize: number;
  /** All of the file. */
  readonly chunks: number;
  /** What the server has said: a state and a digest each. */
  readonly #states: Uint8Array;
  readonly #serverDigests: BigUint64Array;
  /** Digests of the chunks that are settled. */
  readonly #digests: BigUint64Array;
  readonly #isSettled: Uint8Array;
  /** The first one that was never handed out. */
  #next = 0;
  /** Handed out before, and to be handed out again. */
  readonly #returned: number[] = [];
  #settledBytes = 0;

  constructor(fileSize: number) {
    this.fileSize = fileSize;
    this.chunks = Math.ceil(fileSize / DIGEST_CHUNK_BYTES);
    this.#states = new Uint8Array(this.chunks);
    this.#serverDigests = new BigUint64Array(this.chunks);
    this.#digests = new BigUint64Array(this.chunks);
    this.#isSettled = new Uint8Array(this.chunks);
  }

  /** Bytes that are where they belong. */
  get settledBytes(): number {
    return this.#settledBytes;
  }

  /** Whether there is nothing to hand out. */
  get isEmpty(): boolean {
    this.#skipSettled();
    return this.#returned.length === 0 && this.#next === this.chunks;
  }

  /** Bytes that will have to be sent for sure: of these chunks the server has nothing. */
  get missingBytes(): number {
    let bytes = 0;
    for (const [chunk, state] of this.#states.entries()) {
      if (state === ChunkState.Missing && !this.#isSettled[chunk]) bytes += this.place(chunk).bytes;
    }
    return bytes;
  }

  /** Of chunks that are settled. */
  get digests(): Iterable<bigint> {
    return this.#digests;
  }

  place(chunk: number): ChunkPlace {
    const position = chunk * DIGEST_CHUNK_BYTES;
    return { position, bytes: Math.min(DIGEST_CHUNK_BYTES, this.fileSize - position) };
  }

  isSettled(chunk: number): boolean {
    return this.#isSettled[chunk] === 1;
  }

  /** What the server has in place of a chunk. */
  onServer(chunk: number): ChunkEntry {
    return { state: this.#states[chunk] as ChunkState, digest: this.#serverDigests[chunk]! };
  }

  /** Takes what the server says about the chunks from `first` on. @param trusts whether a chunk that is staged is settled with that, unread */
  learn(first: number, entries: readonly ChunkEntry[], trusts: (chunk: number, digest: bigint) => boolean): void {
    for (const [index, { state, digest }] of entries.entries()) {
      const chunk = first + index;
      if (chunk >= this.chunks) return;
      this.#states[chunk] = state;
      this.#serverDigests[chunk] = digest;
      if (state === ChunkState.Staged && trusts(chunk, digest)) this.settle(chunk, digest);
    }
  }

  /** Takes what the server says of all chunks after they were sent: what is not staged as it was sent, is to be sent again, whatever else there is. */
  recheck(entries: readonly ChunkEntry[]): void {
    for (const [chunk, { state, digest }] of entries.entries()) {
      if (!this.isSettled(chunk) || (state === ChunkState.Staged && digest === this.#digests[chunk])) continue;
      this.#states[chunk] = ChunkState.Missing;
      this.#isSettled[chunk] = 0;
      this.#settledBytes -= this.place(chunk).bytes;
      this.#returned.push(chunk);
    }
  }

  /** @returns `undefined` when all are settled or handed out */
  take(): number | undefined {
    const returned = this.#returned.shift();
    if (returned !== undefined) return returned;
    this.#skipSettled();
    return this.#next < this.chunks ? this.#next++ : undefined;
  }

  /** A chunk that was handed out and did not come about. */
  giveBack(chunk: number): void {
    this.#returned.push(chunk);
  }

  /** The chunk is on the server, or on its way. */
  settle(chunk: number, digest: bigint): void {
    if (!this.isSettled(chunk)) this.#settledBytes += this.place(chunk).bytes;
    this.#isSettled[chunk] = 1;
    this.#digests[chunk] = digest;
  }

  #skipSettled(): void {
    while (this.#next < this.chunks && this.isSettled(this.#next)) this.#next += 1;
  }
}
