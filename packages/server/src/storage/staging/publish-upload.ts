import type { ContentDigests } from '../content-digests.js';
import type { DescriptorAccount } from '../descriptor-account.js';
import { type ExistingFile, existingFile } from '../existing-file.js';
import type { HeldDirectory } from '../held-directory.js';
import type { OpenFiles } from '../open-files.js';
import type { Quota } from '../storage-quota.js';
import type { FinishOptions, StagedUpload } from './staged-upload.js';
import type { StagingArea } from './staging-area.js';

/** Where files get their names. */
export interface PublishedTo {
  readonly openFiles: OpenFiles;
  readonly descriptors: DescriptorAccount;
  readonly digests: ContentDigests;
  readonly staging: StagingArea;
}

/** What a complete upload becomes. */
export interface PublishedAs extends FinishOptions {
  readonly openDirectory: () => Promise<HeldDirectory>;
  readonly fileName: string;
  readonly size: number;
  /** Content digest. */
  readonly digest: string;
  readonly mayReplace: boolean;
  /** Called when nobody else can give the name away any more; what it throws is thrown on. */
  readonly check?: (replaced: ExistingFile | undefined) => void;
}

/**
 * Gives a complete upload, which is sealed, its name, and ends it. When it fails, the upload is as before, unless the file has its name already.
 *
 * @throws {StorageError}
 */
export async function publishUpload(
  { openFiles, descriptors, digests, staging }: PublishedTo,
  { quota }: { readonly quota: Quota | undefined },
  upload: StagedUpload,
  { openDirectory, fileName, size, digest, mayReplace, check, ...finish }: PublishedAs,
): Promise<void> {
  const { durable } = finish;
  const finished = await upload.finish(size, finish);
  await using directory = await descriptors.walk(openDirectory);
  const key = directory.entryKey(fileName);
  await openFiles.knownElsewhere(key);
  using _claim = openFiles.claimForReplacing(key);
  const replaced = await existingFile(digests, directory, fileName);
  check?.(replaced);
  await staging.publish(upload, directory, fileName, mayReplace);
  // From here on the file has its name, whatever fails.
  const { sourceId, size: declaredBytes } = upload.identity;
  const recorded = { ...finished, chunkDigests: upload.chunkDigests(size), contentDigest: digest, sourceId };
  try {
    await Promise.all([
      digests.record(directory, [{ name: fileName, digest: recorded }], durable),
      durable ? directory.sync() : undefined,
    ]);
  } finally {
    await staging.drop(upload);
    // What was not declared was taken from the quota as it came.
    const grownBytes = declaredBytes === undefined ? 0 : size;
    quota?.add(grownBytes - (replaced?.size ?? 0));
  }
}
