import type { Contender, RunningServer, Transfer } from './contenders/contender.js';
import { machineCpuSeconds, TreeUsage } from './process-usage.js';
import type { Scenario } from './scenarios.js';
import { CONTENT_NAME, type Scratch, WARM_UP_BYTES, WARM_UP_NAME } from './scratch.js';

/** One transfer by one contender. */
export interface Sample {
  readonly bytes: number;
  readonly seconds: number;
  readonly serverCpuSeconds: number;
  readonly serverPeakBytes: number;
  readonly clientCpuSeconds: number;
  readonly setupSeconds: number | null;
  /** Cores kept busy by neither server nor client: above some tenths, the sample says more about the machine. */
  readonly otherBusyCores: number;
}

const PEAK_INTERVAL_MS = 250;
const BASE_DEADLINE_MS = 60_000;
const SLOWEST_BYTES_PER_MS = 10_000;

/**
 * Starts the contender's server, warms it up with a small transfer, measures one transfer, checks the result, ends the
 * server. Each sample has a server of its own, so that peak memory belongs to it.
 *
 * @throws {Error} when the transfer fails or what arrived differs from the source
 */
export async function measure(
  contender: Contender,
  scenario: Scenario,
  sizeBytes: number,
  scratch: Scratch,
): Promise<Sample> {
  const { direction } = scenario;
  scratch.empty();
  await using server = await contender.start(
    scratch,
    direction === 'upload' ? scratch.receivedRoot : scratch.servedRoot,
  );
  const shared = { direction, fetchedDirectory: scratch.fetchedDirectory };
  await contender.transfer(
    server,
    {
      ...shared,
      connections: 1,
      bytes: WARM_UP_BYTES,
      name: WARM_UP_NAME,
      sourceFile: scratch.warmUpFile,
      deadlineMs: BASE_DEADLINE_MS,
    },
    () => {},
  );
  const sample = await measureTransfer(contender, server, {
    ...shared,
    connections: scenario.connections,
    bytes: sizeBytes,
    name: CONTENT_NAME,
    sourceFile: scratch.sourceFile,
    deadlineMs: BASE_DEADLINE_MS + sizeBytes / SLOWEST_BYTES_PER_MS,
  });
  await scratch.check(direction, scenario.connections);
  return sample;
}

async function measureTransfer(contender: Contender, server: RunningServer, transfer: Transfer): Promise<Sample> {
  const usage = new TreeUsage(server.pid);
  let serverCpuAtStart = Number.NaN;
  let machineCpuAtStart = Number.NaN;
  let startMs = Number.NaN;
  const sampling = setInterval(() => usage.samplePeaks(), PEAK_INTERVAL_MS);
  try {
    const client = await contender.transfer(server, transfer, () => {
      serverCpuAtStart = usage.cpuSeconds();
      machineCpuAtStart = machineCpuSeconds();
      startMs = performance.now();
    });
    await usage.settled();
    usage.samplePeaks();
    const serverCpuSeconds = usage.cpuSeconds() - serverCpuAtStart;
    const otherCpuSeconds = machineCpuSeconds() - machineCpuAtStart - serverCpuSeconds - client.cpuSeconds;
    return {
      bytes: transfer.bytes,
      seconds: client.seconds,
      serverCpuSeconds,
      serverPeakBytes: usage.peakBytes(),
      clientCpuSeconds: client.cpuSeconds,
      setupSeconds: client.setupSeconds ?? null,
      otherBusyCores: Math.max(0, (otherCpuSeconds * 1000) / (performance.now() - startMs)),
    };
  } finally {
    clearInterval(sampling);
  }
}
