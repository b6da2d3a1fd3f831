import { READ_BYTES } from './contenders/reader.js';
import { TREE_FILE_BYTES } from './contenders/tree-mover.js';
import type { Sample } from './measure.js';
import type { Quantity } from './quantities.js';
import { type ReadingsRow, type ReadingsScenario, valuesOf } from './readings.js';
import type { ReadScenario, Scenario, TransferScenario, TreeScenario } from './scenarios.js';
import type { Row } from './summary.js';

export type ScenarioResult =
  | { readonly scenario: TransferScenario | ReadScenario | TreeScenario; readonly rows: readonly Row[] }
  | { readonly scenario: ReadingsScenario; readonly rows: readonly ReadingsRow[] };

/** One quantity of one contender in one scenario: what charts are drawn from, and what is compared with an older run. */
export interface Line {
  readonly scenario: string;
  readonly contender: string;
  readonly quantity: string;
  readonly better: 'more' | 'less';
  readonly digits: number;
  /** One for each round. */
  readonly values: readonly number[];
}

/** Whether a contender is made of this project, and not a rival that stays as it is when the project changes. */
export function isOurs(contender: string): boolean {
  return contender.startsWith('sluice') || contender.startsWith('micro');
}

/** All that a scenario has shown, without remarks on the measurement. */
export function linesOf(result: ScenarioResult): Line[] {
  if (isReadings(result)) {
    const { scenario, rows } = result;
    return rows.flatMap((row) =>
      scenario.quantities.flatMap((quantity) => lineOf(scenario, row.contender, quantity, valuesOf(row, quantity))),
    );
  }
  const { scenario, rows } = result;
  const quantities = samplesOf(scenario);
  return rows.flatMap((row) =>
    quantities.flatMap(({ of, ...quantity }) => lineOf(scenario, row.contender, quantity, row.samples.map(of))),
  );
}

export function isReadings(result: ScenarioResult): result is Extract<ScenarioResult, { scenario: ReadingsScenario }> {
  return result.scenario.kind === 'readings';
}

function lineOf(scenario: Scenario, contender: string, quantity: Quantity, values: readonly number[]): Line[] {
  const { name, better, digits } = quantity;
  const finite = values.filter(Number.isFinite);
  if (better === undefined || finite.length === 0) return [];
  return [{ scenario: scenario.name, contender, quantity: name, better, digits, values: finite }];
}

type SampleQuantity = Quantity & { of(sample: Sample): number };

const PEAK: SampleQuantity = {
  name: 'server peak MB',
  better: 'less',
  digits: 0,
  of: ({ serverPeakBytes }) => serverPeakBytes / 1e6,
};

function samplesOf({ kind }: TransferScenario | ReadScenario | TreeScenario): SampleQuantity[] {
  if (kind === 'transfer') {
    return [
      { name: 'MB/s', better: 'more', digits: 0, of: ({ bytes, seconds }) => bytes / seconds / 1e6 },
      {
        name: 'server CPU s/GB',
        better: 'less',
        digits: 2,
        of: ({ serverCpuSeconds, bytes }) => (serverCpuSeconds * 1e9) / bytes,
      },
      PEAK,
    ];
  }
  const [unit, unitBytes] = kind === 'random-reads' ? ['read', READ_BYTES] : ['file', TREE_FILE_BYTES];
  return [
    { name: `${unit}s/s`, better: 'more', digits: 0, of: ({ bytes, seconds }) => bytes / unitBytes / seconds },
    {
      name: `server CPU µs/${unit}`,
      better: 'less',
      digits: 1,
      of: ({ serverCpuSeconds, bytes }) => (serverCpuSeconds * 1e6 * unitBytes) / bytes,
    },
    PEAK,
  ];
}
