import { digestLocalFile, type SluiceClient } from '@sluice/client';
import type { Invocation } from '../command.js';
import { CommandError, usageError } from '../command-error.js';
import type { syncOptions } from '../commands/sync.js';
import { environment } from '../environment.js';
import { ExitCode } from '../exit-code.js';
import { describeFailure } from '../failure.js';
import { forEachLimited } from '../for-each-limited.js';
import { joinRemote, locationText, type RemoteLocation, RemoteNames } from '../remote-location.js';
import { ServerConnections } from '../server-connections.js';
import type { Obstacle } from '../transfers/transfer-job.js';
import type { TransferReport } from '../transfers/transfer-report.js';
import { TransferRun } from '../transfers/transfer-run.js';
import { downloading, type SyncDirection, type SyncPlaces, uploading } from './directions.js';
import { listLocal, listRemote, localPath, type ReadListing } from './listings.js';
import { PathFilter } from './path-filter.js';
import { type Comparison, planSync, type SyncEntry, type SyncPlan } from './sync-plan.js';

type SyncInvocation = Invocation<typeof syncOptions>;

/** `sluice sync`. */
export async function sync({ operands, options }: SyncInvocation): Promise<number> {
  const { local, remote, isUpload } = readOperands(operands);
  const comparison = comparisonOf(options);
  const filter = new PathFilter(options);
  using run = new TransferRun({ ...options, movedKey: isUpload ? 'bytesSent' : 'bytesReceived', isOutputTaken: false });
  await using servers = new ServerConnections({
    values: options,
    signal: run.signal,
    maxConnections: options.parallel,
    onRetry: run.onRetry,
  });
  const client = await servers.to(remote.endpoint);
  const places: SyncPlaces = { client, local, remote, parallel: options.parallel, signal: run.signal };
  await requireComparable(client, comparison, run.signal);
  const listing = { filter, signal: run.signal };
  const here = await listLocal(local, { ...listing, links: options.links, mustExist: isUpload });
  const there = await listRemote(client, remote.path, {
    ...listing,
    mustExist: !isUpload,
    shown: (path) => locationText(remote.endpoint, joinRemote(remote.path, path)),
  });
  const [source, target] = isUpload ? [here, there] : [there, here];
  const plan = planSync(source, target, comparison);
  const obstacles = [...source.obstacles, ...target.obstacles];
  const unchanged = plan.unchanged + (await compareContents(places, plan, isUpload, obstacles));
  const direction = isUpload ? uploading(places) : downloading(places);
  const job: SyncJob = { direction, plan, source, target, obstacles, unchanged, options, run };
  const directories = filter.takesEmptyDirectories ? plan.directories : [];
  return options['dry-run'] ? tell(job, directories) : await carryOut(job, directories);
}

interface SyncJob {
  readonly direction: SyncDirection;
  readonly plan: SyncPlan;
  readonly source: ReadListing;
  readonly target: ReadListing;
  readonly obstacles: Obstacle[];
  readonly unchanged: number;
  readonly options: SyncInvocation['options'];
  readonly run: TransferRun;
}

function readOperands(operands: readonly string[]): { local: string; remote: RemoteLocation; isUpload: boolean } {
  const [source, target, ...others] = operands;
  if (source === undefined || target === undefined || others.length > 0) {
    throw usageError('sync takes a source and a target: sluice sync SOURCE TARGET');
  }
  const [isSourceRemote, isTargetRemote] = [RemoteNames.isRemote(source), RemoteNames.isRemote(target)];
  if (isSourceRemote === isTargetRemote) {
    const what = isSourceRemote
      ? 'a directory here'
      : 'on a server: sluice://user@host/path, or :path below SLUICE_URL';
    throw usageError(`one of the two must be ${what}`);
  }
  const names = new RemoteNames(environment.url);
  const [local, remote] = isSourceRemote ? [target, source] : [source, target];
  return { local, remote: names.resolve(remote), isUpload: isTargetRemote };
}

function comparisonOf({ checksum, 'size-only': sizeOnly }: SyncInvocation['options']): Comparison {
  if (checksum && sizeOnly) throw usageError('--checksum and --size-only exclude each other');
  if (checksum) return 'checksum';
  return sizeOnly ? 'size' : 'size-and-time';
}

/** Without times of files, every run would move everything. */
async function requireComparable(client: SluiceClient, comparison: Comparison, signal: AbortSignal): Promise<void> {
  if (comparison === 'size' || (await client.supports('Trees', { signal }))) return;
  const text = 'the server tells no times and no digests of files: compare with --size-only, or copy with put and get';
  throw new CommandError(ExitCode.Failed, text, { code: 'ERR_UNSUPPORTED' });
}

