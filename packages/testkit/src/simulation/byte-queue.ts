/** Bytes that wait, in order. */
export class ByteQueue {
  #chunks: Buffer[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Keeps the bytes themselves. */
  push(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#chunks.push(bytes);
    this.#length += bytes.length;
  }

  /** Puts bytes back in front. */
  unshift(bytes: Buffer): void {
    this.#chunks.unshift(bytes);
    this.#length += bytes.length;
  }

  /** Takes the first `count` bytes out, or all there are. */
  take(count: number): Buffer {
    const taken: Buffer[] = [];
    let wanted = Math.min(count, this.#length);
    this.#length -= wanted;
    while (wanted > 0) {
      const first = this.#chunks[0]!;
      if (first.length <= wanted) {
        taken.push(first);
        this.#chunks.shift();
        wanted -= first.length;
      } else {
        taken.push(first.subarray(0, wanted));
        this.#chunks[0] = first.subarray(wanted);
        wanted = 0;
      }
    }
    return taken.length === 1 ? taken[0]! : Buffer.concat(taken);
  }

  clear(): void {
    this.#chunks = [];
    this.#length = 0;
  }
}
