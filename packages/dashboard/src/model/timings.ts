import type { ServerStats } from './server-stats.js';

/** How often something took how long, since the server started. docs/protocol.md, section 17.9. */
export interface Timings {
  readonly sumMs: number;
  /** By bucket. */
  readonly counts: readonly number[];
}

/** How long something took in a span of time, in milliseconds. NaN where nothing was. */
export interface TimingSummary {
  readonly mean: number;
  /** Estimated within its bucket. */
  readonly p99: number;
}

/** What the statistics tell about one kind of times; `undefined` from a server that does not. */
export function timingsAt(stats: ServerStats, kind: 'handling' | 'loopDelay'): Timings | undefined {
  const timings = objectOf(objectOf(stats['timings'])?.[kind]);
  const counts = timings?.['counts'];
  const sumMs = timings?.['sumMs'];
  return isNumbers(counts) && typeof sumMs === 'number' ? { sumMs, counts } : undefined;
}

/** Upper bounds of the buckets, in milliseconds; the last bucket has none. */
export function boundsOf(stats: ServerStats): readonly number[] {
  const bounds = objectOf(stats['timings'])?.['boundsMs'];
  return isNumbers(bounds) ? bounds : [];
}

/** How it was between two answers. A server that was started again meanwhile counts from nothing. */
export function timingsBetween(
  before: Timings | undefined,
  now: Timings | undefined,
  bounds: readonly number[],
): TimingSummary {
  if (!before || !now) return UNKNOWN;
  const counts = now.counts.map((count, bucket) => count - (before.counts[bucket] ?? 0));
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total <= 0 || counts.some((count) => count < 0)) return UNKNOWN;
  return { mean: Math.max(0, now.sumMs - before.sumMs) / total, p99: quantile(counts, total, 0.99, bounds) };
}

const UNKNOWN: TimingSummary = { mean: Number.NaN, p99: Number.NaN };

/** In the middle of a bucket as if its values were spread evenly; above all bounds the last one. */
function quantile(counts: readonly number[], total: number, share: number, bounds: readonly number[]): number {
  let left = share * total;
  for (const [bucket, count] of counts.entries()) {
    const low = bucket === 0 ? 0 : (bounds[bucket - 1] ?? 0);
    if (count >= left && count > 0) return low + ((bounds[bucket] ?? low) - low) * (left / count);
    left -= count;
  }
  return bounds.at(-1) ?? Number.NaN;
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined;
}

function isNumbers(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((each) => Number.isFinite(each));
}
