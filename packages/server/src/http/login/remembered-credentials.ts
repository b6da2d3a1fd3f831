import { createHmac, randomBytes } from 'node:crypto';
import type { Clock } from '@sluice/core';

/** A name and a password that were right are right again for so long, in milliseconds. */
const REMEMBERED_MS = 60_000;

const MAX_REMEMBERED = 1000;

/**
 * Names and passwords that were right a moment ago: a program that sends them with each request costs one derivation a minute, not one a request.
 * Kept by a keyed hash whose key never leaves the process.
 */
export class RememberedCredentials {
  readonly #clock: Clock;
  readonly #key = randomBytes(32);
  /** Oldest first. */
  readonly #known = new Map<string, { readonly stamp: string; readonly untilMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param stamp of the user, as it is now */
  has(userName: string, password: string, stamp: string | undefined): boolean {
    const known = this.#known.get(this.#keyOf(userName, password));
    return known !== undefined && known.stamp === stamp && known.untilMs > this.#clock.nowMs();
  }

  add(userName: string, password: string, stamp: string | undefined): void {
    if (stamp === undefined) return;
    const key = this.#keyOf(userName, password);
    this.#known.delete(key); // to be last in the order
    this.#known.set(key, { stamp, untilMs: this.#clock.nowMs() + REMEMBERED_MS });
    const [oldest] = this.#known.keys();
    if (this.#known.size > MAX_REMEMBERED) this.#known.delete(oldest!);
  }

  #keyOf(userName: string, password: string): string {
    return createHmac('sha256', this.#key).update(`${userName}\0${password}`).digest('base64');
  }
}
