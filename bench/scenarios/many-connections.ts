import type { RunningServer } from '../contenders/contender.js';
import { type MessageJob, runMessages } from '../contenders/message-load.js';
import { limitMessages, MESSAGE_SERVERS, plainNet, startSluiceWith } from '../contenders/message-server.js';
import { unavailable } from '../contenders/sluice.js';
import { TreeUsage } from '../process-usage.js';
import type { Quantity, Readings } from '../quantities.js';
import type { ReadingContext, ReadingsScenario } from '../readings.js';

const CONNECTIONS = 10_000;
const QUICK_CONNECTIONS = 1_000;
const DATA_BYTES = 64;
/** What `ramp-10k` does: each connection is opened and exchanges a message, and one more. */
export const RAMP = { name: 'ramp-10k', job: rampOf(CONNECTIONS) } as const;
/** Of `idle-100k`. A process may hold some 20,000 descriptors on many machines, and files have a share of a worker's. */
const MANY = { connections: 100_000, workers: 10, loads: 6, memoryLimit: '8G' } as const;
const QUICK_MANY = { connections: 10_000, workers: 2, loads: 1, memoryLimit: '2G' } as const;
/** V8 gives back what it does not need when nothing has happened for some time. */
const REST_MS = 60_000;
/** The loads do not all have opened their connections at the same moment. */
const OPENING_MS = 60_000;
const SETTLE_MS = 1_000;
const IDLE_MS = 2_000;

const MEMORY: Quantity = { name: 'KiB each', better: 'less', digits: 2, hasRatios: true };
const IDLE_CPU: Quantity = { name: 'idle CPU %', better: 'less', digits: 1 };
const P99: Quantity = { name: 'ping p99 ms', better: 'less', digits: 1 };
const PINGED: Quantity = { name: 'pings answered', better: 'more', digits: 0 };
const OPENED: Quantity = { name: 'connections/s', better: 'more', digits: 0, hasRatios: true };
const OPEN_CPU: Quantity = { name: 'server CPU µs', better: 'less', digits: 1, hasRatios: true };
const CLIENT_CORES: Quantity = { name: 'client cores', digits: 2 };

const shared = { kind: 'readings', limitName: limitMessages.name, plainName: plainNet.name } as const;

/** Many connections that say little; they come from several loopback addresses. */
export const CONNECTION_SCENARIOS: readonly ReadingsScenario[] = [
  {
    ...shared,
    name: 'idle-10k',
    description: `resident memory of ${CONNECTIONS} connections that have exchanged one message and are silent; then each is pinged`,
    quantities: [MEMORY, IDLE_CPU, P99],
    subjects: MESSAGE_SERVERS.map(({ start, ...who }) => ({ ...who, measure: withServer(start, measureIdle) })),
  },
  {
    kind: 'readings',
    name: 'idle-100k',
    description: `resident memory of all processes of ${MANY.workers} workers and their supervisor for ${MANY.connections} connections that have exchanged one message and are silent for a minute; then each is pinged`,
    quantities: [MEMORY, PINGED],
    subjects: [
      {
        name: 'sluice-workers',
        description: `sluice serve --workers ${MANY.workers}`,
        ...unavailable,
        measure: measureMany,
      },
    ],
  },
  {
    ...shared,
    name: RAMP.name,
    description: `time to open ${CONNECTIONS} connections, 128 at a time, and to have a ping answered on each`,
    quantities: [OPENED, OPEN_CPU, CLIENT_CORES],
    subjects: MESSAGE_SERVERS.map(({ start, ...who }) => ({ ...who, measure: withServer(start, measureRamp) })),
  },
];

function withServer(
  start: () => Promise<RunningServer>,
  measure: (server: RunningServer, connections: number) => Promise<Readings>,
): (context: ReadingContext) => Promise<Readings> {
  return async ({ isQuick }) => {
    await using server = await start();
    // Once before, so that what is loaded and compiled on the first connection is not counted.
    await runMessages(server, { connections: 50, dataBytes: DATA_BYTES, messages: 5_000 }, () => {});
    await pause(SETTLE_MS);
    return await measure(server, isQuick ? QUICK_CONNECTIONS : CONNECTIONS);
  };
}

async function measureIdle(server: RunningServer, connections: number): Promise<Readings> {
  const usage = new TreeUsage(server.pid);
  const before = usage.residentBytes();
  let each = Number.NaN;
  let idleCpu = Number.NaN;
  const { p99Us } = await runMessages(server, rampOf(connections), async () => {
    await pause(SETTLE_MS);
    const cpuAtStart = usage.cpuSeconds();
    await pause(IDLE_MS);
    idleCpu = (usage.cpuSeconds() - cpuAtStart) / (IDLE_MS / 1000);
    each = (usage.residentBytes() - before) / connections;
  });
  return { [MEMORY.name]: each / 1024, [IDLE_CPU.name]: idleCpu * 100, [P99.name]: p99Us / 1000 };
}

/** One round is enough, and takes two minutes. */
async function measureMany({ isQuick }: ReadingContext): Promise<Readings> {
  const { connections, workers, loads, memoryLimit } = isQuick ? QUICK_MANY : MANY;
  const limits = ['--max-connections', String(connections + 1_000), '--memory-limit', memoryLimit];
  await using server = await startSluiceWith(['--workers', String(workers), ...limits]);
  await runMessages(server, { connections: 500, dataBytes: DATA_BYTES, messages: 5_000 }, () => {});
  await pause(SETTLE_MS);
  const usage = new TreeUsage(server.pid);
  const before = usage.residentBytes();
  let each = Number.NaN;
  let waiting = loads;
  let onAllReady = (): void => {};
  const allReady = new Promise<void>((resolve) => {
    onAllReady = resolve;
  });
  const measured = allReady.then(async () => {
    await pause(REST_MS);
    each = (usage.residentBytes() - before) / connections;
  });
  const onReady = async (): Promise<void> => {
    waiting -= 1;
    if (waiting === 0) onAllReady();
    await measured;
  };
  const share = Math.floor(connections / loads);
  const job = { ...rampOf(share), extraMs: REST_MS + OPENING_MS };
  await Promise.all(Array.from({ length: loads }, () => runMessages(server, job, onReady)));
  return { [MEMORY.name]: (each * connections) / (share * loads) / 1024, [PINGED.name]: share * loads };
}

async function measureRamp(server: RunningServer, connections: number): Promise<Readings> {
  const usage = new TreeUsage(server.pid);
  const cpuAtStart = usage.cpuSeconds();
  let cpuSeconds = Number.NaN;
  const { setupSeconds, setupCpuSeconds } = await runMessages(server, rampOf(connections), () => {
    cpuSeconds = usage.cpuSeconds() - cpuAtStart;
  });
  return {
    [OPENED.name]: connections / setupSeconds,
    [OPEN_CPU.name]: (cpuSeconds * 1e6) / connections,
    [CLIENT_CORES.name]: setupCpuSeconds / setupSeconds,
  };
}

function rampOf(connections: number): MessageJob {
  return { connections, dataBytes: DATA_BYTES, messages: connections };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
