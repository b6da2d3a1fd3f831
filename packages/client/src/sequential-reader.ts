import { joined, ReadAhead, type ReadAt } from './read-ahead.js';

/** A reader who has read so far in order gets this much read ahead at first, in bytes, or twice what he reads if that is more. */
const START_BYTES = 64 << 10;

/** A read-ahead, and what it has brought and nobody has taken. */
interface Sequence {
  readonly ahead: ReadAhead;
  rest: Uint8Array;
}

const NOTHING = new Uint8Array(0);

/** Serves reads that may be anywhere, and reads ahead as long as each begins where the one before it has ended. */
export class SequentialReader {
  readonly #readAt: ReadAt;
  readonly #maxBytes: number;
  #sequence: Sequence | undefined;
  /** Where the last read has ended. */
  #nextPosition: number | undefined;

  /** @param maxBytes most bytes that are read ahead; 0 for none */
  constructor(readAt: ReadAt, maxBytes: number) {
    this.#readAt = readAt;
    this.#maxBytes = maxBytes;
  }

  /** @returns fewer bytes than `count` only at the end of the file. Not to be called twice at a time. */
  async read(position: number, count: number): Promise<Uint8Array> {
    const isInOrder = position === this.#nextPosition;
    if (!isInOrder) this.forget();
    const isAhead = isInOrder && this.#maxBytes > 0;
    try {
      const data = await (isAhead ? this.#take(position, count) : this.#readAt(position, count));
      this.#nextPosition = position + data.length;
      return data;
    } catch (error) {
      this.forget();
      throw error;
    }
  }

  /** Drops what was read ahead: the position has changed, or the file is changed here. */
  forget(): void {
    this.#sequence = undefined;
    this.#nextPosition = undefined;
  }

  async #take(position: number, count: number): Promise<Uint8Array> {
    const startBytes = Math.max(START_BYTES, 2 * count);
    this.#sequence ??= {
      ahead: new ReadAhead(this.#readAt, {
        position,
        end: Number.MAX_SAFE_INTEGER,
        maxBytes: this.#maxBytes,
        startBytes,
      }),
      rest: NOTHING,
    };
    const sequence = this.#sequence; // may be forgotten meanwhile
    const parts: Uint8Array[] = [];
    let bytes = 0;
    while (bytes < count) {
      if (sequence.rest.length === 0) sequence.rest = await sequence.ahead.next();
      if (sequence.rest.length === 0) {
        this.#sequence = undefined; // the next read asks again: the file may have grown
        break;
      }
      const part = sequence.rest.subarray(0, count - bytes);
      sequence.rest = sequence.rest.subarray(part.length);
      parts.push(part);
      bytes += part.length;
    }
    return joined(parts, bytes);
  }
}
