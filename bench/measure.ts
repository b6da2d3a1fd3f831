import type { ClientRun, Contender, RunningServer, Transfer } from './contenders/contender.js';
import { READ_BYTES, type Reader, type ReadJob } from './contenders/reader.js';
import { TREE_FILE_BYTES, type TreeJob, type TreeMover } from './contenders/tree-mover.js';
import { machineCpuSeconds, TreeUsage } from './process-usage.js';
import type { ReadScenario, TransferScenario, TreeScenario } from './scenarios.js';
import { CONTENT_DIRECTORY, CONTENT_NAME, type Scratch, WARM_UP_BYTES, WARM_UP_NAME } from './scratch.js';
import { type SmallFiles, TREE, WARM_UP_FILES, WARM_UP_TREE } from './small-files.js';

/** One transfer by one contender, or one run of reads. */
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
const SLOWEST_READS_PER_MS = 1;
const SLOWEST_MS_PER_FILE = 50;

/**
 * Starts the contender's server, warms it up with a small transfer, measures one transfer, checks the result, ends the
 * server. Each sample has a server of its own, so that peak memory belongs to it.
 *
 * @throws {Error} when the transfer fails or what arrived differs from the source
 */
export async function measure(
  contender: Contender,
  scenario: TransferScenario,
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
  const transfer: Transfer = {
    ...shared,
    connections: scenario.connections,
    bytes: sizeBytes,
    name: CONTENT_NAME,
    sourceFile: scratch.sourceFile,
    deadlineMs: BASE_DEADLINE_MS + sizeBytes / SLOWEST_BYTES_PER_MS,
  };
  const sample = await measureTransfer(server, sizeBytes, (onStart) => contender.transfer(server, transfer, onStart));
  await scratch.check(direction, scenario.connections);
  return sample;
}

/**
 * As `measure`, for random reads; the client reads a little before the clock starts.
 *
 * @throws {Error} when a byte differs from the file
 */
export async function measureReads(reader: Reader, { depth, reads }: ReadScenario, scratch: Scratch): Promise<Sample> {
  await using server = await reader.start(scratch, scratch.servedRoot);
  const job: ReadJob = {
    path: `${CONTENT_DIRECTORY}/${WARM_UP_NAME}`,
    file: scratch.warmUpFile,
    depth,
    reads,
    deadlineMs: BASE_DEADLINE_MS + reads / SLOWEST_READS_PER_MS,
  };
  return await measureTransfer(server, reads * READ_BYTES, (onStart) => reader.read(server, job, onStart));
}

/**
 * As `measure`, for a directory of small files.
 *
 * @throws {Error} when a file is missing or differs
 */
export async function measureTree(
  mover: TreeMover,
  { direction, files }: TreeScenario,
  trees: SmallFiles,
): Promise<Sample> {
  trees.empty();
  await using server = await mover.start(trees.scratch, trees.rootFor(direction));
  const jobOf = (name: string, count: number): TreeJob => ({
    direction,
    files: count,
    name,
    source: trees.source(name),
    warmUpName: WARM_UP_TREE,
    warmUpSource: trees.source(WARM_UP_TREE),
    fetchedDirectory: trees.scratch.fetchedDirectory,
    deadlineMs: BASE_DEADLINE_MS + count * SLOWEST_MS_PER_FILE,
  });
  await mover.move(server, jobOf(WARM_UP_TREE, WARM_UP_FILES), () => {});
  const job = jobOf(TREE, files);
  const sample = await measureTransfer(server, files * TREE_FILE_BYTES, (onStart) => mover.move(server, job, onStart));
  trees.check(direction);
  return sample;
}

/** What a run has cost the server, and what the client has to say about it. */
export interface MeasuredRun<T extends ClientRun> {
  readonly usage: Omit<Sample, 'bytes'>;
  readonly client: T;
}

async function measureTransfer(
  server: RunningServer,
  bytes: number,
  run: (onStart: () => void) => Promise<ClientRun>,
): Promise<Sample> {
  const { usage } = await measureRun(server, run);
  return { bytes, ...usage };
}

/** @param run calls `onStart` when the part that is measured begins */
export async function measureRun<T extends ClientRun>(
  server: RunningServer,
  run: (onStart: () => void) => Promise<T>,
): Promise<MeasuredRun<T>> {
  const usage = new TreeUsage(server.pid);
  let serverCpuAtStart = Number.NaN;
  let machineCpuAtStart = Number.NaN;
  let startMs = Number.NaN;
  const sampling = setInterval(() => usage.samplePeaks(), PEAK_INTERVAL_MS);
  try {
    const client = await run(() => {
      serverCpuAtStart = usage.cpuSeconds();
      machineCpuAtStart = machineCpuSeconds();
      startMs = performance.now();
    });
    await usage.settled();
    usage.samplePeaks();
    const serverCpuSeconds = usage.cpuSeconds() - serverCpuAtStart;
    const otherCpuSeconds = machineCpuSeconds() - machineCpuAtStart - serverCpuSeconds - client.cpuSeconds;
    return {
      usage: {
        seconds: client.seconds,
        serverCpuSeconds,
        serverPeakBytes: usage.peakBytes(),
        clientCpuSeconds: client.cpuSeconds,
        setupSeconds: client.setupSeconds ?? null,
        otherBusyCores: Math.max(0, (otherCpuSeconds * 1000) / (performance.now() - startMs)),
      },
      client,
    };
  } finally {
    clearInterval(sampling);
  }
}
