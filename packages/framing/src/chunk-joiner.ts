import { BufferPool } from './buffer-pool.js';

/** Chunks are joined up to so many bytes. */
const JOINED_BYTES = 128 << 10;

/** A smaller chunk is no part of a stream of data, but a message that somebody waits for. */
const MIN_CHUNK_BYTES = 8 << 10;

/** Bytes lent to all joiners at once; beyond that, chunks are handed on as they come. */
const MAX_LENT_BYTES = 16 << 20;

const pool = new BufferPool(4 << 20);
let lentBytes = 0;

/**
 * Joins the chunks that come in one turn of the event loop: for TLS, whose records have 16 KiB at most, and where handling each by itself
 * would cost a call to the file system for each. A small one is handed on at once, behind those that are held.
 */
export class ChunkJoiner {
  readonly #onChunk: (source: Uint8Array, start: number, end: number) => void;
  readonly #atTurnEnd: (callback: () => void) => void;
  #buffer: Uint8Array | undefined;
  #bytes = 0;
  #isPaused = false;
  #onEmpty: (() => void) | undefined;

  /**
   * @param onChunk called with `source[start, end)`, valid until it returns; must not throw
   * @param atTurnEnd calls back once, after what else is to come in this turn; `setImmediate`
   */
  constructor(
    onChunk: (source: Uint8Array, start: number, end: number) => void,
    atTurnEnd: (callback: () => void) => void,
  ) {
    this.#onChunk = onChunk;
    this.#atTurnEnd = atTurnEnd;
  }

  /** Takes the next chunk, and copies what it holds; none comes between `pause` and `resume`. */
  push(chunk: Uint8Array): void {
    if (this.#bytes + chunk.length > JOINED_BYTES) this.#handOn();
    const isWorthWaiting = chunk.length >= MIN_CHUNK_BYTES && chunk.length < JOINED_BYTES;
    if (!isWorthWaiting || (!this.#buffer && lentBytes >= MAX_LENT_BYTES)) {
      this.#handOn();
      // What was just handed on may have paused this: then the chunk has to wait, however small or large it is.
      if (!this.#isPaused) {
        this.#onChunk(chunk, 0, chunk.length);
        return;
      }
    }
    if (!this.#buffer) {
      this.#buffer = pool.take(Math.max(JOINED_BYTES, chunk.length));
      lentBytes += JOINED_BYTES;
      this.#atTurnEnd(this.#onTurnEnd);
    }
    this.#buffer.set(chunk, this.#bytes);
    this.#bytes += chunk.length;
  }

  /** Hands nothing on until `resume`. */
  pause(): void {
    this.#isPaused = true;
  }

  /** Goes on, in a later turn: never from within this call. */
  resume(): void {
    this.#isPaused = false;
    if (this.#buffer) this.#atTurnEnd(this.#onTurnEnd);
  }

  /** There are no more chunks: calls back once all have been handed on, which may be at once. */
  end(onEmpty: () => void): void {
    if (!this.#isPaused) this.#handOn();
    if (this.#buffer) this.#onEmpty = onEmpty;
    else onEmpty();
  }

  /** Forgets what is held. */
  drop(): void {
    this.#release();
    this.#onEmpty = undefined;
  }

  readonly #onTurnEnd = (): void => {
    if (!this.#isPaused) this.#handOn();
  };

  #handOn(): void {
    const buffer = this.#buffer;
    if (!buffer) return;
    const bytes = this.#bytes;
    this.#buffer = undefined; // what is handed on may pause, resume, or end the connection
    this.#bytes = 0;
    this.#onChunk(buffer, 0, bytes);
    this.#giveBack(buffer);
    this.#onEmpty?.();
    this.#onEmpty = undefined;
  }

  #release(): void {
    if (this.#buffer) this.#giveBack(this.#buffer);
    this.#buffer = undefined;
    this.#bytes = 0;
  }

  #giveBack(buffer: Uint8Array): void {
    lentBytes -= JOINED_BYTES;
    pool.give(buffer);
  }
}
