import type { ProcessUse } from './speed-result.js';

/** How hard a process has worked since this object was made. */
export interface ProcessLoad {
  read(): ProcessUse;
}

/** @param elapsedMs in which the rest was used */
export function processUse(cpuMs: number, busyMs: number, elapsedMs: number): ProcessUse {
  const shareOf = (ms: number): number => (elapsedMs > 0 ? ms / elapsedMs : 0);
  return { cpuSeconds: cpuMs / 1000, cpuShare: shareOf(cpuMs), busyShare: Math.min(1, shareOf(busyMs)) };
}
