import { readFileSync } from 'node:fs';

/** For files, pipes and what Node itself needs. */
const RESERVE = 64;
/** Where the system does not tell its limit. */
const USUAL_LIMIT = 1024;

/** Sockets that this process may open. */
export function mayOpen(): number {
  return Math.max(2, softLimit() - RESERVE);
}

function softLimit(): number {
  try {
    const soft = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
    if (soft === 'unlimited') return Number.MAX_SAFE_INTEGER;
    return soft === undefined ? USUAL_LIMIT : Number(soft);
  } catch {
    return USUAL_LIMIT;
  }
}
