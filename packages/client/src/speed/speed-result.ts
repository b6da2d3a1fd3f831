/** Bytes that went one way, without the heads of packets. */
export interface SpeedFlow {
  /** Up: that the server has received; down: that this client has. */
  readonly bytes: number;
  readonly seconds: number;
  readonly bytesPerSecond: number;
}

/** Round trips of small packets on a connection of their own, in milliseconds. */
export interface LatencySummary {
  readonly roundTrips: number;
  readonly minMs: number;
  readonly medianMs: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** What a process did while bytes moved. Whatever else it does counts, too. */
export interface ProcessUse {
  /** CPU time of all its threads. */
  readonly cpuSeconds: number;
  /** The same as a share of the time: 1 is one core. */
  readonly cpuShare: number;
  /** How much of the time the thread that moves the bytes was at work, 0 to 1: at 1 there is no more to be had of it. */
  readonly busyShare: number;
}

/**
 * What holds the measured speed down.
 *
 * - `client-cpu`, `server-cpu`, `both-cpus`: the thread that moves the bytes was never idle, here, there, or on both ends
 * - `server-cap`: the server holds clients to a rate
 * - `link`: both ends have waited for what is between them: the network, or its buffers and round trips
 * - `unknown`: it cannot be told
 */
export type SpeedLimit = 'client-cpu' | 'server-cpu' | 'both-cpus' | 'server-cap' | 'link' | 'unknown';

/** A part of a measurement. */
export interface SpeedInterval {
  /** Since bytes began to move. */
  readonly fromSeconds: number;
  readonly toSeconds: number;
  /** For the directions that are measured; missing up while the server has not told anything new. */
  readonly up?: SpeedFlow;
  readonly down?: SpeedFlow;
  /** Round trips that ended in it, if any did. */
  readonly latency?: LatencySummary;
}

/** What was measured. */
export interface SpeedResult {
  /**
   * - `flood`: the bytes of each direction were sent without a stop
   * - `cycle-packet`: the server is an original, or has measurements switched off: packets were sent and came back, so that both directions
   *   have the same bytes, whichever was asked for
   */
  readonly method: 'flood' | 'cycle-packet';
  readonly direction: 'up' | 'down' | 'both';
  readonly streams: number;
  /** For how long bytes moved. */
  readonly seconds: number;
  /** As much time as the server has granted, which may be less than was asked for. */
  readonly grantedSeconds: number;
  /** What the server holds a client to, in bytes a second each way; missing when it does not. */
  readonly serverCap?: number;
  readonly up?: SpeedFlow;
  readonly down?: SpeedFlow;
  /** Before the bytes began to move. */
  readonly idleLatency: LatencySummary;
  /** While they moved; missing when no round trip ended meanwhile. */
  readonly loadedLatency?: LatencySummary;
  readonly intervals: readonly SpeedInterval[];
  /** Missing in a browser, which does not tell. */
  readonly client?: ProcessUse;
  /** Missing when the server does not tell. */
  readonly server?: ProcessUse;
  readonly limit: SpeedLimit;
}
