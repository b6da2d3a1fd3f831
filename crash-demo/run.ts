// npm run crash-demo: the same faults for Sluice and everything else that is installed, as one table.
import { randomFillSync } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { CONTENDERS } from './contenders/all.js';
import type { Contender } from './contenders/contender.js';
import { CONTENT_BYTES, type Contents, FAULTS, type Fault, type Result } from './faults.js';
import { type DemoOptions, readDemoOptions, USAGE } from './options.js';
import { removeAllPlaces } from './place.js';
import { killAllPrograms } from './program.js';
import { crashTable, LEGEND, type Row } from './report.js';

/** Most of a trial is waiting. */
const TRIALS_AT_ONCE = 3;

// Not by `process.exitCode`: the clean-up of Node 20 was seen to wait for ever for a socket that had been reset.
process.exit(await main(process.argv.slice(2)));

async function main(args: string[]): Promise<number> {
  let options: DemoOptions | 'help';
  let chosen: { faults: readonly Fault[]; contenders: readonly Contender[] };
  try {
    options = readDemoOptions(args);
    if (options === 'help') {
      console.log(USAGE);
      return 0;
    }
    chosen = choose(options.only);
    if (!existsSync('/proc/self/stat')) throw new Error('processes are found in /proc: Linux is needed');
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${USAGE}`);
    return 2;
  }
  const folder = mkdtempSync(path.join(os.tmpdir(), 'sluice-crash-demo-'));
  process.once('exit', () => {
    killAllPrograms();
    removeAllPlaces();
    rmSync(folder, { recursive: true, force: true });
  });
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
  const contents = { first: path.join(folder, 'first'), second: path.join(folder, 'second') };
  for (const file of Object.values(contents)) writeFileSync(file, randomFillSync(Buffer.alloc(CONTENT_BYTES)));

  const there = chosen.contenders.filter(({ missing }) => missing === undefined);
  const rows = await runAll(there, chosen.faults, contents, options);
  if (options.json) {
    for (const { name, missing } of chosen.contenders) {
      if (missing !== undefined) console.log(JSON.stringify({ event: 'left out', contender: name, missing }));
    }
  } else {
    print(chosen, rows);
  }
  const own = rows.filter(({ contender }) => contender.name.startsWith('sluice'));
  const outcomes = own.flatMap(({ results }) => [...results.values()].map(({ outcome }) => outcome));
  const hasFailed = rows.some(({ results }) => [...results.values()].some(({ note }) => note?.startsWith('failed')));
  return outcomes.includes('silent corruption') || hasFailed ? 1 : 0;
}

/** Each contender before each fault; several at once, in no order. */
async function runAll(
  contenders: readonly Contender[],
  faults: readonly Fault[],
  contents: Contents,
  options: DemoOptions,
): Promise<Row[]> {
  const rows = contenders.map((contender) => ({ contender, results: new Map<Fault, Result>() }));
  const trials = rows.flatMap((row) => faults.map((fault) => ({ row, fault })));
  const work = async () => {
    for (let trial = trials.shift(); trial; trial = trials.shift()) {
      const { row, fault } = trial;
      const startedMs = performance.now();
      const result = await fault.run(row.contender, contents).catch(
        (error: unknown): Result => ({
          outcome: 'n/a',
          note: `failed: ${error instanceof Error ? error.message : error}`,
        }),
      );
      row.results.set(fault, result);
      const seconds = Number(((performance.now() - startedMs) / 1000).toFixed(2));
      report(row.contender, fault, result, seconds, options);
    }
  };
  await Promise.all(Array.from({ length: TRIALS_AT_ONCE }, work));
  return rows;
}

function report(contender: Contender, fault: Fault, result: Result, seconds: number, options: DemoOptions): void {
  const { name, direction, version } = contender;
  if (options.json) {
    console.log(
      JSON.stringify({ event: 'trial', contender: name, direction, version, fault: fault.name, ...result, seconds }),
    );
  } else {
    console.error(`${name}, ${fault.title}: ${result.outcome} (${seconds} s)`);
  }
  if (options.verbose) console.error(`  ${(result.note ?? result.said ?? '').replaceAll('\n', '\n  ')}`);
}

function print(
  { faults, contenders }: { faults: readonly Fault[]; contenders: readonly Contender[] },
  rows: readonly Row[],
) {
  console.log(`${crashTable(faults, rows)}\n\n${LEGEND}\n`);
  for (const { contender } of rows)
    console.log(`${contender.name} (${contender.direction}): ${contender.description}; ${contender.version}`);
  for (const { name, missing } of contenders)
    if (missing !== undefined) console.log(`${name}: left out, not installed: ${missing}`);
}

function choose(only: readonly string[]) {
  const known = [...FAULTS, ...CONTENDERS].map(({ name }) => name);
  const unknown = only.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`--only ${unknown}: expected one of ${known.join(', ')}`);
  const pick = <T extends { name: string }>(all: readonly T[]): readonly T[] => {
    const picked = all.filter(({ name }) => only.includes(name));
    return picked.length === 0 ? all : picked;
  };
  return { faults: pick(FAULTS), contenders: pick(CONTENDERS) };
}
