import { RollingSeries } from './rolling-series.js';
import { figureAt, type ServerStats } from './server-stats.js';
import { boundsOf, type Timings, timingsAt, timingsBetween } from './timings.js';

/** How long a page remembers: as far back as its charts can show. */
export const HISTORY_SECONDS = 3600;

/** What an answer tells of all that was before it: what was between two answers is the difference. */
interface Totals {
  readonly uptimeMs: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly handling: Timings | undefined;
  readonly loopDelay: Timings | undefined;
}

/** What the charts of the overview show, from statistics that come again and again. */
export class ServerHistory {
  /** In and out, bytes per second. */
  readonly throughput = new RollingSeries(2, HISTORY_SECONDS);
  /** Connections, and those that wait for a place. */
  readonly connections = new RollingSeries(2, HISTORY_SECONDS);
  /** Handling of requests, mean and 99th percentile, and the round trip of this page, in milliseconds. */
  readonly latency = new RollingSeries(3, HISTORY_SECONDS);
  /** Mean and 99th percentile, in milliseconds. */
  readonly loopDelay = new RollingSeries(2, HISTORY_SECONDS);
  #last: Totals | undefined;
  receiveRate = 0;
  sendRate = 0;

  /** @param seconds since 1970 @param roundTripMs how long the server took to tell them, as this page saw it */
  add(seconds: number, stats: ServerStats, roundTripMs: number): void {
    const now = totalsOf(stats);
    const before = this.#last;
    this.#last = now;
    // a server that was started again counts from nothing; two answers of one moment tell no rate
    const passedMs = before === undefined ? 0 : now.uptimeMs - before.uptimeMs;
    const isOngoing = before !== undefined && passedMs > 0 && now.receivedBytes >= before.receivedBytes;
    this.receiveRate = isOngoing ? ((now.receivedBytes - before.receivedBytes) * 1000) / passedMs : 0;
    this.sendRate = isOngoing ? (Math.max(0, now.sentBytes - before.sentBytes) * 1000) / passedMs : 0;
    this.throughput.add(seconds, isOngoing ? [this.receiveRate, this.sendRate] : []);
    const count = (name: string): number => figureAt(stats, 'connections', name) ?? Number.NaN;
    this.connections.add(seconds, [count('now'), count('waiting')]);
    const bounds = boundsOf(stats);
    const known = isOngoing ? before : undefined;
    const handling = timingsBetween(known?.handling, now.handling, bounds);
    const loopDelay = timingsBetween(known?.loopDelay, now.loopDelay, bounds);
    this.latency.add(seconds, [handling.mean, handling.p99, roundTripMs]);
    this.loopDelay.add(seconds, [loopDelay.mean, loopDelay.p99]);
  }

  /** Nothing is known of a time, as the server was not reached: lines have a gap there. */
  addGap(seconds: number): void {
    for (const series of [this.throughput, this.connections, this.latency, this.loopDelay]) series.add(seconds, []);
    this.#last = undefined;
  }
}

function totalsOf(stats: ServerStats): Totals {
  return {
    uptimeMs: figureAt(stats, 'uptimeMs') ?? 0,
    receivedBytes: figureAt(stats, 'receivedBytes') ?? 0,
    sentBytes: figureAt(stats, 'sentBytes') ?? 0,
    handling: timingsAt(stats, 'handling'),
    loopDelay: timingsAt(stats, 'loopDelay'),
  };
}
