import { MAX_SMALL_FILE_BYTES, type SluiceClient, type UploadOptions } from '@sluice/client';
import { CommandError } from '../command-error.js';
import { ExitCode } from '../exit-code.js';
import { describeFailure } from '../failure.js';
import { forEachLimited } from '../for-each-limited.js';
import { isBadName, isMissing, listIfDirectory } from '../remote-answer.js';
import { locationText, type RemoteLocation, remoteParent } from '../remote-location.js';
import type { BulkJob, MoveOptions, MoveResult, Obstacle, TransferBulk, TransferJob } from './transfer-job.js';

/** Standard input as a source. */
export const STREAM = '-';

/** A file, or standard input, and where it goes. */
export interface UploadFile {
  readonly source: string;
  readonly remotePath: string;
  readonly bytes: number | undefined;
}

/** Small files go together if there are several. */
export function divided(files: readonly UploadFile[]): { small: UploadFile[]; others: UploadFile[] } {
  const isSmall = ({ source, bytes }: UploadFile): boolean =>
    source !== STREAM && bytes !== undefined && bytes <= MAX_SMALL_FILE_BYTES;
  const small = files.filter(isSmall);
  return small.length > 1
    ? { small, others: files.filter((file) => !isSmall(file)) }
    : { small: [], others: [...files] };
}

/** Those that must be there before files are sent: the small files make the directories that they are in, but the others go at the same time. */
export function neededDirectories(
  directories: readonly string[],
  { small, others }: { readonly small: readonly UploadFile[]; readonly others: readonly UploadFile[] },
): string[] {
  const made = new Set(small.map(({ remotePath }) => remoteParent(remotePath)));
  const known = new Set(directories);
  const ofOthers = others.map(({ remotePath }) => remoteParent(remotePath)).filter((path) => known.has(path));
  return [...new Set([...leaves(directories).filter((path) => !made.has(path)), ...leaves(ofOthers)])];
}

/** A directory that cannot be made is reported; so is, later, each file that needs it. */
export async function makeDirectories(
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

export function uploadJob(
  client: SluiceClient,
  { source, remotePath, bytes }: UploadFile,
  endpoint: RemoteLocation['endpoint'],
  uploadOptions: UploadOptions,
): TransferJob {
  return {
    name: source === STREAM ? remotePath : source,
    source,
    target: locationText(endpoint, remotePath),
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
export function uploadBulk(
  client: SluiceClient,
  files: readonly UploadFile[],
  endpoint: RemoteLocation['endpoint'],
  options: UploadOptions & { readonly parallel: number },
): TransferBulk {
  const { parallel, ifExists, preserve, durability } = options;
  const jobs = files.map(({ source, remotePath, bytes }): BulkJob & { readonly remotePath: string } => ({
    name: source,
    source,
    target: locationText(endpoint, remotePath),
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
          else {
            const why = explained(error, client, remotePath, signal).catch(() => error);
            explanations.push(why.then((explanation) => onMoved(job, { error: explanation })));
          }
        },
      });
      await Promise.all(explanations);
    },
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
