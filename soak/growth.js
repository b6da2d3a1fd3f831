/** Of the run, the part at its beginning that does not count: caches fill, code is compiled, the heap finds its size. */
const WARM_UP_SHARE = 0.25;
const SHORTEST_WARM_UP_SECONDS = 60;
const LONGEST_WARM_UP_SECONDS = 600;
/** A line rises by so much of the mean without anything growing, as the load is not the same at any two moments. */
const NOISE_SHARE = 0.15;
/** Least squares over the samples behind the warm-up. @param leastNoise what may come and go in any case, in the unit of the values */
export function growthOf(samples, leastNoise) {
  const last = samples.at(-1)?.seconds ?? 0;
  const fromSeconds = Math.min(Math.max(last * WARM_UP_SHARE, SHORTEST_WARM_UP_SECONDS), LONGEST_WARM_UP_SECONDS);
  const counted = samples.filter(({ seconds }) => seconds >= fromSeconds);
  const mean = meanOf(counted.map(({ value }) => value));
  const meanSeconds = meanOf(counted.map(({ seconds }) => seconds));
  let [covariance, variance] = [0, 0];
  for (const { seconds, value } of counted) {
    covariance += (seconds - meanSeconds) * (value - mean);
    variance += (seconds - meanSeconds) ** 2;
  }
  const perSecond = variance === 0 ? 0 : covariance / variance;
  const overall = perSecond * (last - fromSeconds);
  const tolerated = Math.max(leastNoise, mean * NOISE_SHARE);
  return {
    samples: counted.length,
    mean,
    perHour: perSecond * 3600,
    overall,
    tolerated,
    isGrowing: overall > tolerated,
  };
}
function meanOf(values) {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}
//# sourceMappingURL=growth.js.map
