import type { RunningServer } from '../contenders/contender.js';
import { iperf3 } from '../contenders/iperf3.js';
import { type MessageJob, runMessages } from '../contenders/message-load.js';
import { limitMessages, MESSAGE_SERVERS, plainNet } from '../contenders/message-server.js';
import { measureRun } from '../measure.js';
import type { Quantity, Readings } from '../quantities.js';
import type { ReadingsScenario } from '../readings.js';

const RATE: Quantity = { name: 'messages/s', better: 'more', digits: 0, hasRatios: true };
const SERVER_CPU: Quantity = { name: 'server CPU µs', better: 'less', digits: 2, hasRatios: true };
const P50: Quantity = { name: 'p50 µs', better: 'less', digits: 0 };
const P99: Quantity = { name: 'p99 µs', better: 'less', digits: 0 };
const REMARKS: readonly Quantity[] = [
  { name: 'server cores', digits: 2 },
  { name: 'client cores', digits: 2 },
  { name: 'server peak MB', digits: 0 },
  { name: 'other cores', digits: 1 },
];

const SMALL_BYTES = 64;
const LARGE_BYTES = 64 * 1024;
/** Exchanged before the clock starts, so that the code is compiled and buffers have their size. */
const WARM_UP_CONNECTIONS = 50;
const WARM_UP_MESSAGES = { small: 100_000, large: 2_000 };
const QUICK_PART = 10;

interface MessageScenario extends MessageJob {
  readonly name: string;
  readonly description: string;
}

const JOBS: readonly MessageScenario[] = [
  {
    name: 'ping-pong',
    description: 'CyclePacket of 64 B over 500 connections, one on its way on each',
    connections: 500,
    dataBytes: SMALL_BYTES,
    messages: 200_000,
  },
  {
    name: 'pipelined',
    description: 'CyclePacket of 64 B over 50 connections, 64 on their way on each',
    connections: 50,
    dataBytes: SMALL_BYTES,
    messages: 3_000_000,
    depth: 64,
  },
  {
    name: 'exchange-64k',
    description: 'CyclePacket of 64 KiB over 50 connections, one on its way on each',
    connections: 50,
    dataBytes: LARGE_BYTES,
    messages: 40_000,
  },
  {
    name: 'messages-100',
    description: 'CyclePacket of 64 B over 100 connections, 100 on their way in all',
    connections: 100,
    dataBytes: SMALL_BYTES,
    messages: 200_000,
    underWay: 100,
  },
  {
    name: 'messages-10k',
    description: 'CyclePacket of 64 B over 10,000 connections that take turns, 100 on their way in all',
    connections: 10_000,
    dataBytes: SMALL_BYTES,
    messages: 200_000,
    underWay: 100,
  },
];

/** Exchanges of messages, each told in messages, of which one is a request and its answer. */
export const MESSAGE_SCENARIOS: readonly ReadingsScenario[] = JOBS.map((job) => {
  const hasLatency = (job.depth ?? 1) === 1;
  return {
    kind: 'readings',
    name: job.name,
    description: job.description,
    quantities: [SERVER_CPU, RATE, ...(hasLatency ? [P50, P99] : []), ...REMARKS],
    limitName: limitMessages.name,
    plainName: plainNet.name,
    subjects: [
      ...MESSAGE_SERVERS.map(({ start, ...who }) => ({
        ...who,
        measure: async ({ isQuick }: { isQuick: boolean }) => {
          await using server = await start();
          return await measureMessages(server, isQuick ? { ...job, messages: job.messages / QUICK_PART } : job);
        },
      })),
      ...(job.dataBytes === LARGE_BYTES ? [iperf3(LARGE_BYTES)] : []),
    ],
  };
});

/** Warms the server up, and measures one job. */
export async function measureMessages(server: RunningServer, job: MessageJob): Promise<Readings> {
  const { dataBytes, depth = 1 } = job;
  const warmUp = dataBytes === LARGE_BYTES ? WARM_UP_MESSAGES.large : WARM_UP_MESSAGES.small;
  await runMessages(server, { connections: WARM_UP_CONNECTIONS, dataBytes, depth, messages: warmUp }, () => {});
  const { usage, client } = await measureRun(server, (onStart) => runMessages(server, job, onStart));
  return {
    [SERVER_CPU.name]: (usage.serverCpuSeconds * 1e6) / job.messages,
    [RATE.name]: job.messages / client.seconds,
    [P50.name]: client.p50Us,
    [P99.name]: client.p99Us,
    'server cores': usage.serverCpuSeconds / client.seconds,
    'client cores': client.cpuSeconds / client.seconds,
    'server peak MB': usage.serverPeakBytes / 1e6,
    'other cores': usage.otherBusyCores,
  };
}

/** The job of a scenario of messages; `undefined` when there is none of that name. */
export function messageJob(name: string): MessageJob | undefined {
  return JOBS.find((job) => job.name === name);
}
