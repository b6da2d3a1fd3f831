import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { UploadOptions } from '@sluice/client';
import type { Invocation } from '../command.js';
import { CommandError, usageError } from '../command-error.js';
import type { putOptions } from '../commands/put.js';
import { environment } from '../environment.js';
import { ExitCode } from '../exit-code.js';
import { localFailure } from '../failure.js';
import { joinRemote, locationText, type RemoteLocation, RemoteNames } from '../remote-location.js';
import { ServerConnections } from '../server-connections.js';
import { readLocalTree, specialKind } from './local-tree.js';
import type { TransferPlan } from './transfer-job.js';
import { TransferRun } from './transfer-run.js';
import {
  divided,
  makeDirectories,
  neededDirectories,
  STREAM,
  type UploadFile,
  uploadBulk,
  uploadJob,
} from './upload-jobs.js';

type PutInvocation = Invocation<typeof putOptions>;

/** `sluice put`. */
export async function put(invocation: PutInvocation): Promise<number> {
  const { options } = invocation;
  const { sources, target } = readOperands(invocation.operands);
  using run = new TransferRun({ ...options, movedKey: 'bytesSent', isOutputTaken: false });
  const uploads = await planUploads(sources, target, options.recursive, run.signal);
  await using servers = new ServerConnections({
    values: options,
    signal: run.signal,
    maxConnections: options.parallel + options.streams - 1,
    onRetry: run.onRetry,
  });
  const client = await servers.to(target.endpoint);
  const parts = options['when-busy'] === 'wait' ? divided(uploads.files) : { small: [], others: uploads.files };
  const { small, others } = parts;
  const directories = neededDirectories(uploads.directories, parts);
  const shown = (path: string): string => locationText(target.endpoint, path);
  await makeDirectories(client, directories, uploads.obstacles, shown, options.parallel, run.signal);
  const uploadOptions = uploadOptionsOf(options);
  const jobs = others.map((file) => uploadJob(client, file, target.endpoint, uploadOptions));
  const bulk = uploadBulk(client, small, target.endpoint, { ...uploadOptions, parallel: options.parallel });
  try {
    return await run.moveAll({ jobs, bulk, obstacles: uploads.obstacles });
  } finally {
    if (sources.includes(STREAM)) process.stdin.destroy(); // what was not read must not keep the process
  }
}

interface Uploads extends Pick<TransferPlan, 'obstacles'> {
  readonly files: UploadFile[];
  /** Paths on the server that must exist first. */
  readonly directories: string[];
}

function readOperands(operands: readonly string[]): { sources: readonly string[]; target: RemoteLocation } {
  const names = new RemoteNames(environment.url);
  const last = operands.at(-1);
  const hasTarget = last !== undefined && RemoteNames.isRemote(last);
  const sources = hasTarget ? operands.slice(0, -1) : operands;
  if (sources.length === 0) throw usageError('nothing to send: sluice put SOURCE... TARGET');
  const remote = sources.find((source) => RemoteNames.isRemote(source));
  if (remote !== undefined) {
    const shown = remote.startsWith(':') ? `; a local file of this name is written ./${remote}` : '';
    throw usageError(`only the last operand of put may name something on a server${shown}`);
  }
  const target = hasTarget ? names.resolve(last) : names.base();
  if (sources.includes(STREAM)) {
    if (sources.length > 1) throw usageError('standard input (-) cannot be sent together with other sources');
    if (target.isDirectory) throw usageError('standard input has no name: let the target name a file');
  }
  return { sources, target: sources.length > 1 ? { ...target, isDirectory: true } : target };
}

async function planUploads(
  sources: readonly string[],
  target: RemoteLocation,
  recursive: boolean,
  signal: AbortSignal,
): Promise<Uploads> {
  const uploads: Uploads = { files: [], directories: [], obstacles: [] };
  if (target.isDirectory && target.path !== '') uploads.directories.push(target.path);
  for (const source of sources) {
    if (source === STREAM) {
      uploads.files.push({ source, remotePath: target.path, bytes: undefined });
      continue;
    }
    try {
      await planSource(uploads, source, target, recursive, signal);
    } catch (error) {
      if (!(error instanceof CommandError) || error.exitCode !== ExitCode.Failed) throw error;
      uploads.obstacles.push({ kind: 'failed', source, error });
    }
  }
  refuseBackslashes(uploads);
  requireDifferentTargets(uploads.files);
  return uploads;
}

/** @throws {CommandError} exit code 1 if the source cannot be sent */
async function planSource(
  uploads: Uploads,
  source: string,
  target: RemoteLocation,
  recursive: boolean,
  signal: AbortSignal,
): Promise<void> {
  const found = await statOperand(source);
  // `.` and `..` have no name: what is in them goes into the target
  const name = ['.', '..'].includes(basename(source)) ? '' : basename(source);
  const remotePath = target.isDirectory && name !== '' ? joinRemote(target.path, name) : target.path;
  if (found.isFile()) {
    uploads.files.push({ source, remotePath, bytes: found.size });
  } else if (!found.isDirectory()) {
    const advice = 'send it as standard input: sluice put - TARGET < SOURCE';
    throw new CommandError(ExitCode.Failed, `${source} is ${specialKind(found)}: ${advice}`, {
      code: 'ERR_NOT_A_FILE',
    });
  } else if (!recursive) {
    throw new CommandError(ExitCode.Failed, `${source} is a directory: send it with -r`, { code: 'ERR_NOT_A_FILE' });
  } else {
    const tree = await readLocalTree(source, signal);
    if (remotePath !== '') uploads.directories.push(remotePath);
    for (const directory of tree.directories) uploads.directories.push(joinRemote(remotePath, directory));
    for (const { path, relative, bytes } of tree.files) {
      uploads.files.push({ source: path, remotePath: joinRemote(remotePath, relative), bytes });
    }
    uploads.obstacles.push(...tree.obstacles);
  }
}

/** Servers take a backslash for a slash: the file would land somewhere else, or nowhere. */
function refuseBackslashes(uploads: Uploads): void {
  const hasBackslash = ({ remotePath }: UploadFile) => remotePath.includes('\\');
  for (const { source } of uploads.files.filter(hasBackslash)) {
    const error = new CommandError(ExitCode.Failed, `${source}: a name with a backslash cannot be kept: rename it`);
    uploads.obstacles.push({ kind: 'failed', source, error });
  }
  const kept = uploads.files.filter((file) => !hasBackslash(file));
  uploads.files.splice(0, uploads.files.length, ...kept);
}

/** A link on the command line is meant; only those found in trees are skipped. */
async function statOperand(path: string): Promise<Stats> {
  try {
    return await stat(path);
  } catch (error) {
    throw localFailure('read', path, error);
  }
}

function requireDifferentTargets(files: readonly UploadFile[]): void {
  const sources = new Map<string, string>();
  for (const { source, remotePath } of files) {
    const other = sources.get(remotePath);
    if (other !== undefined) throw usageError(`${other} and ${source} would both become ${remotePath} on the server`);
    sources.set(remotePath, source);
  }
}

function uploadOptionsOf(options: PutInvocation['options']): UploadOptions {
  const { resume, force, checksum, streams, durability } = options;
  return {
    resume,
    force,
    checksum,
    streams,
    ifExists: options['if-exists'],
    whenBusy: options['when-busy'],
    preserve: !options['no-preserve'],
    ...(durability === 'memory' && { durability }),
  };
}
