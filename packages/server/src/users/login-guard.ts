import type { Clock } from '@sluice/core';
import { networkOf } from '../peer-network.js';

/** Quoted by the docs: the one home of these numbers. */
export const LOGIN_GUARD_LIMITS = {
  /** Attempts of one address verified at once, as long as none has failed. */
  maxAtOnce: 4,
  /** Wait before an attempt after the second failure; doubles with each further one. */
  firstDelayMs: 500,
  maxDelayMs: 8_000,
  /** Silence after the last failure after which an address starts anew. */
  forgetAfterMs: 600_000,
  /** Attempts of one address that wait at once, after a failure. */
  maxWaiting: 16,
  /** Addresses whose failures are known at once; the one that failed longest ago is forgotten first. */
  maxAddresses: 10_000,
  /** User names of an address whose failures are told apart. */
  maxNames: 16,
} as const;

export interface LoginGuardOptions {
  readonly clock: Clock;
  /** @default 10_000 */
  readonly maxAddresses?: number;
}

interface Failures {
  count: number;
  lastMs: number;
  /** Of each user name, by which the count falls when that user logs in; of more names than fit, nobody's login takes anything back. */
  readonly byName: Map<string, number>;
}

/** The attempts of one address that are verified or wait; there is one only while there are any. */
interface Lane {
  running: number;
  /** Each is told whether its turn has come; if not, it is refused. */
  readonly waiting: ((isTurn: boolean) => void)[];
}

/** Whoever decides when an attempt to log in is checked: {@link LoginGuard}. */
export interface LoginGate {
  attempt(
    address: string,
    userName: string,
    verify: () => Promise<boolean>,
    signal?: AbortSignal,
  ): Promise<boolean | undefined>;
}

/**
 * Slows down who guesses passwords, by address, for IPv6 by /64. After a failure the address's attempts are verified
 * one at a time, and each is held back before it is verified: 0 ms after the first failure, then 500 ms, doubling
 * up to 8 s. So more connections do not guess faster, and a right guess is not seen earlier than a wrong one. A success
 * takes back the failures of the same user name, and no others: who has an account cannot guess those of others with it.
 *
 * @see docs/protocol.md, section 4.2; D24
 */
export class LoginGuard implements LoginGate {
  readonly #clock: Clock;
  readonly #maxAddresses: number;
  /** In the order of the last failure. */
  readonly #failures = new Map<string, Failures>();
  readonly #lanes = new Map<string, Lane>();

  constructor(options: LoginGuardOptions) {
    this.#clock = options.clock;
    this.#maxAddresses = options.maxAddresses ?? LOGIN_GUARD_LIMITS.maxAddresses;
  }

  /** Addresses with failures that are not forgotten. */
  get knownAddresses(): number {
    return this.#failures.size;
  }

  /**
   * Calls `verify` when it is the address's turn, and gives its answer; `undefined`, without calling it, if too many of the
   * address's attempts wait already. What `verify` throws is thrown, and counts neither as success nor as failure.
   *
   * @param address of the peer, as a socket has it
   * @param signal ends the wait, but not `verify` once it has begun
   * @throws the signal's reason
   */
  async attempt(
    address: string,
    userName: string,
    verify: () => Promise<boolean>,
    signal?: AbortSignal,
  ): Promise<boolean | undefined> {
    signal?.throwIfAborted();
    const key = networkOf(address);
    const lane = this.#laneOf(key);
    if (this.#countOf(key) > 0 && lane.waiting.length >= LOGIN_GUARD_LIMITS.maxWaiting) return undefined;
    if (lane.running < this.#maxRunning(key)) lane.running += 1;
    else if (!(await waitForTurn(lane, signal))) return undefined;
    try {
      await this.#delay(delayAfter(this.#countOf(key)), signal);
      const isRight = await verify();
      if (isRight) this.#takeBack(key, userName);
      else {
        this.#addFailure(key, userName);
        // More had come before the address was known to guess: they may not keep it, and their connections, busy for hours.
        for (const refuse of lane.waiting.splice(LOGIN_GUARD_LIMITS.maxWaiting)) refuse(false);
      }
      return isRight;
    } finally {
      lane.running -= 1;
      this.#startWaiting(key, lane);
    }
  }

  #startWaiting(key: string, lane: Lane): void {
    for (const maxRunning = this.#maxRunning(key); lane.running < maxRunning; ) {
      const start = lane.waiting.shift();
      if (!start) break;
      lane.running += 1;
      start(true);
    }
    if (lane.running === 0) this.#lanes.delete(key);
  }

  #maxRunning(key: string): number {
    return this.#countOf(key) > 0 ? 1 : LOGIN_GUARD_LIMITS.maxAtOnce;
  }

  #laneOf(key: string): Lane {
    let lane = this.#lanes.get(key);
    if (!lane) {
      lane = { running: 0, waiting: [] };
      this.#lanes.set(key, lane);
    }
    return lane;
  }

  #countOf(key: string): number {
    const failures = this.#failures.get(key);
    if (!failures) return 0;
    if (this.#clock.nowMs() - failures.lastMs < LOGIN_GUARD_LIMITS.forgetAfterMs) return failures.count;
    this.#failures.delete(key);
    return 0;
  }

  #addFailure(key: string, userName: string): void {
    const count = this.#countOf(key) + 1;
    const byName = this.#failures.get(key)?.byName ?? new Map<string, number>();
    const ofName = byName.get(userName);
    if (ofName !== undefined || byName.size < LOGIN_GUARD_LIMITS.maxNames) byName.set(userName, (ofName ?? 0) + 1);
    this.#failures.delete(key); // to be last in the order
    this.#failures.set(key, { count, lastMs: this.#clock.nowMs(), byName });
    if (this.#failures.size <= this.#maxAddresses) return;
    const [oldest] = this.#failures.keys();
    this.#failures.delete(oldest!);
  }

  #takeBack(key: string, userName: string): void {
    const failures = this.#failures.get(key);
    if (!failures) return;
    failures.count -= failures.byName.get(userName) ?? 0;
    failures.byName.delete(userName);
    if (failures.count <= 0) this.#failures.delete(key);
  }

  /** Leaves neither its timer nor its listener behind. */
  #delay(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (delayMs === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        cancel();
        reject(signal?.reason);
      };
      const cancel = this.#clock.after(delayMs, () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      });
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }
}

/** @returns whether the turn has come; `false` when the attempt is refused instead */
function waitForTurn(lane: Lane, signal: AbortSignal | undefined): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const start = (isTurn: boolean): void => {
      signal?.removeEventListener('abort', onAbort);
      resolve(isTurn);
    };
    const onAbort = (): void => {
      lane.waiting.splice(lane.waiting.indexOf(start), 1);
      reject(signal?.reason);
    };
    lane.waiting.push(start);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

function delayAfter(failures: number): number {
  if (failures < 2) return 0;
  return Math.min(LOGIN_GUARD_LIMITS.firstDelayMs * 2 ** (failures - 2), LOGIN_GUARD_LIMITS.maxDelayMs);
}
