import { Turnstile } from '../storage/turnstile.js';

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
  readonly #waiting = new Map<string, WaitingListing>();

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
