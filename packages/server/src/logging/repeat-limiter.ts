import type { LogFields, LogLevel } from '../log.js';

/** Lines of one kind that are written in a period. */
const MAX_PER_PERIOD = 20;
const PERIOD_MS = 10_000;

/** Kinds that are counted at once: more are written unlimited until the period ends. */
const MAX_KINDS = 1000;

/** Events at level info that peers can cause as often as they like. */
const LIMITED_INFO_EVENTS: ReadonlySet<string> = new Set([
  'no such protocol',
  'unknown command',
  'request refused',
  'bad packet length',
  'bad packet',
  'upload refused',
  'plain connection refused',
  'log output refused',
]);

interface Kind {
  count: number;
  readonly level: LogLevel;
  readonly event: string;
  readonly from: string;
}

/** What was left out in a period. */
export interface LeftOut {
  readonly level: LogLevel;
  readonly event: string;
  /** The address of the peer; empty for lines about none. */
  readonly from: string;
  readonly count: number;
}

/**
 * Keeps a peer, or a fault that comes again and again, from filling the log: of warnings, errors and what peers can cause at will, 20 lines
 * of each event and address are written in 10 s; the others are summed up. Audit lines are never left out.
 */
export class RepeatLimiter {
  readonly #kinds = new Map<string, Kind>();
  #periodEndMs = 0;

  /**
   * Whether a line is written; if not, it is counted.
   *
   * @param onPeriodEnd is told what was left out in a period that is over
   */
  admits(
    nowMs: number,
    level: LogLevel,
    event: string,
    fields: LogFields,
    onPeriodEnd: (leftOut: readonly LeftOut[]) => void,
  ): boolean {
    this.sweep(nowMs, onPeriodEnd);
    if (event === 'audit' || !(level === 'warn' || level === 'error' || LIMITED_INFO_EVENTS.has(event))) return true;
    const from = String(fields['remote'] ?? '').replace(/:\d+$/, '');
    const key = `${level} ${event} ${from}`;
    let kind = this.#kinds.get(key);
    if (!kind) {
      if (this.#kinds.size >= MAX_KINDS) return true;
      kind = { count: 0, level, event, from };
      this.#kinds.set(key, kind);
    }
    kind.count += 1;
    return kind.count <= MAX_PER_PERIOD;
  }

  /** Ends the period if it is over. */
  sweep(nowMs: number, onPeriodEnd: (leftOut: readonly LeftOut[]) => void): void {
    if (nowMs < this.#periodEndMs) return;
    const leftOut = [...this.#kinds.values()]
      .filter(({ count }) => count > MAX_PER_PERIOD)
      .map(({ count, ...kind }) => ({ ...kind, count: count - MAX_PER_PERIOD }));
    this.#kinds.clear();
    this.#periodEndMs = nowMs + PERIOD_MS;
    if (leftOut.length > 0) onPeriodEnd(leftOut);
  }
}
