// npm run bench: every contender in every scenario, interleaved in each round, as a table and as JSON.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { killAllChildren } from './child-processes.js';
import { CONTENDERS } from './contenders/all.js';
import type { Contender } from './contenders/contender.js';
import { loadProgram } from './contenders/load-client.js';
import { machineLine, readMachineFacts } from './machine.js';
import { measure, type Sample } from './measure.js';
import { type BenchOptions, readBenchOptions, USAGE } from './options.js';
import { type ScenarioResult, scenarioTable, writeResult } from './report.js';
import { repositoryRoot } from './repository.js';
import { SCENARIOS, type Scenario } from './scenarios.js';
import { Scratch } from './scratch.js';
import { type Row, summarize } from './summary.js';

process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  let options: BenchOptions | 'help';
  let chosen: { scenarios: readonly Scenario[]; contenders: readonly Contender[] };
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
  using scratch = new Scratch(options.sizeBytes);
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
  for (const { name, description } of chosen.contenders) console.log(`  ${name.padEnd(16)}${description}`);

  const results: ScenarioResult[] = [];
  for (const scenario of chosen.scenarios) {
    const result = await runScenario(scenario, chosen.contenders, options, scratch);
    results.push(result);
    const connections = scenario.connections === 1 ? '1 connection' : `${scenario.connections} connections`;
    console.log(`\n${scenario.name}: ${scenario.direction} over ${connections}\n\n${scenarioTable(result)}`);
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

async function runScenario(
  scenario: Scenario,
  contenders: readonly Contender[],
  options: BenchOptions,
  scratch: Scratch,
): Promise<ScenarioResult> {
  const entries = contenders
    .filter(({ maxConnections }) => maxConnections >= scenario.connections)
    .map((contender) => ({ contender, samples: [] as Sample[], missing: contender.unavailable ?? null }));
  scratch.serve(scenario.direction === 'download' ? scenario.connections : 0);
  for (let round = 1; round <= options.rounds; round += 1) {
    for (const entry of entries) {
      if (entry.missing !== null) continue;
      try {
        const sample = await measure(entry.contender, scenario, options.sizeBytes, scratch);
        entry.samples.push(sample);
        const rate = (sample.bytes / sample.seconds / 1e6).toFixed(0);
        progress(`${scenario.name}, round ${round} of ${options.rounds}: ${entry.contender.name} ${rate} MB/s`);
      } catch (error) {
        // One failed transfer makes the other figures of this contender worthless.
        entry.missing = `failed: ${error instanceof Error ? error.message.split('\n')[0] : error}`;
        entry.samples = [];
        progress(`${scenario.name}: ${entry.contender.name}:`, error);
      }
    }
  }
  const rows = entries.map(({ contender, samples, missing }): Row => {
    const { name, description, limitName } = contender;
    return { contender: name, description, limitName, samples, summary: summarize(samples), missing };
  });
  return { scenario, rows };
}

function choose(only: readonly string[]) {
  const known = [...SCENARIOS, ...CONTENDERS].map(({ name }) => name);
  const unknown = only.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`--only ${unknown}: expected one of ${known.join(', ')}`);
  const pick = <T extends { name: string }>(all: readonly T[]): readonly T[] => {
    const picked = all.filter(({ name }) => only.includes(name));
    return picked.length === 0 ? all : picked;
  };
  return { scenarios: pick(SCENARIOS), contenders: pick(CONTENDERS) };
}

function progress(...parts: unknown[]): void {
  console.error(...parts);
}
