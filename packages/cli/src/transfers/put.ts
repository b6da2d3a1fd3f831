import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { MAX_SMALL_FILE_BYTES, type SluiceClient, type UploadOptions } from '@sluice/client';
import type { Invocation } from '../command.js';
import { CommandError, usageError } from '../command-error.js';
import type { putOptions } from '../commands/put.js';
import { environment } from '../environment.js';
import { ExitCode } from '../exit-code.js';
import { describeFailure, localFailure } from '../failure.js';
import { forEachLimited } from '../for-each-limited.js';
import { isBadName, isMissing, listIfDirectory } from '../remote-answer.js';
import { joinRemote, locationText, type RemoteLocation, RemoteNames, remoteParent } from '../remote-location.js';
import { ServerConnections } from '../server-connections.js';
import { readLocalTree, specialKind } from './local-tree.js';
import type {
  BulkJob,
  MoveOptions,
  MoveResult,
  Obstacle,
  TransferBulk,
  TransferJob,
  TransferPlan,
} from './transfer-job.js';
import { TransferRun } from './transfer-run.js';

type PutInvocation = Invocation<typeof putOptions>;

/** Standard input as a source. */
const STREAM = '-';

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
  const { small, others } =
    options['when-busy'] === 'wait' ? divided(uploads.files) : { small: [], others: uploads.files };
  const directories = neededDirectories(uploads.directories, small);
  const shown = (path: string): string => locationText(target.endpoint, path);
  await makeDirectories(client, directories, uploads.obstacles, shown, options.parallel, run.signal);
  const jobs = others.map((file) => uploadJob(client, file, target, options));
  const bulk = uploadBulk(client, small, target, options);
  try {
    return await run.moveAll({ jobs, bulk, obstacles: uploads.obstacles });
  } finally {
    if (sources.includes(STREAM)) process.stdin.destroy(); // what was not read must not keep the process
  }
}

interface UploadFile {
  readonly source: string;
  readonly remotePath: string;
  readonly bytes: number | undefined;
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

/** Small files go together if there are several. */
function divided(files: readonly UploadFile[]): { small: UploadFile[]; others: UploadFile[] } {
  const isSmall = ({ source, bytes }: UploadFile): boolean =>
    source !== STREAM && bytes !== undefined && bytes <= MAX_SMALL_FILE_BYTES;
  const small = files.filter(isSmall);
  return small.length > 1
    ? { small, others: files.filter((file) => !isSmall(file)) }
    : { small: [], others: [...files] };
}

/** Those that do not come about with the small files in them. */
function neededDirectories(directories: readonly string[], small: readonly UploadFile[]): string[] {
  const made = new Set(small.map(({ remotePath }) => remoteParent(remotePath)));
  return leaves(directories).filter((path) => !made.has(path));
}

/** A directory that cannot be made is reported; so is, later, each file that needs it. */
async function makeDirectories(
  client: SluiceClient,
  directories: readonly string[],
  obstacles: Obstacle[],
  shown: (path: string) => string,
  parallel: number,
  signal: AbortSignal,
): Promise<void> {
  await forEachLimited(directories, parallel, async (path) => {
    try {
      await client.makeDirectory(path, { signal });
    } catch (error) {
      signal.throwIfAborted();
      if (describeFailure(error).concernsAll) throw error;
      obstacles.push({ kind: 'failed', source: shown(path), error: error as Error });
    }
  });
}

/** Those that no other one lies in: making them makes the others. */
function leaves(directories: readonly string[]): string[] {
  const parents = new Set<string>();
  for (const path of directories) {
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1))
      parents.add(path.slice(0, end));
  }
  return [...new Set(directories)].filter((path) => !parents.has(path));
}

function uploadJob(
  client: SluiceClient,
  { source, remotePath, bytes }: UploadFile,
  target: RemoteLocation,
  options: PutInvocation['options'],
): TransferJob {
  const uploadOptions = uploadOptionsOf(options);
  return {
    name: source === STREAM ? remotePath : source,
    source,
    target: locationText(target.endpoint, remotePath),
    bytes,
    move: async (moveOptions) => {
      const from = source === STREAM ? process.stdin : source;
      try {
        return await upload(client, from, remotePath, { ...uploadOptions, ...moveOptions });
      } catch (error) {
        throw await explained(error, client, remotePath, moveOptions.signal);
      }
    },
  };
}

/** Small files, as one; what fails is explained as if each had been sent by itself. */
function uploadBulk(
  client: SluiceClient,
  files: readonly UploadFile[],
  target: RemoteLocation,
  options: PutInvocation['options'],
): TransferBulk {
  const { parallel } = options;
  const { ifExists, preserve, durability } = uploadOptionsOf(options);
  const jobs = files.map(({ source, remotePath, bytes }): BulkJob & { readonly remotePath: string } => ({
    name: source,
    source,
    target: locationText(target.endpoint, remotePath),
    bytes,
    remotePath,
  }));
  const jobOf = new Map(jobs.map((job) => [job.remotePath, job]));
  return {
    name: `${jobs.length} small files`,
    jobs,
    async move(signal, onMoved) {
      const explanations: Promise<void>[] = [];
      const toUpload = jobs.map(({ source, remotePath }) => ({ source, target: remotePath }));
      await client.uploadFiles(toUpload, {
        signal,
        parallel,
        ...(ifExists && { ifExists }),
        ...(preserve !== undefined && { preserve }),
        ...(durability && { durability }),
        onFile: ({ target: remotePath, result, error }) => {
          const job = jobOf.get(remotePath)!;
          if (result) onMoved(job, { ...result, bytesMoved: result.bytesSent });
          else
            explanations.push(explained(error, client, remotePath, signal).then((why) => onMoved(job, { error: why })));
        },
      });
      await Promise.all(explanations);
    },
  };
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

async function upload(
  client: SluiceClient,
  source: string | AsyncIterable<Uint8Array>,
  remotePath: string,
  options: MoveOptions & UploadOptions,
): Promise<MoveResult> {
  const { bytesSent, ...result } = await client.upload(source, remotePath, options);
  return { ...result, bytesMoved: bytesSent };
}

/** The protocol has one code for a bad name and for one that is a directory, and says of no directory that it is missing which. */
async function explained(
  error: unknown,
  client: SluiceClient,
  remotePath: string,
  signal: AbortSignal,
): Promise<unknown> {
  if (isMissing(error)) {
    const text = `${remoteParent(remotePath)} does not exist on the server: make it with sluice mkdir`;
    return new CommandError(ExitCode.Failed, text, { cause: error, code: 'ERR_REMOTE' });
  }
  if (!isBadName(error) || !(await listIfDirectory(client, remotePath, signal))) return error;
  const text = `${remotePath} is a directory on the server: end the target with / to put something into it`;
  return new CommandError(ExitCode.Failed, text, { cause: error, code: 'ERR_REMOTE' });
}
