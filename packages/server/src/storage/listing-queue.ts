import type { ListingBounds } from './directory-tree.js';
import { StorageError } from './storage-error.js';
import { Turnstile } from './turnstile.js';

/** Directories with no more entries are listed beside the large ones: who looks at a few files does not wait for those who list many. */
const SMALL_ENTRIES = 512;

/** Large directories that are remembered, so that it is not tried each time whether they are small. */
const MAX_KNOWN_LARGE = 1024;

/** Small ones made at once. */
const MAX_SMALL_LISTINGS = 4;

/** Listings made at once: large ones keep the thread pool and the event loop busy, and everything else has to go on between them. */
const MAX_LISTINGS = 2;

interface WaitingListing {
  readonly listing: Promise<unknown>;
  readonly askers: AbortSignal[];
}

/**
 * Makes listings, few at once. Who asks for one that is waiting already gets the same: it has not begun, so it will show all that was
 * there when it was asked for.
 */
export class ListingQueue {
  readonly #turnstile = new Turnstile(MAX_LISTINGS);
  /** Keys of directories that were large when they were looked at last. */
  readonly #large = new Set<string>();
  readonly #small = new Turnstile(MAX_SMALL_LISTINGS);
  readonly #waiting = new Map<string, WaitingListing>();

  /**
   * Makes the listing of one directory.
   *
   * @param make is called once more, without bounds, when there are too many entries
   * @param beforeLarge called before a large one is begun, or waited for; what it throws is thrown on
   * @throws as `list`
   */
  async listDirectory<T>(
    key: string,
    asker: AbortSignal,
    make: (bounds: ListingBounds) => Promise<T>,
    beforeLarge: () => void,
  ): Promise<T> {
    if (!this.#large.has(key)) {
      try {
        return await this.#small.pass(() => make({ maxEntries: SMALL_ENTRIES }), asker);
      } catch (error) {
        if (!(error instanceof StorageError && error.code === 'ERR_TOO_MANY_ENTRIES')) throw error;
      }
      if (this.#large.size >= MAX_KNOWN_LARGE) this.#large.clear();
      this.#large.add(key);
    }
    beforeLarge();
    return await this.list(key, asker, () => make({}));
  }

  /**
   * @param key the same for listings that are the same
   * @param asker aborted when who asks has gone; a listing for which nobody waits any more is not made
   * @throws what `make` throws, or the asker's reason
   */
  list<T>(key: string, asker: AbortSignal, make: () => Promise<T>): Promise<T> {
    const waiting = this.#waiting.get(key);
    if (waiting) {
      waiting.askers.push(asker);
      return waiting.listing as Promise<T>;
    }
    const askers = [asker];
    let hasBegun = false;
    const listing = this.#turnstile.pass(() => {
      hasBegun = true;
      this.#waiting.delete(key);
      if (askers.every(({ aborted }) => aborted)) throw asker.reason;
      return make();
    });
    if (!hasBegun) this.#waiting.set(key, { listing, askers });
    return listing;
  }
}
