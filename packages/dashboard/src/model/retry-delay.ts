const FIRST_DELAY_MS = 1000;
const MAX_DELAY_MS = 15_000;

/** How long to wait before the next attempt to reach the server. @param attempt from 1 on @param random 0 to 1: pages that lost it together do not come back together */
export function retryDelayMs(attempt: number, random: number): number {
  const full = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(attempt - 1, 10));
  return Math.round(full * (0.75 + random / 2));
}

/**
 * How often changes among the connections are asked for: with many, less often. Each round costs the server and the page in proportion to the
 * connections that have changed, which may be all of them.
 */
export function watchIntervalMs(connections: number): number {
  return connections > 5000 ? 3000 : connections > 1000 ? 2000 : 1000;
}

/** How often statistics are asked for. */
export function statsIntervalMs(connections: number, isHidden: boolean): number {
  if (isHidden) return 15_000;
  return connections > 2000 ? 2000 : 1000;
}
