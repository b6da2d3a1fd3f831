/**
 * Calls `work` for every item, at most `limit` at a time. After a failure nothing more is started, and the call ends,
 * with the first failure, only when everything that was started has ended.
 */
export async function forEachLimited<T>(
  items: readonly T[],
  limit: number,
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  const failures: unknown[] = [];
  const remaining = items.entries();
  const runner = async (): Promise<void> => {
    for (const [index, item] of remaining) {
      try {
        await work(item, index);
      } catch (error) {
        failures.push(error);
      }
      if (failures.length > 0) return;
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, runner));
  if (failures.length > 0) throw failures[0];
}
