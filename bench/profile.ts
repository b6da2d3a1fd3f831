// npm run profile -- SCENARIO: one run of sluice serve under V8's profilers, as a flame graph, a table of functions and a heap summary.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { killAllChildren } from './child-processes.js';
import type { RunningServer } from './contenders/contender.js';
import { startListeningServer } from './contenders/listening-server.js';
import { startInEmptyRoot } from './contenders/message-server.js';
import { serveArguments, sluiceWithLoad } from './contenders/sluice.js';
import { sluiceReader } from './contenders/sluice-readers.js';
import { sluiceTreeSdk } from './contenders/sluice-trees.js';
import { type CpuProfile, frameTree, functionCosts } from './cpu-profile.js';
import { flameGraph } from './flame-graph.js';
import { type HeapProfile, heldBytes } from './heap-profile.js';
import { measure, measureReads, measureTree } from './measure.js';
import { benchDirectory, repositoryRoot } from './repository.js';
import { RAMP } from './scenarios/many-connections.js';
import { MESSAGE_SCENARIOS, measureMessages, messageJob } from './scenarios/messages.js';
import { FILE_SCENARIOS } from './scenarios.js';
import { Scratch } from './scratch.js';
import { SmallFiles } from './small-files.js';
import { formatTable } from './table.js';

const SIZE_BYTES = 1024 ** 3;
const QUICK_SIZE_BYTES = 256 * 1024 ** 2;
const PACKET_KIB = 32;
const SAMPLE_INTERVAL_US = 250;
const LISTED_FUNCTIONS = 30;
const LISTED_HOLDERS = 15;

const NAMES = [...MESSAGE_SCENARIOS, RAMP, ...FILE_SCENARIOS].map(({ name }) => name);
const USAGE = `usage: npm run profile -- SCENARIO [--quick]
  one of ${NAMES.join(', ')}
  --quick  a tenth of the messages, or transfers of 256m`;

process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  let scenario: string | undefined;
  let isQuick: boolean;
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { quick: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
    });
    if (values.help) {
      console.log(USAGE);
      return 0;
    }
    [scenario] = positionals;
    isQuick = values.quick;
    if (scenario === undefined || positionals.length !== 1 || !NAMES.includes(scenario)) {
      throw new Error(scenario === undefined ? 'no scenario' : `${positionals.join(' ')}: not a scenario`);
    }
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${USAGE}`);
    return 2;
  }

  process.once('exit', killAllChildren);
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
  const directory = mkdtempSync(path.join(os.tmpdir(), 'sluice-profile-'));
  try {
    await run(scenario, isQuick, directory);
    report(scenario, directory);
    return 0;
  } catch (error) {
    console.error(`${scenario}: ${error instanceof Error ? error.message : error}`);
    return 1;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Leaves the profiles of the server in the directory. */
async function run(name: string, isQuick: boolean, directory: string): Promise<void> {
  const job = name === RAMP.name ? RAMP.job : messageJob(name);
  if (job !== undefined) {
    await using server = await startInEmptyRoot((root) => startProfiled(root, directory));
    await measureMessages(server, isQuick ? { ...job, messages: job.messages / 10 } : job);
    return;
  }
  const sizeBytes = isQuick ? QUICK_SIZE_BYTES : SIZE_BYTES;
  using scratch = new Scratch(sizeBytes);
  const start = (_scratch: Scratch, root: string) => startProfiled(root, directory);
  const scenario = FILE_SCENARIOS.find((one) => one.name === name)!;
  if (scenario.kind === 'transfer') {
    scratch.serve(scenario.direction === 'download' ? scenario.connections : 0);
    await measure({ ...sluiceWithLoad(PACKET_KIB), start }, scenario, sizeBytes, scratch);
  } else if (scenario.kind === 'random-reads') {
    scratch.serve(1);
    await measureReads({ ...sluiceReader, start }, scenario, scratch);
  } else {
    using trees = new SmallFiles(scratch, scenario.files);
    await measureTree({ ...sluiceTreeSdk, start }, scenario, trees);
  }
}

/** The server as its users start it, except that V8 writes down what it does. */
function startProfiled(root: string, directory: string): Promise<RunningServer> {
  const profilers = ['--cpu-prof', `--cpu-prof-interval=${SAMPLE_INTERVAL_US}`, '--heap-prof'];
  const places = [`--cpu-prof-dir=${directory}`, `--heap-prof-dir=${directory}`];
  const program = path.join(repositoryRoot, 'packages', 'cli', 'bin', 'sluice.js');
  return startListeningServer(process.execPath, [...profilers, ...places, program, ...serveArguments(root)]);
}

function report(scenario: string, directory: string): void {
  const cpu: CpuProfile = JSON.parse(readFileSync(largest(directory, '.cpuprofile'), 'utf8'));
  const heap: HeapProfile = JSON.parse(readFileSync(largest(directory, '.heapprofile'), 'utf8'));
  const tree = frameTree(cpu);
  const results = path.join(benchDirectory, 'results');
  mkdirSync(results, { recursive: true });
  const title = `${scenario}: time of sluice serve, ${(tree.totalUs / 1e6).toFixed(2)} s, start and warm-up included`;
  const share = (us: number) => `${((us / tree.totalUs) * 100).toFixed(1)} %`;
  const functions = formatTable(
    ['function, place', 'itself'],
    functionCosts(tree)
      .slice(0, LISTED_FUNCTIONS)
      .map(({ name, place, selfUs }) => [`${name}  ${place}`, share(selfUs)]),
  );
  const held = heldBytes(heap);
  const total = held.reduce((sum, { bytes }) => sum + bytes, 0);
  const holders = formatTable(
    ['allocated by', 'KiB'],
    held.slice(0, LISTED_HOLDERS).map(({ name, place, bytes }) => [`${name}  ${place}`, (bytes / 1024).toFixed(0)]),
  );
  const heapTitle = `heap of V8 held at the end, as sampled: ${(total / 1024).toFixed(0)} KiB`;
  const text = `${title}\n\n${functions}\n\n${heapTitle}\n\n${holders}\n`;
  const files = [
    [`profile-${scenario}.svg`, flameGraph(title, tree)],
    [`profile-${scenario}.txt`, text],
    [`profile-${scenario}.cpuprofile`, JSON.stringify(cpu)],
    [`profile-${scenario}.heapprofile`, JSON.stringify(heap)],
  ] as const;
  for (const [name, content] of files) writeFileSync(path.join(results, name), content);
  console.log(text);
  console.log(`written: ${files.map(([name]) => path.relative(repositoryRoot, path.join(results, name))).join(', ')}`);
}

/** Of a server with several processes or threads, the one whose profile is the largest. @throws {Error} when none was written */
function largest(directory: string, ending: string): string {
  const [file] = readdirSync(directory)
    .filter((name) => name.endsWith(ending))
    .map((name) => path.join(directory, name))
    .sort((a, b) => statSync(b).size - statSync(a).size);
  if (file === undefined) throw new Error(`the server has left no ${ending}: it may not have ended in time`);
  return file;
}
