import type { UploadHookRunner } from '../hooks/upload-hook-runner.js';
import type { FileBatches } from '../storage/batches/file-batches.js';
import type { ContentDigests } from '../storage/content-digests.js';
import type { DescriptorAccount } from '../storage/descriptor-account.js';
import type { ListingQueue } from '../storage/listing-queue.js';
import type { OpenFiles } from '../storage/open-files.js';
import type { StagingArea } from '../storage/staging/staging-area.js';
import type { VerifyQueue } from './verify-queue.js';

/** The files that all protocols of a server work on. */
export interface SharedFiles {
  readonly openFiles: OpenFiles;
  readonly descriptors: DescriptorAccount;
  readonly listings: ListingQueue;
  readonly verifications: VerifyQueue;
  /** What finished files were when they were known to be good. */
  readonly digests: ContentDigests;
  /** Who is told of uploads. */
  readonly hooks: UploadHookRunner;
  /** Where uploads lie until they are complete. */
  readonly staging: StagingArea;
  readonly batches: FileBatches;
}
