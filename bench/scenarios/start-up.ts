import { endChild, runToEnd, startChild } from '../child-processes.js';
import { startListeningServer } from '../contenders/listening-server.js';
import { startInEmptyRoot } from '../contenders/message-server.js';
import { command, serveArguments, unavailable } from '../contenders/sluice.js';
import { endedChildrenCpuSeconds, TreeUsage } from '../process-usage.js';
import type { Readings } from '../quantities.js';
import type { ReadingsScenario } from '../readings.js';
import { median } from '../statistics.js';

const STARTS = 5;
const DEADLINE_MS = 20_000;

/** How long until a user sees something. */
export const START_UP_SCENARIO: ReadingsScenario = {
  kind: 'readings',
  name: 'start-up',
  description: `from the start of the program to its end, or to "listening"; medians of ${STARTS} starts in each round`,
  quantities: [
    { name: 'ms', better: 'less', digits: 0, hasRatios: true },
    { name: 'CPU ms', better: 'less', digits: 0, hasRatios: true },
    { name: 'resident MB', better: 'less', digits: 0 },
  ],
  plainName: 'node',
  subjects: [
    { name: 'node', description: 'node -e 0', measure: () => several(() => runOnce(process.execPath, ['-e', '0'])) },
    {
      name: 'sluice-version',
      description: 'sluice --version',
      ...unavailable,
      measure: () => several(() => runOnce(command, ['--version'])),
    },
    {
      name: 'sluice-serve',
      description: 'sluice serve, until it says that it listens',
      ...unavailable,
      measure: () => several(listenOnce),
    },
  ],
};

async function several(once: () => Promise<Readings>): Promise<Readings> {
  const all: Readings[] = [];
  for (let start = 0; start < STARTS; start += 1) all.push(await once());
  const names = Object.keys(all[0]!);
  return Object.fromEntries(names.map((name) => [name, median(all.map((readings) => readings[name]!))]));
}

async function runOnce(program: string, args: readonly string[]): Promise<Readings> {
  const cpuBefore = endedChildrenCpuSeconds();
  const startMs = performance.now();
  const child = await startChild(program, args);
  try {
    await runToEnd(child, DEADLINE_MS);
  } finally {
    await endChild(child);
  }
  return { ms: performance.now() - startMs, 'CPU ms': (endedChildrenCpuSeconds() - cpuBefore) * 1000 };
}

async function listenOnce(): Promise<Readings> {
  let startMs = Number.NaN;
  await using server = await startInEmptyRoot((root) => {
    startMs = performance.now();
    return startListeningServer(command, serveArguments(root));
  });
  const ms = performance.now() - startMs;
  const usage = new TreeUsage(server.pid);
  return { ms, 'CPU ms': usage.cpuSeconds() * 1000, 'resident MB': usage.residentBytes() / 1e6 };
}
