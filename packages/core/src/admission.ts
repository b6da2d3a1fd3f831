import { AcceptRamp } from './accept-ramp.js';
import type { AdmissionLimits } from './admission-options.js';
import type { Cancel, Clock } from './clock.js';
import { FairQueue } from './fair-queue.js';
import { NetworkAccounts } from './network-accounts.js';
import { TokenBucket } from './token-bucket.js';

/**
 * Why a newcomer is not served now.
 *
 * - `full`: as many connections as may be are served
 * - `unestablished`: as many as may be have not shown yet that they are clients
 * - `rate`: more have come in the last second than may
 * - `slow-start`: the server has begun a moment ago, or had more to do than it could
 * - `waited`: it has waited for a place for as long as it may
 * - `network-full`, `network-rate`: the same as `full` and `rate`, for the address it comes from
 * - `descriptors`: the process has none left for it
 * - `memory`: the process holds as much as it may
 *
 * Owners of a listener have reasons of their own.
 */
export type RefusalReason =
  | 'full'
  | 'unestablished'
  | 'rate'
  | 'slow-start'
  | 'waited'
  | 'network-full'
  | 'network-rate'
  | 'descriptors'
  | 'memory'
  | (string & {});

/** The place of one connection; given back once. */
export interface Slot {
  /** Where the connection comes from, if that counts. */
  network: string | undefined;
  readonly takenMs: number;
  /** Ends the connection that has it. */
  displace: (() => void) | undefined;
}

export interface AdmissionEvents<T> {
  onAdmitted(newcomer: T, slot: Slot): void;
  onRefused(newcomer: T, reason: RefusalReason): void;
  /** A reason of the owner's why nobody is admitted now. */
  gate?(): RefusalReason | undefined;
}

/** An honest client is established sooner; one that is not may be displaced then. */
const DISPLACEABLE_AFTER_MS = 3000;

/** No timer is shorter. */
const MIN_PAUSE_MS = 5;

/**
 * Who may come in, and who first: bounds the connections that are served, those that wait for it, in turns by network, and those that have not
 * shown yet that they are clients. Whoever can neither come in nor wait is refused.
 *
 * Refusing has hysteresis: once begun, it lasts until a quarter of the places to wait is free, or, where nobody may wait, a twentieth of the
 * connections. Then newcomers are taken with a slow start.
 */
export class Admission<T> {
  readonly #limits: AdmissionLimits;
  readonly #events: AdmissionEvents<T>;
  readonly #clock: Clock;
  readonly #networks: NetworkAccounts;
  readonly #rate: TokenBucket | undefined;
  readonly #ramp = new AcceptRamp();
  readonly #waiting = new FairQueue<T>();
  /** The networks of those that wait, where they count. */
  readonly #networkOf = new Map<T, string>();
  /** Slots of connections that are not established, the oldest first. */
  readonly #unestablished = new Set<Slot>();
  #active = 0;
  /** Why nobody could be admitted when that was last tried. */
  #obstacle: RefusalReason | undefined;
  #isRefusing = false;
  #isServing = false;
  #cancelPause: Cancel | undefined;
  #isClosed = false;

  constructor(limits: AdmissionLimits, events: AdmissionEvents<T>, clock: Clock) {
    this.#limits = limits;
    this.#events = events;
    this.#clock = clock;
    this.#networks = new NetworkAccounts(limits);
    const { connectionRate } = limits;
    if (connectionRate > 0) this.#rate = new TokenBucket(connectionRate, connectionRate, clock.nowMs());
    this.#startSlowly();
  }

