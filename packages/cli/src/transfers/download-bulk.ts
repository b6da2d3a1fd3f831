import { MAX_SMALL_FILE_BYTES, type SluiceClient } from '@sluice/client';
import type { OnMoved, TransferBulk, TransferJob } from './transfer-job.js';

/** A file that may come together with others. */
export interface BulkDownload {
  readonly client: SluiceClient;
  readonly remotePath: string;
}

/** How the files come. */
export interface BulkDownloadOptions {
  readonly parallel: number;
  readonly ifExists: 'replace' | 'fail' | 'skip' | 'newer';
  readonly preserve: boolean;
}

/**
 * Takes the small files out of a plan, if there are several: they come together.
 *
 * @param jobs lose those that are taken
 * @param downloads where each comes from
 */
export function takeSmallDownloads(
  jobs: TransferJob[],
  downloads: ReadonlyMap<TransferJob, BulkDownload>,
  options: BulkDownloadOptions,
): TransferBulk | undefined {
  const isSmall = (job: TransferJob): boolean =>
    job.bytes !== undefined && job.bytes <= MAX_SMALL_FILE_BYTES && downloads.has(job);
  const small = jobs.filter(isSmall);
  if (small.length < 2) return undefined;
  jobs.splice(0, jobs.length, ...jobs.filter((job) => !isSmall(job)));
  return {
    name: `${small.length} small files`,
    jobs: small,
    async move(signal, onMoved) {
      const clients = new Set(small.map((job) => downloads.get(job)!.client));
      for (const client of clients) {
        const ofClient = small.filter((job) => downloads.get(job)!.client === client);
        await fetchTogether(client, ofClient, downloads, options, signal, onMoved);
      }
    },
  };
}

async function fetchTogether(
  client: SluiceClient,
  jobs: readonly TransferJob[],
  downloads: ReadonlyMap<TransferJob, BulkDownload>,
  options: BulkDownloadOptions,
  signal: AbortSignal,
  onMoved: OnMoved,
): Promise<void> {
  const jobOf = new Map(jobs.map((job) => [job.target, job]));
  const files = jobs.map((job) => ({
    source: downloads.get(job)!.remotePath,
    target: job.target,
    ...(job.bytes !== undefined && { size: job.bytes }),
  }));
  await client.downloadFiles(files, {
    ...options,
    signal,
    onFile: ({ target, result, error }) => {
      const job = jobOf.get(target)!;
      if (result) onMoved(job, { ...result, bytesMoved: result.bytesReceived });
      else onMoved(job, { error });
    },
  });
}
