// npm run bench: every contender in every scenario, interleaved in each round, as a table and as JSON.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { killAllChildren } from './child-processes.js';
import { CONTENDERS, READERS, TREE_MOVERS } from './contenders/all.js';
import type { Contender } from './contenders/contender.js';
import { loadProgram } from './contenders/load-client.js';
import type { Reader } from './contenders/reader.js';
import type { TreeMover } from './contenders/tree-mover.js';
import { machineLine, readMachineFacts } from './machine.js';
import { measure, measureReads, measureTree, type Sample } from './measure.js';
import { type BenchOptions, readBenchOptions, USAGE } from './options.js';
import { type ScenarioResult, scenarioTable, writeResult } from './report.js';
import { repositoryRoot } from './repository.js';
import { type ReadScenario, SCENARIOS, type Scenario, type TransferScenario, type TreeScenario } from './scenarios.js';
import { Scratch } from './scratch.js';
import { SmallFiles } from './small-files.js';
import { type Row, summarize } from './summary.js';

process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  let options: BenchOptions | 'help';
  let chosen: ReturnType<typeof choose>;
  try {
    options = readBenchOptions(args);
    if (options === 'help') {
      console.log(USAGE);
      return 0;
    }
    chosen = choose(options.only);
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
  const { scenarios, contenders, readers, treeMovers } = chosen;
  const compared: (Contender | Reader | TreeMover)[] = [];
  if (scenarios.some(({ kind }) => kind === 'transfer')) compared.push(...contenders);
  if (scenarios.some(({ kind }) => kind === 'random-reads')) compared.push(...readers);
  if (scenarios.some(({ kind }) => kind === 'small-files')) compared.push(...treeMovers);
  for (const { name, description } of compared) console.log(`  ${name.padEnd(16)}${description}`);

  const results: ScenarioResult[] = [];
  for (const scenario of scenarios) {
    let result: ScenarioResult;
    if (scenario.kind === 'transfer') result = await runTransfers(scenario, contenders, options, scratch);
    else if (scenario.kind === 'random-reads') result = await runReads(scenario, readers, options, scratch);
    else result = await runTrees(scenario, treeMovers, options, scratch);
    results.push(result);
    console.log(`\n${scenario.name}: ${whatItIs(scenario)}\n\n${scenarioTable(result)}`);
  }
  const file = writeResult({
    machine,
    loadProgram,
    filesInMemory: scratch.isMemory,
    sizeBytes: options.sizeBytes,
    rounds: options.rounds,
    scenarios: results,
  });
  console.log(`\nwritten: ${path.relative(repositoryRoot, file)}`);
  return results.some(({ rows }) => rows.some((row) => row.missing?.startsWith('failed'))) ? 1 : 0;
}

function whatItIs(scenario: Scenario): string {
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

/** Every one of them once in each round. */
async function runRounds<T extends Contender | Reader | TreeMover>(
  name: string,
  all: readonly T[],
  rounds: number,
  measureOne: (one: T) => Promise<Sample>,
): Promise<Row[]> {
  const entries = all.map((one) => ({ one, samples: [] as Sample[], missing: one.unavailable ?? null }));
  for (let round = 1; round <= rounds; round += 1) {
    for (const entry of entries) {
      if (entry.missing !== null) continue;
      try {
        const sample = await measureOne(entry.one);
        entry.samples.push(sample);
        const rate = (sample.bytes / sample.seconds / 1e6).toFixed(0);
        progress(`${name}, round ${round} of ${rounds}: ${entry.one.name} ${rate} MB/s`);
      } catch (error) {
        // One failed run makes the other figures of this contender worthless.
        entry.missing = `failed: ${error instanceof Error ? error.message.split('\n')[0] : error}`;
        entry.samples = [];
        progress(`${name}: ${entry.one.name}:`, error);
      }
    }
  }
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

function choose(only: readonly string[]) {
  const all = { transfer: CONTENDERS, 'random-reads': READERS, 'small-files': TREE_MOVERS };
  const known = [SCENARIOS, ...Object.values(all)].flatMap((items) => items.map(({ name }) => name));
  const unknown = only.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`--only ${unknown}: expected one of ${known.join(', ')}`);
  const isNamed = ({ name }: { name: string }) => only.includes(name);
  const pick = <T extends { name: string }>(items: readonly T[]): readonly T[] =>
    items.some(isNamed) ? items.filter(isNamed) : items;
  // Who names contenders only wants the scenarios in which they are.
  const namesContenders = Object.values(all).some((items) => items.some(isNamed));
  const isWanted = ({ kind }: Scenario) => SCENARIOS.some(isNamed) || !namesContenders || all[kind].some(isNamed);
  return {
    scenarios: pick(SCENARIOS).filter(isWanted),
    contenders: pick(CONTENDERS),
    readers: pick(READERS),
    treeMovers: pick(TREE_MOVERS),
  };
}

function progress(...parts: unknown[]): void {
  console.error(...parts);
}
