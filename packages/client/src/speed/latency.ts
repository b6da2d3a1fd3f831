import { Command, encodeCyclePacketRequest } from '@sluice/wire';
import { abortable } from '../cancellation.js';
import type { ClientClock } from '../clock.js';
import type { Connection } from '../connection.js';
import { pause } from '../retry.js';
import type { LatencySummary } from './speed-result.js';

/** Round trips before the load: at most so many, for at most so long, but some at least. */
const IDLE_ROUND_TRIPS = 20;
const IDLE_MS = 1000;
const MIN_IDLE_ROUND_TRIPS = 3;

/** Time between two round trips under load. */
const GAP_MS = 10;

/** Measures round trips on a connection of its own. */
export class LatencyProbe {
  readonly #connection: Connection;
  readonly #clock: ClientClock;
  readonly #samples: number[] = [];
  #taken = 0;

  constructor(connection: Connection, clock: ClientClock) {
    this.#connection = connection;
    this.#clock = clock;
  }

  /** While nothing else goes on. The first round trip does not count: it pays for what is new on both ends. */
  async idle(): Promise<LatencySummary> {
    await this.#roundTripMs();
    const samples: number[] = [];
    const startedMs = this.#clock.nowMs();
    while (
      samples.length < MIN_IDLE_ROUND_TRIPS ||
      (samples.length < IDLE_ROUND_TRIPS && this.#clock.nowMs() - startedMs < IDLE_MS)
    )
      samples.push(await this.#roundTripMs());
    return summaryOf(samples) as LatencySummary;
  }

  /** One after the other until the signal aborts, or the connection is lost: what moves bytes will say so. Never rejects. */
  async underLoad(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) {
        this.#samples.push(await abortable(signal, this.#roundTripMs()));
        await pause(this.#clock, signal, GAP_MS);
      }
    } catch {
      // no more of them
    }
  }

  /** Of all round trips under load. */
  get loaded(): LatencySummary | undefined {
    return summaryOf(this.#samples);
  }

  /** Of those since the last call. */
  takeRecent(): LatencySummary | undefined {
    const recent = this.#samples.slice(this.#taken);
    this.#taken = this.#samples.length;
    return summaryOf(recent);
  }

  async #roundTripMs(): Promise<number> {
    const startedMs = this.#clock.nowMs();
    await this.#connection.request(Command.CyclePacket, encodeCyclePacketRequest(0));
    return this.#clock.nowMs() - startedMs;
  }
}

/** @returns `undefined` without samples */
export function summaryOf(samples: readonly number[]): LatencySummary | undefined {
  if (samples.length === 0) return undefined;
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
  return {
    roundTrips: sorted.length,
    minMs: at(0),
    medianMs: at(0.5),
    p95Ms: at(0.95),
    p99Ms: at(0.99),
    maxMs: at(1),
  };
}