  /** Slots in use. */
  get active(): number {
    return this.#active;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Connections that have a slot and are not established. */
  get unestablished(): number {
    return this.#unestablished.size;
  }

  /**
   * Admits, refuses, or lets wait.
   *
   * @param owner whose turn it uses while it waits: its network
   * @param isCounted whether the limits of a network hold for it
   */
  offer(newcomer: T, owner: string, isCounted: boolean): void {
    const nowMs = this.#clock.nowMs();
    const excess = isCounted ? this.#networks.add(owner, nowMs) : undefined;
    if (excess) {
      this.#events.onRefused(newcomer, excess);
      return;
    }
    const network = isCounted ? owner : undefined;
    this.serveWaiting();
    // Nobody overtakes those who wait.
    if (this.#waiting.size === 0) this.#obstacle = this.#findObstacle(nowMs);
    if (!this.#obstacle) {
      this.#admit(newcomer, network, nowMs);
      return;
    }
    this.#noteRelaxed();
    if (this.#isRefusing || this.#waiting.size >= this.#limits.maxWaiting) {
      this.#isRefusing = true;
      this.#refuse(newcomer, network, this.#obstacle);
      return;
    }
    this.#waiting.push(newcomer, owner, nowMs);
    if (network !== undefined) this.#networkOf.set(newcomer, network);
    this.#pause(this.#obstacle, nowMs);
  }

  /**
   * Counts a connection that has been admitted for the network it really comes from, once that is known.
   *
   * @returns why it may not stay
   */
  moveTo(slot: Slot, network: string): RefusalReason | undefined {
    const nowMs = this.#clock.nowMs();
    const excess = this.#networks.add(network, nowMs);
    if (excess) return excess;
    if (slot.network !== undefined) this.#networks.remove(slot.network, nowMs);
    slot.network = network;
    return undefined;
  }

  /** The connection has shown that it is a client. */
  establish(slot: Slot): void {
    if (this.#unestablished.delete(slot)) this.serveWaiting();
  }

  /** Gives a slot back. */
  release(slot: Slot): void {
    this.#active -= 1;
    this.#unestablished.delete(slot);
    if (slot.network !== undefined) this.#networks.remove(slot.network, this.#clock.nowMs());
    this.serveWaiting();
  }

  /** Ends the waiting of one that has gone away. @returns whether it waited */
  withdraw(waiting: T): boolean {
    if (!this.#waiting.remove(waiting)) return false;
    this.#leave(waiting);
    return true;
  }

  /** Refuses those that have waited for `maxMs` milliseconds. */
  expire(maxMs: number): void {
    for (const newcomer of this.#waiting.removeSince(this.#clock.nowMs() - maxMs)) {
      this.#refuse(newcomer, this.#networkOf.get(newcomer), 'waited');
      this.#networkOf.delete(newcomer);
    }
  }

  /** Admits of those that wait whoever may come in now. For owners whose `gate` has opened. */
  serveWaiting(): void {
    if (this.#isServing || this.#isClosed || this.#waiting.size === 0) return;
    this.#isServing = true;
    const nowMs = this.#clock.nowMs();
    while (this.#waiting.size > 0) {
      this.#obstacle = this.#findObstacle(nowMs);
      if (this.#obstacle) {
        this.#pause(this.#obstacle, nowMs);
        break;
      }
      const newcomer = this.#waiting.shift()!;
      const network = this.#networkOf.get(newcomer);
      this.#networkOf.delete(newcomer);
      this.#admit(newcomer, network, nowMs);
    }
    this.#isServing = false;
  }

  /** Ends all waiting, and admits nobody any more. @returns who waited */
  close(): T[] {
    this.#isClosed = true;
    this.#cancelPause?.();
    for (const [, network] of this.#networkOf) this.#networks.remove(network, this.#clock.nowMs());
    this.#networkOf.clear();
    return this.#waiting.clear();
  }

  #admit(newcomer: T, network: string | undefined, nowMs: number): void {
    const slot: Slot = { network, takenMs: nowMs, displace: undefined };
    this.#rate?.take(nowMs);
    this.#active += 1;
    this.#unestablished.add(slot);
    this.#noteRelaxed();
    this.#events.onAdmitted(newcomer, slot);
  }

  #refuse(newcomer: T, network: string | undefined, reason: RefusalReason): void {
    if (network !== undefined) this.#networks.remove(network, this.#clock.nowMs());
    this.#events.onRefused(newcomer, reason);
  }

  #leave(newcomer: T): void {
    const network = this.#networkOf.get(newcomer);
    if (network === undefined) return;
    this.#networkOf.delete(newcomer);
    this.#networks.remove(network, this.#clock.nowMs());
  }

  /** Why nobody can be admitted now; where nothing is in the way, the slow start has counted one. */
  #findObstacle(nowMs: number): RefusalReason | undefined {
    const { maxConnections, maxUnestablished } = this.#limits;
    const closed = this.#events.gate?.();
    if (closed) return closed;
    if (this.#active >= maxConnections) return 'full';
    if (maxUnestablished > 0 && this.#unestablished.size >= maxUnestablished && !this.#displaceOldest(nowMs)) {
      return 'unestablished';
    }
    if (this.#rate && this.#rate.waitMs(nowMs) > 0) return 'rate';
    if (!this.#ramp.take(nowMs)) return 'slow-start';
    return undefined;
  }

  /** @returns whether the oldest connection that is not established makes room */
  #displaceOldest(nowMs: number): boolean {
    const [oldest] = this.#unestablished;
    if (!oldest || nowMs - oldest.takenMs < DISPLACEABLE_AFTER_MS) return false;
    this.#unestablished.delete(oldest);
    oldest.displace?.();
    return true;
  }

  #noteRelaxed(): void {
    if (!this.#isRefusing) return;
    const { maxConnections, maxWaiting } = this.#limits;
    const isRelaxed =
      maxWaiting > 0
        ? this.#waiting.size <= Math.floor(maxWaiting * 0.75)
        : this.#active <= Math.min(maxConnections - 1, Math.floor(maxConnections * 0.95));
    if (!isRelaxed) return;
    this.#isRefusing = false;
    this.#startSlowly();
  }

  #startSlowly(): void {
    if (this.#limits.slowStart) this.#ramp.start(this.#clock.nowMs());
  }

  /** Tries again when time alone will have changed something. */
  #pause(obstacle: RefusalReason, nowMs: number): void {
    if (this.#cancelPause) return;
    let waitMs = Number.POSITIVE_INFINITY;
    if (obstacle === 'rate') waitMs = this.#rate?.waitMs(nowMs) ?? 0;
    else if (obstacle === 'slow-start') waitMs = this.#ramp.waitMs(nowMs);
    else if (obstacle === 'unestablished') {
      const [oldest] = this.#unestablished;
      if (oldest) waitMs = oldest.takenMs + DISPLACEABLE_AFTER_MS - nowMs;
    }
    if (waitMs === Number.POSITIVE_INFINITY) return;
    this.#cancelPause = this.#clock.after(Math.max(MIN_PAUSE_MS, Math.ceil(waitMs)), () => {
      this.#cancelPause = undefined;
      this.serveWaiting();
    });
  }
}
