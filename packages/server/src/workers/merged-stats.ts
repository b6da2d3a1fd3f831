type Stats = Readonly<Record<string, unknown>>;

/** Figures that do not add up: of several, the largest one is told. */
const LARGEST = /^(?:uptimeMs|p50|p99|max|parked|parkedBytes)$/;

/** Counts of buckets: they are added one by one. */
const COUNTS = 'counts';

/**
 * The figures of several processes as those of one: numbers are added, what is no number is the first one's.
 *
 * @see docs/protocol.md, section 17
 */
export function mergedStats(all: readonly Stats[]): Record<string, unknown> {
  const merged: Record<string, unknown> = {};
  for (const stats of all) {
    for (const [key, value] of Object.entries(stats)) {
      const known = merged[key];
      if (known === undefined) merged[key] = isGroup(value) ? mergedStats([value]) : value;
      else if (typeof known === 'number' && typeof value === 'number')
        merged[key] = LARGEST.test(key) ? Math.max(known, value) : known + value;
      else if (isGroup(known) && isGroup(value)) merged[key] = mergedStats([known, value]);
      else if (key === COUNTS && Array.isArray(known) && Array.isArray(value)) merged[key] = addedCounts(known, value);
    }
  }
  return merged;
}

/** @param a of the same length as `b`: both are of this version of the server */
function addedCounts(a: readonly number[], b: readonly number[]): number[] {
  return a.map((count, bucket) => count + (b[bucket] ?? 0));
}

function isGroup(value: unknown): value is Stats {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
