import { RequestError, ResultCode } from '@sluice/wire';
import type { Coordinator } from './coordination/coordinator.js';
import { networkOf } from './peer-network.js';
import { RatePacer } from './rate-pacer.js';
import type { SpeedLimits } from './speed-limits.js';

/** The part of a clock that is needed here. */
export interface FloodClock {
  nowMs(): number;
  after(delayMs: number, callback: () => void): () => void;
}

/** Too many floods go on. */
export class FloodsBusyError extends RequestError {
  /** When the first of those in the way ends, in milliseconds from now. */
  readonly retryAfterMs: number;

  constructor(message: string, retryAfterMs: number) {
    super(ResultCode.Busy, message);
    this.retryAfterMs = retryAfterMs;
  }
}

/** What a process is told that has asked for a place: its number, or why there is none. */
export type PlaceAnswer = { readonly id: number } | { readonly message: string; readonly retryAfterMs: number };

/** How many floods go on in all processes, and of each client: a process paces its part of them. */
export interface FloodShares {
  readonly all: number;
  readonly clients: ReadonlyMap<string, number>;
}

/** Which way bytes go: `up` is to the server. */
export type FlowDirection = 'up' | 'down';

type Pacers = Readonly<Record<FlowDirection, RatePacer>>;

interface Client {
  readonly places: Set<FloodPlace>;
  readonly pacers: Pacers;
  /** Calls off the next look at whether it can be forgotten. */
  cancelLook: () => void;
}

/** Who may flood, how many at once, and how fast: one for a server. */
export class FloodPlaces {
  readonly limits: SpeedLimits;
  readonly #clock: FloodClock;
  readonly #clients = new Map<string, Client>();
  readonly #places = new Set<FloodPlace>();
  readonly #pacers: Pacers;
  readonly #coordinator: Coordinator | undefined;
  #shares: FloodShares | undefined;

