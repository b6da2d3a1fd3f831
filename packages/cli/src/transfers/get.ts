import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { isSafeName, JOURNAL_SUFFIX, LOCK_SUFFIX, PARTIAL_SUFFIX, type SluiceClient } from '@sluice/client';
import type { Invocation } from '../command.js';
import { CommandError, usageError } from '../command-error.js';
import type { getOptions } from '../commands/get.js';
import { environment } from '../environment.js';
import { ExitCode } from '../exit-code.js';
import { localFailure } from '../failure.js';
import { isBadName, isMissing, listIfDirectory } from '../remote-answer.js';
import { joinRemote, locationText, type RemoteLocation, RemoteNames, remoteName } from '../remote-location.js';
import { ServerConnections } from '../server-connections.js';
import { stdout } from '../terminal/standard-streams.js';
import { type BulkDownload, takeSmallDownloads } from './download-bulk.js';
import { type RemoteTree, readRemoteTree } from './remote-tree.js';
import type { MoveResult, TransferBulk, TransferJob, TransferPlan } from './transfer-job.js';
import { TransferRun } from './transfer-run.js';

type GetInvocation = Invocation<typeof getOptions>;

/** As many as a client may have. */
const MAX_CONNECTIONS = 1_000;

/** Standard output as a target. */
const STREAM = '-';

interface LocalTarget {
  /** `-` for standard output. */
  readonly path: string;
  /** Whether sources go into it under their own names. */
  readonly isDirectory: boolean;
}

/** `sluice get`. */
export async function get(invocation: GetInvocation): Promise<number> {
  const { options } = invocation;
  const { sources, targetPath } = readOperands(invocation.operands);
  if (targetPath === STREAM) requireOneFile(sources, options);
  const target = await resolveTarget(targetPath, sources.length);
  using run = new TransferRun({ ...options, movedKey: 'bytesReceived', isOutputTaken: targetPath === STREAM });
  await using servers = new ServerConnections({
    values: options,
    signal: run.signal,
    maxConnections: Math.min(MAX_CONNECTIONS, options.parallel * options.streams),
    onRetry: run.onRetry,
  });
  const planner = new DownloadPlanner(target, options, run.signal);
  for (const source of sources) await planner.add(await servers.to(source.endpoint), source);
  planner.refuseNeededNames();
  await planner.makeDirectories();
  return await run.moveAll({ ...planner.plan, bulk: planner.takeBulk() });
}

function readOperands(operands: readonly string[]): { sources: readonly RemoteLocation[]; targetPath: string } {
  const names = new RemoteNames(environment.url);
  const last = operands.at(-1);
  const hasTarget = last !== undefined && !RemoteNames.isRemote(last);
  const sources = hasTarget ? operands.slice(0, -1) : operands;
  const local = sources.find((source) => !RemoteNames.isRemote(source));
  if (local !== undefined) {
    throw usageError(`${local} names nothing on a server: write :${local} or sluice://user@host/${local}`);
  }
  if (sources.length === 0) {
    const hint = hasTarget ? `: for ${last} on the server write :${last}` : ': sluice get SOURCE... TARGET';
    throw usageError(`nothing to fetch${hint}`);
  }
  return { sources: sources.map((source) => names.resolve(source)), targetPath: hasTarget ? last : '.' };
}

function requireOneFile(sources: readonly RemoteLocation[], { recursive, json }: GetInvocation['options']): void {
  if (sources.length > 1 || recursive) throw usageError('standard output (-) takes one file only');
  if (json) throw usageError('--json and - both need standard output: use one of them');
}

async function resolveTarget(path: string, sourceCount: number): Promise<LocalTarget> {
  if (path === STREAM) return { path, isDirectory: false };
  const isDirectory = await stat(path).then(
    (found) => found.isDirectory(),
    () => undefined,
  );
  const mustBeDirectory = sourceCount > 1 || /(^|\/)\.{0,2}$/.test(path);
  if (isDirectory === false && mustBeDirectory) {
    throw usageError(`${path} is a file: ${sourceCount > 1 ? 'several sources need' : 'this needs'} a directory`);
  }
  return { path, isDirectory: isDirectory === true || mustBeDirectory };
}

/** Finds out what the sources are, and where on this machine each file goes. */
class DownloadPlanner {
  readonly plan: TransferPlan = { jobs: [], obstacles: [] };
  readonly #target: LocalTarget;
  readonly #options: GetInvocation['options'];
  readonly #signal: AbortSignal;
  readonly #directories: string[] = [];
  /** Who becomes what here, so that nothing is written twice. */
  readonly #sourceOf = new Map<string, string>();
  readonly #downloads = new Map<TransferJob, BulkDownload>();

  constructor(target: LocalTarget, options: GetInvocation['options'], signal: AbortSignal) {
    this.#target = target;
    this.#options = options;
    this.#signal = signal;
    if (target.isDirectory) this.#directories.push(target.path);
  }

