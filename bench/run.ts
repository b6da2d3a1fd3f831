// npm run bench: every contender in every scenario, interleaved in each round, as a table and as JSON.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { killAllChildren } from './child-processes.js';
import { compareLines, comparisonTable, readOldLines } from './compare.js';
import type { Contender } from './contenders/contender.js';
import { loadProgram } from './contenders/load-client.js';
import type { Reader } from './contenders/reader.js';
import type { TreeMover } from './contenders/tree-mover.js';
import { isOurs, type Line, linesOf, type ScenarioResult } from './lines.js';
import { machineLine, readMachineFacts } from './machine.js';
import { measure, measureReads, measureTree, type Sample } from './measure.js';
import { type BenchOptions, readBenchOptions, USAGE } from './options.js';
import type { Readings } from './quantities.js';
import type { ReadingsScenario } from './readings.js';
import { scenarioTable, writeResults } from './report.js';
import { repositoryRoot } from './repository.js';
import type { ReadScenario, Scenario, TransferScenario, TreeScenario } from './scenarios.js';
import { Scratch } from './scratch.js';
import { type Selection, select } from './selection.js';
import { SmallFiles } from './small-files.js';
import { type Row, summarize } from './summary.js';

process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  let options: BenchOptions | 'help';
  let selection: Selection;
  let oldLines: Line[] | undefined;
  try {
    options = readBenchOptions(args);
    if (options === 'help') {
      console.log(USAGE);
      return 0;
    }
    selection = select(options.only);
    if (options.compare !== undefined) oldLines = readOldLines(options.compare);
    if (!existsSync('/proc/self/stat')) throw new Error('the figures are read from /proc: Linux is needed');
  } catch (error) {
    progress(`${error instanceof Error ? error.message : error}\n${USAGE}`);
    return 2;
  }

  progress('writing the content to be moved');
  using scratch = new Scratch(options.sizeBytes, options.directory);
  process.once('exit', () => {
    killAllChildren();
    scratch[Symbol.dispose]();
  });
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));

  const machine = readMachineFacts();
  const place = `files ${scratch.isMemory ? 'in memory (/dev/shm)' : `under ${path.dirname(scratch.directory)}`}`;
  console.log(machineLine(machine));
  console.log(`load: ${loadProgram}; ${place}; ${options.sizeBytes} bytes each; ${options.rounds} rounds, medians`);

  const results: ScenarioResult[] = [];
  const described = new Set<string>();
  for (const scenario of selection.scenarios) {
    console.log(`\n${scenario.name}: ${whatItIs(scenario)}`);
    for (const { name, description } of selection.contendersOf(scenario)) {
      const line = `  ${name.padEnd(22)}${description}`;
      if (!described.has(line)) console.log(line);
      described.add(line);
    }
    const result = await runScenario(scenario, selection, options, scratch);
    results.push(result);
    console.log(`\n${scenarioTable(result)}`);
  }
  const files = writeResults(
    {
      machine,
      loadProgram,
      filesInMemory: scratch.isMemory,
      sizeBytes: options.sizeBytes,
      rounds: options.rounds,
      isQuick: options.isQuick,
      scenarios: results,
    },
    ({ scenario }) => whatItIs(scenario),
  );
  console.log(`\nwritten: ${files.map((file) => path.relative(repositoryRoot, file)).join(', ')}`);
  const hasFailed = results.some(({ rows }) => rows.some(({ missing }) => missing?.startsWith('failed')));
  if (oldLines === undefined) return hasFailed ? 1 : 0;

  const comparisons = compareLines(oldLines, results.flatMap(linesOf));
  console.log(`\ncompared with ${options.compare}:\n\n${comparisonTable(comparisons)}`);
  const isWorse = comparisons.some(({ line, verdict }) => verdict === 'worse' && isOurs(line.contender));
  return hasFailed || (isWorse && options.failsOnWorse) ? 1 : 0;
}

async function runScenario(
  scenario: Scenario,
  selection: Selection,
  options: BenchOptions,
  scratch: Scratch,
): Promise<ScenarioResult> {
  if (scenario.kind === 'transfer') return await runTransfers(scenario, selection.contenders, options, scratch);
  if (scenario.kind === 'random-reads') return await runReads(scenario, selection.readers, options, scratch);
  if (scenario.kind === 'small-files') return await runTrees(scenario, selection.treeMovers, options, scratch);
  return await runReadings(scenario, selection, options, scratch);
}

