/** Connections that are taken at once after a start. */
const BURST = 1000;
/** Connections that the first second brings beyond these; each further second twice as many. */
const FIRST_SECOND = 1000;
/** After so long everybody is taken. */
const LENGTH_MS = 6000;

/**
 * Slow start of accepting: all clients that lost a server come back at the same moment, and what each of them asks for first, a handshake and
 * a login, costs the most. 1,000 are taken at once, 1,000 in the second that follows, twice as many in the next, and after 6 s all.
 */
export class AcceptRamp {
  #startedMs: number | undefined;
  #taken = 0;

  /** Begins anew, unless it goes on already. */
  start(nowMs: number): void {
    if (this.#startedMs !== undefined && nowMs - this.#startedMs < LENGTH_MS) return;
    this.#startedMs = nowMs;
    this.#taken = 0;
  }

  /** Counts one more connection, if it may be taken. */
  take(nowMs: number): boolean {
    if (this.#startedMs === undefined) return true;
    const passedMs = nowMs - this.#startedMs;
    if (passedMs >= LENGTH_MS) {
      this.#startedMs = undefined;
      return true;
    }
    if (this.#taken >= allowed(passedMs)) return false;
    this.#taken += 1;
    return true;
  }

  /** Milliseconds until one more may be taken; 0 if it may. */
  waitMs(nowMs: number): number {
    if (this.#startedMs === undefined) return 0;
    const dueMs = Math.min(LENGTH_MS, 1000 * Math.log2((this.#taken + 1 - BURST) / FIRST_SECOND + 1));
    return Number.isNaN(dueMs) ? 0 : Math.max(0, this.#startedMs + dueMs - nowMs);
  }
}

/** Connections that may have been taken so long after the start. */
function allowed(passedMs: number): number {
  return BURST + FIRST_SECOND * (2 ** (passedMs / 1000) - 1);
}