/** Compares the contents of files that may be the same. @returns how many are */
async function compareContents(
  { client, local, remote, parallel, signal }: SyncPlaces,
  { candidates, transfers }: SyncPlan,
  isUpload: boolean,
  obstacles: Obstacle[],
): Promise<number> {
  let equal = 0;
  await forEachLimited(candidates, parallel, async ({ source, target }) => {
    const [here, there] = isUpload ? [source, target] : [target, source];
    try {
      const recorded = there.digest;
      const remotePath = joinRemote(remote.path, there.path);
      const digest = recorded ?? (await client.verify(remotePath, { signal })).contentDigest;
      if ((await digestLocalFile(localPath(local, here.path), { signal })) === digest) equal += 1;
      else transfers.push(source);
    } catch (error) {
      signal.throwIfAborted();
      if (describeFailure(error).concernsAll) throw error;
      obstacles.push({ kind: 'failed', source: there.path, error: error as Error });
    }
  });
  return equal;
}

/** `--dry-run`. */
function tell(
  { direction, plan, obstacles, unchanged, options, run, ...sides }: SyncJob,
  directories: string[],
): number {
  const { report } = run;
  for (const obstacle of obstacles) report.obstacle(obstacle);
  const deletions = options.delete ? [...plan.obstacles, ...plan.deletions] : [];
  for (const { path } of deletions) report.did('would-delete', direction.shownTarget(path));
  for (const path of directories) report.did('would-make', direction.shownTarget(path));
  for (const { path, size } of plan.transfers) {
    const fields = { source: direction.shownSource(path), bytes: size };
    report.did(`would-${direction.verb}`, direction.shownTarget(path), fields);
  }
  if (options.delete && !(sides.source.isComplete && sides.target.isComplete)) report.note(INCOMPLETE);
  report.count('unchanged', unchanged);
  report.summary(false);
  return report.exitCode;
}

const INCOMPLETE = 'nothing is deleted, because not everything could be read';

async function carryOut(job: SyncJob, directories: string[]): Promise<number> {
  const { direction, plan, obstacles, unchanged, options, run } = job;
  const { report } = run;
  report.count('unchanged', unchanged);
  const blocked = await clearWay(job);
  const transfers = plan.transfers.filter(({ path }) => !isBlocked(blocked, path));
  const wanted = directories.filter((path) => !isBlocked(blocked, path));
  obstacles.push(...(await direction.makeDirectories(wanted, transfers)));
  const { jobs, bulk } = direction.transfers(transfers);
  return await run.moveAll({
    jobs,
    bulk,
    obstacles,
    finish: options.delete ? () => removeAll(job, report) : async () => {},
  });
}

/** Removes what stands in the way of something of another kind. @returns what is in the way all the same */
async function clearWay({ direction, plan, source, target, obstacles, options, run }: SyncJob): Promise<Set<string>> {
  const blocked = new Set<string>();
  for (const entry of plan.obstacles) {
    const shown = direction.shownTarget(entry.path);
    const isComplete = source.isComplete && target.isComplete;
    if (options.delete && isComplete && !plan.stays(entry.path)) {
      await direction.remove(entry, target);
      run.report.count('deleted');
      run.report.did('deleted', shown);
      continue;
    }
    blocked.add(entry.path);
    const what = entry.kind === 'file' ? 'a file' : 'a directory';
    const advice = options.delete ? 'and something of it is to stay' : '--delete would remove it';
    const error = new CommandError(ExitCode.Failed, `${shown} is ${what} on the target: ${advice}`);
    obstacles.push({ kind: 'failed', source: direction.shownSource(entry.path), error });
  }
  return blocked;
}

function isBlocked(blocked: ReadonlySet<string>, path: string): boolean {
  if (blocked.size === 0) return false;
  for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
    if (blocked.has(path.slice(0, end))) return true;
  }
  return false;
}

/** Deletes what only the target has, if nothing has failed. */
async function removeAll(
  { direction, plan, source, target, options, run }: SyncJob,
  report: TransferReport,
): Promise<void> {
  if (plan.deletions.length === 0) return;
  if (!source.isComplete || !target.isComplete) return report.note(INCOMPLETE);
  if (report.hasFailures) return report.note('nothing is deleted, because not everything could be moved');
  await forEachLimited(plan.deletions, options.parallel, async (entry: SyncEntry) => {
    run.signal.throwIfAborted();
    const shown = direction.shownTarget(entry.path);
    try {
      await direction.remove(entry, target);
      report.count('deleted');
      report.did('deleted', shown);
    } catch (error) {
      run.signal.throwIfAborted();
      if (describeFailure(error).concernsAll) throw error;
      report.obstacle({ kind: 'failed', source: shown, error: error as Error });
    }
  });
}