function whatItIs(scenario: Scenario): string {
  if (scenario.kind === 'readings') return scenario.description;
  if (scenario.kind === 'random-reads') {
    return `${scenario.reads} reads of 4 KiB at random places over 1 connection, ${scenario.depth} at a time`;
  }
  if (scenario.kind === 'small-files') return `${scenario.direction} of ${scenario.files} files of 4 KiB`;
  const connections = scenario.connections === 1 ? '1 connection' : `${scenario.connections} connections`;
  return `${scenario.direction} over ${connections}`;
}

async function runTransfers(
  scenario: TransferScenario,
  all: readonly Contender[],
  { sizeBytes, rounds }: BenchOptions,
  scratch: Scratch,
): Promise<ScenarioResult> {
  const contenders = all.filter(
    ({ maxConnections, directions }) =>
      maxConnections >= scenario.connections && (directions?.includes(scenario.direction) ?? true),
  );
  scratch.serve(scenario.direction === 'download' ? scenario.connections : 0);
  const rows = await runRounds(scenario.name, contenders, rounds, (contender) =>
    measure(contender, scenario, sizeBytes, scratch),
  );
  return { scenario, rows };
}

async function runReads(
  scenario: ReadScenario,
  readers: readonly Reader[],
  { rounds }: BenchOptions,
  scratch: Scratch,
): Promise<ScenarioResult> {
  scratch.serve(1);
  const rows = await runRounds(scenario.name, readers, rounds, (reader) => measureReads(reader, scenario, scratch));
  return { scenario, rows };
}

async function runTrees(
  scenario: TreeScenario,
  movers: readonly TreeMover[],
  { rounds }: BenchOptions,
  scratch: Scratch,
): Promise<ScenarioResult> {
  using trees = new SmallFiles(scratch, scenario.files);
  const rows = await runRounds(scenario.name, movers, rounds, (mover) => measureTree(mover, scenario, trees));
  return { scenario, rows };
}

async function runReadings(
  scenario: ReadingsScenario,
  selection: Selection,
  { sizeBytes, rounds, isQuick }: BenchOptions,
  scratch: Scratch,
): Promise<ScenarioResult> {
  const context = { scratch, sizeBytes, isQuick };
  scenario.prepare?.(context);
  const drawn = scenario.quantities[0]!;
  const rows = await inRounds(
    scenario.name,
    selection.subjectsOf(scenario),
    rounds,
    (subject) => subject.measure(context),
    (readings: Readings) => `${readings[drawn.name]?.toFixed(drawn.digits)} ${drawn.name}`,
  );
  return {
    scenario,
    rows: rows.map(({ one, samples, missing }) => ({
      contender: one.name,
      description: one.description,
      readings: samples,
      missing,
    })),
  };
}

async function runRounds<T extends Contender | Reader | TreeMover>(
  name: string,
  all: readonly T[],
  rounds: number,
  measureOne: (one: T) => Promise<Sample>,
): Promise<Row[]> {
  const say = ({ bytes, seconds }: Sample) => `${(bytes / seconds / 1e6).toFixed(0)} MB/s`;
  const entries = await inRounds(name, all, rounds, measureOne, say);
  return entries.map(({ one, samples, missing }) => {
    const limitName = 'limitName' in one ? one.limitName : undefined;
    return {
      contender: one.name,
      description: one.description,
      ...(limitName !== undefined && { limitName }),
      ...('synced' in one && { synced: one.synced }),
      samples,
      summary: summarize(samples),
      missing,
    };
  });
}

interface Entry<T, S> {
  readonly one: T;
  samples: S[];
  /** Why there are no samples. */
  missing: string | null;
}

/** Every one of them once in each round. */
async function inRounds<T extends { name: string; unavailable?: string }, S>(
  name: string,
  all: readonly T[],
  rounds: number,
  measureOne: (one: T) => Promise<S>,
  say: (sample: S) => string,
): Promise<Entry<T, S>[]> {
  const entries = all.map((one): Entry<T, S> => ({ one, samples: [], missing: one.unavailable ?? null }));
  for (let round = 1; round <= rounds; round += 1) {
    for (const entry of entries) {
      if (entry.missing !== null) continue;
      try {
        const sample = await measureOne(entry.one);
        entry.samples.push(sample);
        progress(`${name}, round ${round} of ${rounds}: ${entry.one.name} ${say(sample)}`);
      } catch (error) {
        // One failed run makes the other figures of this contender worthless.
        entry.missing = `failed: ${error instanceof Error ? error.message.split('\n')[0] : error}`;
        entry.samples = [];
        progress(`${name}: ${entry.one.name}:`, error);
      }
    }
  }
  return entries;
}

function progress(...parts: unknown[]): void {
  console.error(...parts);
}