  /** @param coordinator asks for the places of all processes; `undefined` where they are only here */
  constructor(limits: SpeedLimits, clock: FloodClock, coordinator?: Coordinator) {
    this.#coordinator = coordinator?.isAlone ? undefined : coordinator;
    this.#coordinator?.on('floods.shares', (shares: FloodShares) => {
      this.#shares = shares;
      this.#share();
    });
    this.limits = limits;
    this.#clock = clock;
    this.#pacers = pacersOf(limits.bytesPerSecond);
  }

  /** What the smaller of the two limits lets one client move, in bytes a second; 0 for no limit. */
  get rate(): number {
    const rates = [this.limits.bytesPerSecond, this.limits.bytesPerSecondPerClient].filter((rate) => rate > 0);
    return rates.length === 0 ? 0 : Math.min(...rates);
  }

  /** Clients that are remembered: those that flood, and for a moment those that did. */
  get clients(): number {
    return this.#clients.size;
  }

  /** How many go on, in all and of each client. */
  get shares(): FloodShares {
    return {
      all: this.#places.size,
      clients: new Map([...this.#clients].map(([network, { places }]) => [network, places.size])),
    };
  }

  /**
   * Asks for a place among those of all processes, to be given to `take`.
   *
   * @returns `undefined` where the server is one process: nobody has to be asked
   * @throws {FloodsBusyError} rejects with it
   */
  ask(address: string, forMs: number): Promise<() => void> | undefined {
    return this.#coordinator && this.#ask(this.#coordinator, address, forMs);
  }

  async #ask(coordinator: Coordinator, address: string, forMs: number): Promise<() => void> {
    const answer = await coordinator.ask<PlaceAnswer>('floods.take', { address, forMs });
    if ('message' in answer) throw new FloodsBusyError(answer.message, answer.retryAfterMs);
    return () => coordinator.report('floods.free', answer.id);
  }

  /** Of a rate for all, this process has as much as it has floods. */
  #share(): void {
    if (!this.#shares) return;
    const { bytesPerSecond, bytesPerSecondPerClient } = this.limits;
    setRates(this.#pacers, bytesPerSecond, this.#places.size, this.#shares.all);
    for (const [network, { pacers, places }] of this.#clients)
      setRates(pacers, bytesPerSecondPerClient, places.size, this.#shares.clients.get(network) ?? 0);
  }

  /**
   * Takes a place, until it is disposed of.
   *
   * @param forMs milliseconds after which it will be free again
   * @param onFree what `ask` has answered
   * @throws {FloodsBusyError} code 12 when there is none
   */
  take(address: string, forMs: number, onFree: () => void = () => {}): FloodPlace {
    const { maxFloods, maxFloodsPerClient, bytesPerSecondPerClient } = this.limits;
    const network = networkOf(address);
    const client = this.#clients.get(network) ?? newClient(bytesPerSecondPerClient);
    this.#requireRoom(client.places, maxFloodsPerClient, 'of this client');
    this.#requireRoom(this.#places, maxFloods, 'in all');
    this.#clients.set(network, client);
    const place = new FloodPlace([this.#pacers, client.pacers], this.#clock, this.#clock.nowMs() + forMs, () => {
      this.#places.delete(place);
      client.places.delete(place);
      this.#forget(network, client);
      onFree();
    });
    this.#places.add(place);
    client.places.add(place);
    this.#share();
    return place;
  }

  #requireRoom(places: ReadonlySet<FloodPlace>, max: number, whose: string): void {
    if (places.size < max) return;
    const freeAtMs = [...places].reduce((first, place) => Math.min(first, place.endsAtMs), Number.POSITIVE_INFINITY);
    const waitMs = Number.isFinite(freeAtMs) ? Math.max(1, Math.ceil(freeAtMs - this.#clock.nowMs())) : 1000;
    throw new FloodsBusyError(`no more than ${max} streams ${whose} are measured at once`, waitMs);
  }

  /** Not before what it owes is paid: or a client would begin anew with every flood. */
  #forget(network: string, client: Client): void {
    client.cancelLook();
    if (client.places.size > 0) return;
    const nowMs = this.#clock.nowMs();
    const waitMs = Math.max(client.pacers.up.waitMs(nowMs), client.pacers.down.waitMs(nowMs));
    if (waitMs === 0) this.#clients.delete(network);
    else client.cancelLook = this.#clock.after(waitMs + 1, () => this.#forget(network, client));
  }
}

/** Leave for one flood. */
export class FloodPlace implements Disposable {
  readonly endsAtMs: number;
  readonly #pacers: readonly Pacers[];
  readonly #clock: FloodClock;
  readonly #onFree: () => void;
  #isFree = false;

  /** Made by {@link FloodPlaces}. */
  constructor(pacers: readonly Pacers[], clock: FloodClock, endsAtMs: number, onFree: () => void) {
    this.#pacers = pacers;
    this.#clock = clock;
    this.endsAtMs = endsAtMs;
    this.#onFree = onFree;
  }

  /** Counts bytes that go now. */
  note(direction: FlowDirection, bytes: number): void {
    const nowMs = this.#clock.nowMs();
    for (const pacers of this.#pacers) pacers[direction].note(bytes, nowMs);
  }

  /** How long the next bytes must wait, in milliseconds; 0 or more. */
  waitMs(direction: FlowDirection): number {
    const nowMs = this.#clock.nowMs();
    return this.#pacers.reduce((most, pacers) => Math.max(most, pacers[direction].waitMs(nowMs)), 0);
  }

  [Symbol.dispose](): void {
    if (this.#isFree) return;
    this.#isFree = true;
    this.#onFree();
  }
}

function newClient(bytesPerSecond: number): Client {
  return { places: new Set(), pacers: pacersOf(bytesPerSecond), cancelLook: () => {} };
}

function pacersOf(bytesPerSecond: number): Pacers {
  return { up: new RatePacer(bytesPerSecond), down: new RatePacer(bytesPerSecond) };
}

function setRates(pacers: Pacers, bytesPerSecond: number, own: number, all: number): void {
  if (bytesPerSecond === 0) return;
  const rate = Math.max(1, (bytesPerSecond * own) / Math.max(own, all, 1));
  pacers.up.setRate(rate);
  pacers.down.setRate(rate);
}
