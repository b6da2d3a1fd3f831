import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { type DescriptorPlan, OWN_DESCRIPTORS } from './descriptor-budget.js';

/** How many connections may be open at once, and wait for a place. */
export interface ConnectionCounts {
  readonly maxConnections: number;
  readonly maxWaiting: number;
}

/** Descriptors the process may hold, or `undefined` where the system does not say (only Linux does). */
export function descriptorLimit(): number | undefined {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}

/**
 * Lowers counts to what the process can hold. A third of its descriptors, 64 at least, are kept for files and everything else: when
 * they run out, Node closes new connections without a word.
 */
export function fitToDescriptors(wanted: ConnectionCounts, limit: number | undefined): ConnectionCounts {
  if (limit === undefined) return wanted;
  const usable = Math.max(2, limit - Math.max(64, Math.ceil(limit / 3)));
  const maxWaiting = Math.min(wanted.maxWaiting, Math.floor(usable / 4));
  return { maxConnections: Math.min(wanted.maxConnections, usable - maxWaiting), maxWaiting };
}

/** Descriptors that the process holds now, or `undefined` where the system does not say. Takes 10 ms for 20,000, in the thread pool. */
export async function countDescriptors(): Promise<number | undefined> {
  try {
    return (await readdir('/proc/self/fd')).length - 1; // one is the directory that is read
  } catch {
    return undefined;
  }
}

/** For files, where there is no limit. */
const PLENTY = 1_000_000;

/** How connections and files share the descriptors. @param fitted what `fitToDescriptors` has returned for this limit */
export function planDescriptors(
  { maxConnections, maxWaiting }: ConnectionCounts,
  limit: number | undefined,
): DescriptorPlan {
  const reserve = Math.min(128, Math.max(16, Math.floor((limit ?? 0) / 32)));
  const forConnections = maxConnections + maxWaiting + 1; // one has come, and is not judged yet
  const forFiles = limit === undefined ? PLENTY : limit - reserve - OWN_DESCRIPTORS - forConnections;
  return {
    limit,
    reserve,
    connectionShare: Math.ceil(forConnections / 2),
    fileShare: Math.max(8, Math.floor(forFiles / 2)),
  };
}
