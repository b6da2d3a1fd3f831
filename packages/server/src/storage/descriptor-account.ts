import { StorageError } from './storage-error.js';
import { Turnstile } from './turnstile.js';

/** Walks through directories under way at once, at most. */
const MAX_WALKS = 64;

/** Descriptors that a walk holds for a moment. */
const DESCRIPTORS_OF_A_WALK = 2;

/** Where files take their descriptors from: what connections leave. */
export interface FileDescriptors {
  /** Takes so many, if there are so many. */
  takeFiles(count: number): boolean;
  giveFiles(count: number): void;
}

/**
 * What the server's files take of the descriptors of the process. Without it, files would take those of new connections, and Node
 * closes connections without a word when none is left.
 */
export class DescriptorAccount {
  readonly #source: FileDescriptors;
  readonly #walks: Turnstile;
  #openFiles = 0;

  /**
   * What walks need is taken at once: they wait for each other, but never for a descriptor.
   *
   * @param share descriptors that files have for themselves; walks get up to half of them
   */
  constructor(source: FileDescriptors, share: number) {
    const walks = Math.max(1, Math.min(MAX_WALKS, Math.floor(share / DESCRIPTORS_OF_A_WALK / 2)));
    source.takeFiles(walks * DESCRIPTORS_OF_A_WALK);
    this.#source = source;
    this.#walks = new Turnstile(walks);
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
    if (!this.#source.takeFiles(1)) throw new StorageError('ERR_TOO_MANY_FILES', 'too many open files at once');
    this.#openFiles += 1;
    let isOpen = true;
    return {
      [Symbol.dispose]: () => {
        if (!isOpen) return;
        isOpen = false;
        this.#openFiles -= 1;
        this.#source.giveFiles(1);
      },
    };
  }

  /** Does work on directories as soon as there is room for it. @see Turnstile.pass */
  walk<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.#walks.pass(work, signal);
  }
}
