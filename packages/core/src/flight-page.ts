/** Room for the records of many connections, in blocks of equal size: a block costs no more than its bytes. An array of its own costs 500 more. */
export class FlightPage {
  readonly words: Uint32Array;
  readonly blockWords: number;
  /** Whose page it is; of an array that one connection has for itself, nobody's. */
  readonly #slab: FlightSlab | undefined;
  /** Where the first free block begins; the first word of each names the next. One more than that, 0 for none. */
  #free = 0;
  #taken = 0;

  constructor(blockWords: number, blocks = 1, slab?: FlightSlab) {
    this.words = new Uint32Array(blockWords * blocks);
    this.blockWords = blockWords;
    this.#slab = slab;
    if (!slab) return;
    for (let at = blockWords * (blocks - 1); at >= 0; at -= blockWords) this.#push(at);
  }

  /** Of its words. */
  get byteLength(): number {
    return this.words.byteLength;
  }
  get hasRoom(): boolean {
    return this.#free > 0;
  }
  get isEmpty(): boolean {
    return this.#taken === 0;
  }

  /** @returns the first word of a block, which holds anything */
  take(): number {
    const at = this.#free - 1;
    this.#free = this.words[at]!;
    this.#taken += 1;
    return at;
  }

  /** Gives the block at `at` back: its words are another's from now on. */
  give(at: number): void {
    if (!this.#slab) return;
    this.#push(at);
    this.#taken -= 1;
    this.#slab.gotRoom(this);
  }

  #push(at: number): void {
    this.words[at] = this.#free;
    this.#free = at + 1;
  }
}

/** Pages of one size of block; those that are empty are dropped, but for one. */
export class FlightSlab {
  readonly #blockWords: number;
  readonly #blocks: number;
  readonly #roomy = new Set<FlightPage>();
  #bytes = 0;

  /** @param pageBytes how large a page is, at most */
  constructor(blockWords: number, pageBytes = 16 << 10) {
    this.#blockWords = blockWords;
    this.#blocks = Math.floor(pageBytes / (4 * blockWords));
  }

  /** Memory of its pages. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A page with room for a block. Take it before anything else is done. */
  pageWithRoom(): FlightPage {
    for (const page of this.#roomy) {
      if (page.hasRoom) return page;
      this.#roomy.delete(page);
    }
    const page = new FlightPage(this.#blockWords, this.#blocks, this);
    this.#roomy.add(page);
    this.#bytes += page.byteLength;
    return page;
  }

  /** @internal */
  gotRoom(page: FlightPage): void {
    this.#roomy.add(page);
    if (!page.isEmpty || this.#roomy.size === 1) return;
    this.#roomy.delete(page);
    this.#bytes -= page.byteLength;
  }
}
