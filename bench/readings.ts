import type { Quantity, Readings } from './quantities.js';
import type { Scratch } from './scratch.js';
import { median, relativeSpread } from './statistics.js';
import { formatTable } from './table.js';

/** What a subject may need to measure itself. */
export interface ReadingContext {
  readonly scratch: Scratch;
  /** Bytes of a whole transfer. */
  readonly sizeBytes: number;
  /** A tenth of the work is enough. */
  readonly isQuick: boolean;
}

/** One line of a table of readings. */
export interface Subject {
  readonly name: string;
  readonly description: string;
  /** Why it cannot run on this machine; `undefined` when it can. */
  readonly unavailable?: string;
  /** Measures once, with a server of its own. @throws {Error} when anything is not as it has to be */
  measure(context: ReadingContext): Promise<Readings>;
}

/** A scenario that says itself what it measures, and by whom. */
export interface ReadingsScenario {
  readonly kind: 'readings';
  readonly name: string;
  readonly description: string;
  /** The first is the one that is drawn. */
  readonly quantities: readonly Quantity[];
  readonly subjects: readonly Subject[];
  /** Called once before the first round. */
  prepare?(context: ReadingContext): void;
  /** Names of the subjects that ratios are taken to. */
  readonly limitName?: string;
  readonly plainName?: string;
  /** What a reader has to know beside the table. */
  readonly note?: string;
}

/** A subject's line: what it has shown in each round, or why there is nothing. */
export interface ReadingsRow {
  readonly contender: string;
  readonly description: string;
  readonly readings: readonly Readings[];
  readonly missing: string | null;
}

export function readingsTable(scenario: ReadingsScenario, rows: readonly ReadingsRow[]): string {
  const columns = scenario.quantities.flatMap((quantity) => columnsOf(scenario, quantity, rows));
  const table = formatTable(
    ['contender', ...columns.map(({ title }) => title)],
    rows.map((row) =>
      row.missing === null ? [row.contender, ...columns.map(({ cell }) => cell(row))] : [row.contender, row.missing],
    ),
  );
  return scenario.note === undefined ? table : `${table}\n\n${scenario.note}`;
}

/** The values of one quantity, one for each round that has it. */
export function valuesOf({ readings }: ReadingsRow, { name }: Quantity): number[] {
  return readings.flatMap((reading) => reading[name] ?? []);
}

interface Column {
  readonly title: string;
  cell(row: ReadingsRow): string;
}

function columnsOf(scenario: ReadingsScenario, quantity: Quantity, rows: readonly ReadingsRow[]): Column[] {
  const columns: Column[] = [
    {
      title: quantity.name,
      cell: (row) => {
        const values = valuesOf(row, quantity);
        return values.length === 0 ? '-' : median(values).toFixed(quantity.digits);
      },
    },
  ];
  if (quantity !== scenario.quantities[0] && !quantity.hasRatios) return columns; // the table has to fit a line
  columns.push({
    title: 'spread',
    cell: (row) => {
      const values = valuesOf(row, quantity);
      return values.length < 2 ? '-' : `${(relativeSpread(values) * 100).toFixed(0)} %`;
    },
  });
  if (!quantity.hasRatios) return columns;
  for (const [title, name] of [
    [':limit', scenario.limitName],
    [':plain', scenario.plainName],
  ] as const) {
    if (name === undefined) continue;
    const reference = rows.find(({ contender }) => contender === name);
    columns.push({ title, cell: (row) => ratioCell(row, reference, quantity) });
  }
  return columns;
}

function ratioCell(row: ReadingsRow, reference: ReadingsRow | undefined, quantity: Quantity): string {
  const [values, references] = [valuesOf(row, quantity), reference ? valuesOf(reference, quantity) : []];
  if (values.length === 0 || references.length === 0) return '-';
  return (median(values) / median(references)).toFixed(2);
}
