import { type ContentDigests, fileVersionOf, type RecordedDigest } from './content-digests.js';
import type { HeldDirectory } from './held-directory.js';
import { StorageError } from './storage-error.js';

/** What has the name of a file now. */
export interface ExistingFile {
  readonly size: number;
  readonly modifiedNs: bigint;
  /** What is known of this version of it. */
  readonly recorded: RecordedDigest | undefined;
}

/** @returns `undefined` if nothing has the name. @throws {StorageError} `ERR_NOT_A_FILE` when something else has it */
export async function existingFile(
  digests: ContentDigests,
  directory: HeldDirectory,
  fileName: string,
): Promise<ExistingFile | undefined> {
  const stats = await directory.status(fileName).catch((error: unknown) => {
    if (error instanceof StorageError && error.code === 'ERR_FILE_NOT_FOUND') return undefined;
    throw error;
  });
  if (!stats) return undefined;
  if (!stats.isFile()) throw new StorageError('ERR_NOT_A_FILE', 'not a file');
  const recorded = await digests.lookup(directory.key, fileName, fileVersionOf(stats));
  return { size: Number(stats.size), modifiedNs: stats.mtimeNs, recorded };
}
