import { mkdir, rmdir, unlink } from 'node:fs/promises';
import { MAX_SMALL_FILE_BYTES, type SluiceClient } from '@sluice/client';
import { localFailure } from '../failure.js';
import { joinRemote, locationText, type RemoteLocation } from '../remote-location.js';
import { type BulkDownload, takeSmallDownloads } from '../transfers/download-bulk.js';
import type { MoveResult, Obstacle, TransferBulk, TransferJob } from '../transfers/transfer-job.js';
import { divided, makeDirectories, neededDirectories, uploadBulk, uploadJob } from '../transfers/upload-jobs.js';
import { localPath } from './listings.js';
import type { SyncEntry, SyncListing } from './sync-plan.js';

/** The two places of a sync. */
export interface SyncPlaces {
  readonly client: SluiceClient;
  /** A directory here. */
  readonly local: string;
  readonly remote: RemoteLocation;
  readonly parallel: number;
  readonly signal: AbortSignal;
}

/** What is done to the target. */
export interface SyncDirection {
  /** What is said that would be done: `send`, `fetch`. */
  readonly verb: string;
  shownSource(path: string): string;
  shownTarget(path: string): string;
  /** Makes the target, and directories in it. @returns what could not be made */
  makeDirectories(paths: readonly string[], transfers: readonly SyncEntry[]): Promise<Obstacle[]>;
  transfers(entries: readonly SyncEntry[]): { readonly jobs: TransferJob[]; readonly bulk: TransferBulk | undefined };
  /** Removes an entry of the target, a directory with all that was listed in it. */
  remove(entry: SyncEntry, target: SyncListing): Promise<void>;
}

/** From here to the server. */
export function uploading({ client, local, remote, parallel, signal }: SyncPlaces): SyncDirection {
  const remotePath = (path: string): string => joinRemote(remote.path, path);
  const shownTarget = (path: string): string => locationText(remote.endpoint, remotePath(path));
  const filesOf = (entries: readonly SyncEntry[]) =>
    entries.map(({ path, size }) => ({ source: localPath(local, path), remotePath: remotePath(path), bytes: size }));
  return {
    verb: 'send',
    shownSource: (path) => localPath(local, path),
    shownTarget,
    async makeDirectories(paths, transfers) {
      const obstacles: Obstacle[] = [];
      const wanted = [...(remote.path === '' ? [] : [remote.path]), ...paths.map(remotePath)];
      const needed = neededDirectories(wanted, divided(filesOf(transfers)));
      const shown = (path: string): string => locationText(remote.endpoint, path);
      await makeDirectories(client, needed, obstacles, shown, parallel, signal);
      return obstacles;
    },
    transfers(entries) {
      const { small, others } = divided(filesOf(entries));
      return {
        jobs: others.map((file) => uploadJob(client, file, remote.endpoint, {})),
        bulk: uploadBulk(client, small, remote.endpoint, { parallel }),
      };
    },
    async remove({ path, kind }) {
      if (kind === 'file') await client.removeFile(remotePath(path), { signal });
      else await client.removeDirectory(remotePath(path), { signal });
    },
  };
}

/** From the server to here. */
export function downloading({ client, local, remote, parallel, signal }: SyncPlaces): SyncDirection {
  const remotePath = (path: string): string => joinRemote(remote.path, path);
  const shownSource = (path: string): string => locationText(remote.endpoint, remotePath(path));
  return {
    verb: 'fetch',
    shownSource,
    shownTarget: (path) => localPath(local, path),
    async makeDirectories(paths) {
      const obstacles: Obstacle[] = [];
      for (const path of [local, ...paths.map((path) => localPath(local, path))]) {
        await mkdir(path, { recursive: true }).catch((error) => {
          obstacles.push({ kind: 'failed', source: path, error: localFailure('make the directory', path, error) });
        });
      }
      return obstacles;
    },
    transfers(entries) {
      const downloads = new Map<TransferJob, BulkDownload>();
      const jobs = entries.map(({ path, size }): TransferJob => {
        const target = localPath(local, path);
        const job: TransferJob = {
          name: target,
          remoteName: remotePath(path),
          source: shownSource(path),
          target,
          bytes: size,
          move: async (call): Promise<MoveResult> => {
            const { bytesReceived, ...result } = await client.download(remotePath(path), target, call);
            return { ...result, bytesMoved: bytesReceived };
          },
        };
        if (size <= MAX_SMALL_FILE_BYTES) downloads.set(job, { client, remotePath: remotePath(path) });
        return job;
      });
      const bulk = takeSmallDownloads(jobs, downloads, { parallel, ifExists: 'replace', preserve: true });
      return { jobs, bulk };
    },
    async remove(entry, target) {
      // only what was listed: what has come into a directory since is not known, and keeps it
      const below = [...target.entries.values()].filter(({ path }) => path.startsWith(`${entry.path}/`));
      for (const { path, kind } of [entry, ...below].reverse()) {
        signal.throwIfAborted();
        const found = localPath(local, path);
        await (kind === 'file' ? unlink(found) : rmdir(found)).catch((error: NodeJS.ErrnoException) => {
          if (error.code !== 'ENOENT') throw localFailure('delete', found, error);
        });
      }
    },
  };
}
