import { readFileSync } from 'node:fs';

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
