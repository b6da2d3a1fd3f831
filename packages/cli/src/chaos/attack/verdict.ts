import { durationText, formatBytes } from '../../options/quantities.js';
import type { FinalTally } from './attack-tally.js';
import type { ProbeFigures } from './probe-series.js';
import type { PeakUsage, ProcessUsage } from './process-watch.js';

/**
 * A p99 below this is never too slow, whatever the baseline: who waits for an answer does not lose the thread for as long, and attackers on the server's
 * own machine take a part of it by the CPU they need.
 */
export const TOLERATED_MS = 1000;

/** What a server must do to pass. */
export interface Requirements {
  /** Percent of the probes that must be answered while the attack goes on. */
  readonly minSuccess: number;
  /** Upper bound for the p99 of those; in place of `maxSlowdown` if it is there. */
  readonly maxP99Ms: number | undefined;
  /** So many times the p99 of the baseline, or `TOLERATED_MS` if that is more. */
  readonly maxSlowdown: number;
  readonly recoverWithinMs: number;
  /** Percent of the attackers' connections that the server must have ended, or refused, when the attack is over. */
  readonly mustEnd: number | undefined;
  /** Resident memory at its peak, beyond what it was before. */
  readonly maxGrowthBytes: number | undefined;
}

/** What has been measured of one attack. */
export interface Measurement {
  readonly baseline: ProbeFigures;
  readonly during: ProbeFigures;
  /** Until the first answer after the attack; `undefined` if there was none. */
  readonly recoveredMs: number | undefined;
  readonly attackers: FinalTally;
  /** Of the server, if it is watched; without `after` it is gone. */
  readonly process?: {
    readonly before: ProcessUsage;
    readonly peak: PeakUsage;
    readonly after: ProcessUsage | undefined;
  };
}

export interface Check {
  readonly name: 'success' | 'p99' | 'recovery' | 'ended' | 'memory' | 'alive';
  readonly isMet: boolean;
  /** With the figure and what it should be. */
  readonly text: string;
}

export function checksOf(measured: Measurement, required: Requirements): Check[] {
  const { during, baseline, recoveredMs, attackers, process } = measured;
  const success = during.probes === 0 ? 0 : (100 * during.answered) / during.probes;
  const bound = required.maxP99Ms ?? Math.max(TOLERATED_MS, required.maxSlowdown * (baseline.p99Ms ?? 0));
  const checks: Check[] = [
    {
      name: 'success',
      isMet: success >= required.minSuccess,
      text: `${floorTenth(success)} % of the probes answered, at least ${required.minSuccess} % wanted`,
    },
    {
      name: 'p99',
      isMet: during.p99Ms !== undefined && during.p99Ms <= bound,
      text: `p99 of ${during.p99Ms === undefined ? 'no answer at all' : `${during.p99Ms} ms`}, at most ${Math.round(bound)} ms wanted`,
    },
    {
      name: 'recovery',
      isMet: recoveredMs !== undefined,
      text:
        recoveredMs === undefined
          ? `no answer within ${durationText(required.recoverWithinMs)} after the attack`
          : `answered ${Math.round(recoveredMs)} ms after the attack`,
    },
  ];
  if (required.mustEnd !== undefined) {
    const made = attackers.opened + attackers.refused;
    const share = made === 0 ? 0 : (100 * (made - attackers.stillOpen)) / made;
    checks.push({
      name: 'ended',
      isMet: made > 0 && share >= required.mustEnd,
      text: `${floorTenth(share)} % of the attackers' connections gone, at least ${required.mustEnd} % wanted`,
    });
  }
  if (process) {
    checks.push({
      name: 'alive',
      isMet: process.after !== undefined,
      text: process.after ? 'the process is still there' : 'the process is gone',
    });
    if (required.maxGrowthBytes !== undefined) {
      const growth = Math.max(0, process.peak.rssBytes - process.before.rssBytes);
      checks.push({
        name: 'memory',
        isMet: growth <= required.maxGrowthBytes,
        text: `memory grew by ${formatBytes(growth)}, at most ${formatBytes(required.maxGrowthBytes)} wanted`,
      });
    }
  }
  return checks;
}

/** Never shows 99 for 98.96. */
function floorTenth(value: number): number {
  return Math.floor(value * 10) / 10;
}
