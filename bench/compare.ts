import { readFileSync } from 'node:fs';
import { isOurs, type Line } from './lines.js';
import { median } from './statistics.js';
import { formatTable } from './table.js';

/**
 * - `same`: less than {@link SMALLEST_CHANGE} apart
 * - `better`, `worse`: further apart, and every round of the one run lies beyond every round of the other
 * - `unclear`: further apart, but the rounds overlap, a side has a single round, or only the drift makes the difference: more rounds, or a
 *   quieter machine, would tell
 */
export type Verdict = 'better' | 'worse' | 'same' | 'unclear';

export interface Comparison {
  readonly line: Line;
  readonly before: number;
  readonly after: number;
  /** By how much the rivals' median in this quantity has changed between the runs; 1 for not at all, or for no rival. */
  readonly drift: number;
  /** After divided by before, without the drift where the contender is ours. */
  readonly ratio: number;
  readonly verdict: Verdict;
}

export const SMALLEST_CHANGE = 0.05;
/**
 * Compares what both runs have measured. Our lines are first divided by the drift: what has happened to rivals, which are the same
 * programs in both runs, has happened to the machine.
 */
export function compareLines(before: readonly Line[], after: readonly Line[]): Comparison[] {
  const pairs = after.flatMap((line) => {
    const old = before.find((other) => keyOf(other) === keyOf(line));
    return old === undefined ? [] : [{ old, line }];
  });
  return pairs.map(({ old, line }) => {
    const rivals = pairs.filter(
      (pair) =>
        pair.line.scenario === line.scenario && pair.line.quantity === line.quantity && !isOurs(pair.line.contender),
    );
    const drifts = rivals.map((pair) => median(pair.line.values) / median(pair.old.values));
    const drift = drifts.length === 0 ? 1 : median(drifts.filter((value) => Number.isFinite(value) && value > 0));
    const divisor = isOurs(line.contender) && Number.isFinite(drift) ? drift : 1;
    const values = line.values.map((value) => value / divisor);
    return {
      line,
      before: median(old.values),
      after: median(line.values),
      drift: divisor === drift ? drift : 1,
      ratio: median(values) / median(old.values),
      verdict: agreed(verdictOf(old.values, values, line.better), verdictOf(old.values, line.values, line.better)),
    };
  });
}

export function verdictOf(before: readonly number[], after: readonly number[], better: 'more' | 'less'): Verdict {
  const [from, to] = [median(before), median(after)];
  if (from === to) return 'same';
  if (Math.abs(to / from - 1) <= SMALLEST_CHANGE) return 'same';
  if (before.length < 2 || after.length < 2) return 'unclear'; // nothing is known of the spread
  const isApart = Math.min(...after) > Math.max(...before) || Math.max(...after) < Math.min(...before);
  if (!isApart) return 'unclear';
  return to > from === (better === 'more') ? 'better' : 'worse';
}

/** The drift is measured with errors of its own: it may take a difference away, and never makes one alone. */
function agreed(corrected: Verdict, measured: Verdict): Verdict {
  if (corrected === 'better' || corrected === 'worse') return corrected === measured ? corrected : 'unclear';
  return corrected;
}

export function comparisonTable(comparisons: readonly Comparison[]): string {
  return formatTable(
    ['scenario, contender, quantity', 'before', 'after', 'rivals', 'change', 'verdict'],
    comparisons.map(({ line, before, after, drift, ratio, verdict }) => [
      `${line.scenario}, ${line.contender}, ${line.quantity}`,
      before.toFixed(line.digits),
      after.toFixed(line.digits),
      signedPercent(drift),
      signedPercent(ratio),
      verdict,
    ]),
  );
}

/** @throws {Error} with one line for the user when the file is not a result of this bench */
export function readOldLines(file: string): Line[] {
  let lines: unknown;
  try {
    lines = (JSON.parse(readFileSync(file, 'utf8')) as { lines?: unknown }).lines;
  } catch (error) {
    throw new Error(`--compare ${file}: ${error instanceof Error ? error.message : error}`);
  }
  if (!Array.isArray(lines) || !lines.every(isLine)) throw new Error(`--compare ${file}: not a result of this bench`);
  return lines;
}

function isLine(line: unknown): line is Line {
  const fields = line as Partial<Line> | null;
  return typeof fields?.scenario === 'string' && typeof fields.contender === 'string' && Array.isArray(fields.values);
}

function keyOf({ scenario, contender, quantity }: Line): string {
  return JSON.stringify([scenario, contender, quantity]);
}

function signedPercent(ratio: number): string {
  const percent = (ratio - 1) * 100;
  return `${percent < 0 ? '−' : '+'}${Math.abs(percent).toFixed(0)} %`;
}
