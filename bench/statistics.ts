/** The middle of the sorted values, or the mean of the two in the middle. `NaN` for none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle]!;
  return sorted.length === 0 ? Number.NaN : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Distance from the smallest to the largest, as a part of the median; 0 for a single value, and when all are 0. */
export function relativeSpread(values: readonly number[]): number {
  const distance = Math.max(...values) - Math.min(...values);
  return distance === 0 ? 0 : distance / median(values);
}
