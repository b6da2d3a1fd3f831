/** What is asked for in one request, in bytes: as much as the server reads in one go without its thread pool. */
export const PIECE_BYTES = 256 << 10;

/** As {@link OpenFile.readAt}. */
export type ReadAt = (position: number, count: number) => Promise<Uint8Array>;

/** From where to where, and how far ahead. */
export interface ReadAheadOptions {
  readonly position: number;
  /** Where it ends at the latest. */
  readonly end: number;
  /** Most bytes that are asked for and not yet taken. */
  readonly maxBytes: number;
  /** How many at first; doubled with each piece that is taken. */
  readonly startBytes: number;
}

/** Asks for the bytes of a file before they are needed, for a reader who takes them in order. */
export class ReadAhead {
  readonly #readAt: ReadAt;
  readonly #end: number;
  readonly #maxBytes: number;
  #windowBytes: number;
  /** What was asked for and not taken, in order. */
  readonly #pieces: { readonly bytes: number; readonly data: Promise<Uint8Array> }[] = [];
  #askedBytes = 0;
  /** Where the next request begins. */
  #askAt: number;
  #hasEnded = false;

  constructor(readAt: ReadAt, { position, end, maxBytes, startBytes }: ReadAheadOptions) {
    this.#readAt = readAt;
    this.#askAt = position;
    this.#end = end;
    this.#maxBytes = maxBytes;
    this.#windowBytes = Math.min(startBytes, maxBytes);
  }

  /** The bytes behind those of the last call; none at the end of the file, even if that has grown meanwhile. Not to be called twice at a time. */
  async next(): Promise<Uint8Array> {
    this.#ask();
    const piece = this.#pieces.shift();
    if (!piece) return new Uint8Array(0);
    const data = await piece.data;
    this.#askedBytes -= piece.bytes;
    this.#windowBytes = Math.min(this.#maxBytes, this.#windowBytes * 2);
    if (data.length < piece.bytes) this.#stop();
    else this.#ask();
    return data;
  }

  /** What was asked for behind the end may have been written since: there would be a hole in front of it. */
  #stop(): void {
    this.#hasEnded = true;
    this.#pieces.length = 0;
  }

  #ask(): void {
    while (!this.#hasEnded && this.#askAt < this.#end) {
      const bytes = Math.min(PIECE_BYTES, this.#windowBytes, this.#end - this.#askAt);
      if (this.#askedBytes > 0 && this.#askedBytes + bytes > this.#windowBytes) return;
      const data = this.#readAt(this.#askAt, bytes);
      data.catch(() => {}); // whoever takes the piece is told
      this.#pieces.push({ bytes, data });
      this.#askedBytes += bytes;
      this.#askAt += bytes;
    }
  }
}

/** Up to `count` bytes of what a read-ahead brings, as one array. */
export async function collect(ahead: ReadAhead, count: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  while (bytes < count) {
    const part = await ahead.next();
    if (part.length === 0) break;
    parts.push(part);
    bytes += part.length;
  }
  return parts.length === 1 ? parts[0]! : joined(parts, bytes);
}

/** Unlike Buffer.concat, never in a pool that others have bytes in. */
export function joined(parts: readonly Uint8Array[], bytes: number): Uint8Array {
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
