import { Histogram, SECONDS_BOUNDS } from './histogram.js';
import type { LoopLag } from './loop-lag.js';
import type { Traffic } from './traffic.js';

/** Upper bounds of the buckets, in milliseconds. */
const BOUNDS_MS = SECONDS_BOUNDS.map((seconds) => seconds * 1000);

/** How often something took how long, since the server started: who asks twice knows how it was between. */
export interface TimingFigures {
  readonly sumMs: number;
  /** Not cumulative; the last one is for what is above all bounds. */
  readonly counts: readonly number[];
}

/** The times of a server as its statistics tell them. docs/protocol.md, section 17.9. */
export function timingFigures(traffic: Traffic, lag: LoopLag): object {
  const all = [...traffic.protocols.values()].flatMap(({ times }) => [...times.values()]);
  return { boundsMs: BOUNDS_MS, handling: figuresOf(all), loopDelay: figuresOf([lag.times]) };
}

function figuresOf(histograms: readonly Histogram[]): TimingFigures {
  const sum = new Histogram();
  for (const { counts, sum: seconds } of histograms) {
    sum.sum += seconds;
    for (const [bucket, count] of counts.entries()) sum.counts[bucket] = sum.counts[bucket]! + count;
  }
  return { sumMs: Math.round(sum.sum * 1e6) / 1000, counts: [...sum.counts] };
}