  /** @throws {ClientError} when the server cannot be asked */
  async add(client: SluiceClient, source: RemoteLocation): Promise<void> {
    const name = remoteName(source.path);
    if (name !== '' && !isSafeName(name)) throw usageError(`${name} cannot be the name of a file here`);
    // the root has no name: what is in it goes into the target
    const target = this.#target.isDirectory && name !== '' ? join(this.#target.path, name) : this.#target.path;
    const level = this.#options.recursive ? await listIfDirectory(client, source.path, this.#signal) : undefined;
    if (level) {
      await this.#addTree(client, source, target);
    } else if (source.isDirectory) {
      const shown = locationText(source.endpoint, source.path);
      const advice = this.#options.recursive ? 'is no directory on the server' : 'is a directory: fetch it with -r';
      const error = new CommandError(ExitCode.Failed, `${shown} ${advice}`, { code: 'ERR_NOT_A_FILE' });
      this.plan.obstacles.push({ kind: 'failed', source: shown, error });
    } else {
      this.#addFile(client, source, target, undefined);
    }
  }

  /** To be called after the last `add`: a file must not take a name that the download of another one works under. */
  refuseNeededNames(): void {
    const { jobs, obstacles } = this.plan;
    for (const job of jobs.splice(0)) {
      const other = this.#sourceOf.get(neededBy(job.target) ?? '');
      if (other === undefined) jobs.push(job);
      else {
        const text = `${job.source} cannot be fetched together with ${other}, whose download needs the name ${job.target}`;
        obstacles.push({ kind: 'failed', source: job.source, error: new CommandError(ExitCode.Failed, text) });
      }
    }
  }

  /** @throws {CommandError} exit code 1 */
  async makeDirectories(): Promise<void> {
    for (const path of this.#directories) {
      this.#signal.throwIfAborted();
      await mkdir(path, { recursive: true }).catch((error) => {
        throw localFailure('make the directory', path, error);
      });
    }
  }

  async #addTree(client: SluiceClient, { path, endpoint }: RemoteLocation, target: string): Promise<void> {
    const tree = await readRemoteTree(client, path, this.#signal);
    this.#directories.push(target);
    for (const { kind, relative, size } of tree.entries) {
      // every part of `relative` has been checked to be one component
      if (kind === 'directory') this.#directories.push(join(target, relative));
      else this.#addFile(client, { endpoint, path: joinRemote(path, relative) }, join(target, relative), size);
    }
    this.#addObstacles(tree, (relative) => locationText(endpoint, joinRemote(path, relative)));
  }

  /** To be called last: small files come together. */
  takeBulk(): TransferBulk | undefined {
    const { parallel, 'if-exists': ifExists, 'no-preserve': leavesFacts } = this.#options;
    return takeSmallDownloads(this.plan.jobs, this.#downloads, { parallel, ifExists, preserve: !leavesFacts });
  }

  #addObstacles(tree: RemoteTree, shown: (relative: string) => string): void {
    for (const { relative, isUnsafe } of tree.refused) {
      const reason = isUnsafe ? 'the server sent a name that is not safe here' : 'nested too deeply';
      const error = new CommandError(ExitCode.SomeFailed, `${relative}: ${reason}`, { code: 'ERR_UNSAFE_NAME' });
      this.plan.obstacles.push({ kind: 'refused', source: shown(relative), error });
    }
    for (const { relative, error } of tree.failed) {
      this.plan.obstacles.push({ kind: 'failed', source: shown(relative), error });
    }
  }

  #addFile(
    client: SluiceClient,
    { endpoint, path }: Pick<RemoteLocation, 'endpoint' | 'path'>,
    target: string,
    bytes: number | undefined,
  ): void {
    const source = locationText(endpoint, path);
    const other = this.#sourceOf.get(target);
    if (other !== undefined) {
      const error = new CommandError(ExitCode.Failed, `${source} would replace ${other}: both become ${target}`);
      this.plan.obstacles.push({ kind: 'failed', source, error });
      return;
    }
    this.#sourceOf.set(target, source);
    const job = downloadJob(client, path, { source, target, bytes }, this.#options);
    this.#downloads.set(job, { client, remotePath: path });
    this.plan.jobs.push(job);
  }
}

/** The target whose download works under this name. */
function neededBy(path: string): string | undefined {
  const suffix = [PARTIAL_SUFFIX, JOURNAL_SUFFIX, LOCK_SUFFIX].find((end) => path.endsWith(end));
  return suffix && path.slice(0, -suffix.length);
}

function downloadJob(
  client: SluiceClient,
  remotePath: string,
  file: Pick<TransferJob, 'source' | 'target' | 'bytes'>,
  options: GetInvocation['options'],
): TransferJob {
  return {
    ...file,
    name: file.target === STREAM ? remotePath : file.target,
    remoteName: remotePath,
    move: async (call): Promise<MoveResult> => {
      const to: string | Writable = file.target === STREAM ? stdout : file.target;
      try {
        const { bytesReceived, ...result } = await client.download(remotePath, to, {
          ...call,
          resume: options.resume,
          streams: options.streams,
          ifExists: options['if-exists'],
          preserve: !options['no-preserve'],
        });
        return { ...result, bytesMoved: bytesReceived };
      } catch (error) {
        const mayBeDirectory = isMissing(error) || isBadName(error);
        if (!mayBeDirectory || !(await listIfDirectory(client, remotePath, call.signal))) throw error;
        throw new CommandError(ExitCode.Failed, `${remotePath} is a directory: fetch it with -r`, {
          cause: error,
          code: 'ERR_NOT_A_FILE',
        });
      }
    },
  };
}
