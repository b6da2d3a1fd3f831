/** Upper bounds of the buckets of all histograms, in seconds. */
export const SECONDS_BOUNDS: readonly number[] = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60];

/** How often something took how long. Observing makes nothing new. */
export class Histogram {
  /** Not cumulative; the last one is for what is above all bounds. */
  readonly counts = new Float64Array(SECONDS_BOUNDS.length + 1);
  /** In seconds. */
  sum = 0;

  /** @param weight of how many this one is an example */
  observe(ms: number, weight = 1): void {
    const seconds = ms / 1000;
    let bucket = 0;
    while (bucket < SECONDS_BOUNDS.length && seconds > SECONDS_BOUNDS[bucket]!) bucket += 1;
    this.counts[bucket] = this.counts[bucket]! + weight;
    this.sum += seconds * weight;
  }
}
