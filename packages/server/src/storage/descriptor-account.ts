import { StorageError } from './storage-error.js';
import { Turnstile } from './turnstile.js';

/** Descriptors that the process itself needs. */
const OWN_DESCRIPTORS = 24;

/** Walks through directories under way at once, at most. */
const MAX_WALKS = 64;

/** Descriptors that a walk holds for a moment. */
const DESCRIPTORS_OF_A_WALK = 2;

/**
 * What the server's files may take of the descriptors of the process. Without it, files would take those of new connections, and Node
 * closes connections without a word when none is left.
 */
export class DescriptorAccount {
  readonly #maxOpenFiles: number;
  readonly #walks: Turnstile;
  #openFiles = 0;

  /**
   * @param maxOpenFiles files of transfers open at once
   * @param maxWalks walks through directories under way at once
   */
  constructor(maxOpenFiles: number, maxWalks: number) {
    this.#maxOpenFiles = maxOpenFiles;
    this.#walks = new Turnstile(maxWalks);
  }

  /** An account of so many descriptors, what the process itself needs included. */
  static of(descriptors: number): DescriptorAccount {
    const free = Math.max(8, descriptors - OWN_DESCRIPTORS);
    const walks = Math.min(MAX_WALKS, Math.floor(free / 4));
    return new DescriptorAccount(free - walks * DESCRIPTORS_OF_A_WALK, walks);
  }

  /** Files that are open. */
  get openFiles(): number {
    return this.#openFiles;
  }

  /**
   * Takes a place for an open file; dispose it when the file is closed. Disposing twice does nothing.
   *
   * @throws {StorageError} `ERR_TOO_MANY_FILES`
   */
  openFile(): Disposable {
    if (this.#openFiles >= this.#maxOpenFiles)
      throw new StorageError('ERR_TOO_MANY_FILES', 'too many open files at once');
    this.#openFiles += 1;
    let isOpen = true;
    return {
      [Symbol.dispose]: () => {
        if (isOpen) this.#openFiles -= 1;
        isOpen = false;
      },
    };
  }

  /** Does work on directories as soon as there is room for it. @see Turnstile.pass */
  walk<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.#walks.pass(work, signal);
  }
}
