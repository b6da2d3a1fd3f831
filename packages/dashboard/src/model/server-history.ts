import { RollingSeries } from './rolling-series.js';
import { figureAt, type ServerStats } from './server-stats.js';

/** How long a page remembers: as far back as its charts can show. */
export const HISTORY_SECONDS = 3600;

/** What the charts of the overview show, from statistics that come again and again. */
export class ServerHistory {
  /** In and out, bytes per second. */
  readonly throughput = new RollingSeries(2, HISTORY_SECONDS);
  /** Connections, and those that wait for a place. */
  readonly connections = new RollingSeries(2, HISTORY_SECONDS);
  /** Handling time as the server measures it, median and 99th percentile, and round trip from this page, in milliseconds. */
  readonly latency = new RollingSeries(3, HISTORY_SECONDS);
  /** Median and 99th percentile, in milliseconds. */
  readonly loopDelay = new RollingSeries(2, HISTORY_SECONDS);
  #last: { readonly uptimeMs: number; readonly receivedBytes: number; readonly sentBytes: number } | undefined;
  receiveRate = 0;
  sendRate = 0;

  /** @param seconds since 1970 @param roundTripMs how long the server took to tell them, as this page saw it */
  add(seconds: number, stats: ServerStats, roundTripMs: number): void {
    const uptimeMs = figureAt(stats, 'uptimeMs') ?? 0;
    const receivedBytes = figureAt(stats, 'receivedBytes') ?? 0;
    const sentBytes = figureAt(stats, 'sentBytes') ?? 0;
    const before = this.#last;
    this.#last = { uptimeMs, receivedBytes, sentBytes };
    // a server that was started again counts from nothing; two answers of one moment tell no rate
    const passedMs = before === undefined ? 0 : uptimeMs - before.uptimeMs;
    const isOngoing = before !== undefined && passedMs > 0 && receivedBytes >= before.receivedBytes;
    this.receiveRate = isOngoing ? ((receivedBytes - before.receivedBytes) * 1000) / passedMs : 0;
    this.sendRate = isOngoing ? (Math.max(0, sentBytes - before.sentBytes) * 1000) / passedMs : 0;
    const rates = isOngoing ? [this.receiveRate, this.sendRate] : [Number.NaN, Number.NaN];
    this.throughput.add(seconds, rates);
    const at = (...path: string[]): number => figureAt(stats, ...path) ?? Number.NaN;
    this.connections.add(seconds, [at('connections', 'now'), at('connections', 'waiting')]);
    this.latency.add(seconds, [at('recent', 'handlingMs', 'p50'), at('recent', 'handlingMs', 'p99'), roundTripMs]);
    this.loopDelay.add(seconds, [at('recent', 'eventLoopDelayMs', 'p50'), at('recent', 'eventLoopDelayMs', 'p99')]);
  }

  /** Nothing is known of a time, as the server was not reached: lines have a gap there. */
  addGap(seconds: number): void {
    for (const series of [this.throughput, this.connections, this.latency, this.loopDelay]) series.add(seconds, []);
    this.#last = undefined;
  }
}
