import type { ChunkHash } from '@sluice/files/digests';
import { DIGEST_CHUNK_BYTES } from '@sluice/wire';

/** A chunk of which the first bytes have arrived. */
export interface ChunkBegun {
  /** How many; they are in their place. */
  readonly bytes: number;
  /** Of these bytes. */
  readonly hash: ChunkHash;
}

/** Chunks that are to be fetched, one behind the other. */
export interface ChunkRun {
  readonly first: number;
  /** Behind the last one. */
  readonly end: number;
  /** Of the first one, if it has been begun. */
  readonly begun: ChunkBegun | undefined;
}

const State = { Undecided: 0, Missing: 1, Fetching: 2, Done: 3 } as const;

/** A chunk that has arrived so often, each time with another digest than the server's, is not asked for again. */
const MAX_ARRIVALS = 3;

/** What is known of the chunks of one version of a file, and who fetches which. No input or output. */
export class ChunkLedger {
  /** Of the file, in bytes. */
  readonly size: number;
  /** How many chunks there are. */
  readonly chunks: number;
  readonly #states: Uint8Array;
  /** The server's, of the first `#known` chunks. */
  readonly #digests: BigUint64Array;
  readonly #begun = new Map<number, ChunkBegun>();
  readonly #wrongArrivals = new Map<number, number>();
  #known = 0;
  #decided = 0;
  #missing = 0;
  #done = 0;
  #doneBytes = 0;
  /** No chunk in front of it is missing. */
  #cursor = 0;

  constructor(size: number) {
    this.size = size;
    this.chunks = Math.ceil(size / DIGEST_CHUNK_BYTES);
    this.#states = new Uint8Array(this.chunks);
    this.#digests = new BigUint64Array(this.chunks);
  }

  /** So many chunks, from the first on, have a digest. */
  get known(): number {
    return this.#known;
  }

  /** Chunks that are to be fetched, and that nobody fetches yet. */
  get missing(): number {
    return this.#missing;
  }

  /** Chunks with a digest of which it is not known yet whether they are here. */
  get undecided(): number {
    return this.#known - this.#decided;
  }

  /** Bytes of the chunks that are here. */
  get doneBytes(): number {
    return this.#doneBytes;
  }

  /** Bytes that are here of chunks that were begun and given back. */
  get begunBytes(): number {
    let sum = 0;
    for (const { bytes } of this.#begun.values()) sum += bytes;
    return sum;
  }

  get isComplete(): boolean {
    return this.#done === this.chunks;
  }

  /** Whether there is nothing to fetch any more, beyond what somebody fetches already. */
  get isHandedOut(): boolean {
    return this.#decided === this.chunks && this.#missing === 0;
  }

  bytesOf(chunk: number): number {
    return Math.min(DIGEST_CHUNK_BYTES, this.size - chunk * DIGEST_CHUNK_BYTES);
  }

  /** The server's. */
  digestOf(chunk: number): bigint {
    return this.#digests[chunk] ?? 0n;
  }

  /** Takes the server's digests of the next chunks. */
  learn(digests: readonly bigint[]): void {
    this.#digests.set(digests.slice(0, this.chunks - this.#known), this.#known);
    this.#known = Math.min(this.chunks, this.#known + digests.length);
  }

  /** Says whether the next undecided chunk is here. Its digest is known. */
  decide(chunk: number, isHere: boolean): void {
    this.#decided += 1;
    if (isHere) this.#finish(chunk);
    else this.#miss(chunk);
  }

  /** Hands out missing chunks that lie together, at most `maxChunks`, and all in front of `endChunk`. */
  take(maxChunks: number, endChunk = this.chunks): ChunkRun | undefined {
    while (this.#cursor < this.#known && this.#states[this.#cursor] !== State.Missing) this.#cursor += 1;
    const first = this.#cursor;
    if (this.#missing === 0 || this.#states[first] !== State.Missing || first >= endChunk) return undefined;
    let end = first;
    do {
      this.#states[end] = State.Fetching;
      this.#missing -= 1;
      end += 1;
    } while (end - first < maxChunks && end < endChunk && this.#states[end] === State.Missing && !this.#begun.has(end));
    const begun = this.#begun.get(first);
    this.#begun.delete(first);
    return { first, end, begun };
  }

  /** Takes back what was handed out and has not arrived. */
  giveBack({ first, end, begun }: ChunkRun): void {
    for (let chunk = first; chunk < end; chunk++) this.#miss(chunk);
    if (begun && first < end) this.#begun.set(first, begun);
  }

  /**
   * Says that a chunk that was handed out has arrived.
   *
   * @returns `done`: it is what the server has; `again`: it is not, and is missing again; `hopeless`: likewise, and for the third time
   */
  arrived(chunk: number, digest: bigint): 'done' | 'again' | 'hopeless' {
    if (digest === this.#digests[chunk]) {
      this.#finish(chunk);
      return 'done';
    }
    this.#miss(chunk);
    const times = (this.#wrongArrivals.get(chunk) ?? 0) + 1;
    this.#wrongArrivals.set(chunk, times);
    return times < MAX_ARRIVALS ? 'again' : 'hopeless';
  }

  #finish(chunk: number): void {
    this.#states[chunk] = State.Done;
    this.#done += 1;
    this.#doneBytes += this.bytesOf(chunk);
  }

  #miss(chunk: number): void {
    this.#states[chunk] = State.Missing;
    this.#missing += 1;
    this.#cursor = Math.min(this.#cursor, chunk);
  }
}
