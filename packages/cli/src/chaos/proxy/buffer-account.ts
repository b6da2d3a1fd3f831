/** What all lanes of a proxy hold together. */
export class BufferAccount {
  readonly #limitBytes: number;
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Whether lanes that hold something should not read more. */
  get isFull(): boolean {
    return this.#bytes >= this.#limitBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
  }

  remove(bytes: number): void {
    this.#bytes -= bytes;
  }
}
