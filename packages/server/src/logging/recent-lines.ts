/** The lines that were logged last, in memory: those who follow the log all ask for the same ones, and the disk is not asked for each. */
export class RecentLines {
  readonly #maxBytes: number;
  #lines: string[] = [];
  /** Index of the first one that still counts. */
  #start = 0;
  #firstSeq: number;
  #bytes = 0;

  /** @param nextSeq the number of the first line that will come @param maxBytes characters that are kept. @default 256 KiB */
  constructor(nextSeq: number, maxBytes = 256 << 10) {
    this.#firstSeq = nextSeq;
    this.#maxBytes = maxBytes;
  }

  /** Takes the next line; their numbers have no gap. */
  push(line: string): void {
    this.#lines.push(line);
    this.#bytes += line.length;
    while (this.#bytes > this.#maxBytes && this.#start < this.#lines.length) {
      this.#bytes -= this.#lines[this.#start]!.length;
      this.#lines[this.#start] = '';
      this.#start += 1;
      this.#firstSeq += 1;
    }
    if (this.#start <= this.#lines.length / 2) return;
    this.#lines = this.#lines.slice(this.#start);
    this.#start = 0;
  }

  /** Forgets all: some of them will never be on the disk. */
  clear(): void {
    this.#firstSeq += this.#lines.length - this.#start;
    this.#lines = [];
    this.#start = 0;
    this.#bytes = 0;
  }

  /**
   * Lines from number `from` to `last`, as many as fit.
   *
   * @returns `undefined` when the first of them is not here any more
   */
  between(from: number, last: number, maxBytes: number): string[] | undefined {
    if (from < this.#firstSeq) return undefined;
    const lines: string[] = [];
    let bytes = 0;
    for (let seq = from; seq <= last; seq += 1) {
      const line = this.#lines[this.#start + seq - this.#firstSeq];
      if (line === undefined) break;
      bytes += line.length;
      if (lines.length > 0 && bytes > maxBytes) break;
      lines.push(line);
    }
    return lines.length > 0 ? lines : undefined;
  }
}
