/** Wakes everybody who waits for something to have changed; what it was, they look up themselves. */
export class Bell {
  #ring!: () => void;
  #heard!: Promise<void>;

  constructor() {
    this.#reset();
  }

  ring(): void {
    this.#ring();
    this.#reset();
  }

  /** Settles with the next ring. */
  heard(): Promise<void> {
    return this.#heard;
  }

  #reset(): void {
    this.#heard = new Promise((resolve) => {
      this.#ring = resolve;
    });
  }
}
