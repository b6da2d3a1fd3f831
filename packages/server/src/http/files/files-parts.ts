import type { Clock, MemoryCeiling } from '@sluice/core';
import type { Durability } from '@sluice/wire';
import type { UploadHookRunner } from '../../hooks/upload-hook-runner.js';
import type { Log } from '../../log.js';
import type { ServerMode } from '../../server-mode.js';
import type { DirectoryHandle } from '../../storage/directory-handle.js';
import type { ListingQueue } from '../../storage/listing-queue.js';
import type { PublishedTo } from '../../storage/staging/publish-upload.js';

/** What all connections to the files have together, whatever they speak. */
export interface CommonFiles extends PublishedTo {
  readonly listings: ListingQueue;
  /** Who is told of uploads. */
  readonly hooks: UploadHookRunner;
}

/** What the files of a server need of it to be served over HTTP. */
export interface FilesParts {
  readonly files: CommonFiles;
  readonly durability: Durability;
  readonly mode: ServerMode;
  /** Without it, nothing is counted. */
  readonly memory: MemoryCeiling | undefined;
  /** Where what is known of uploads by tus is kept; made when it is missing, if it is to be. The caller of it closes it. */
  readonly openTusDirectory: (isMade: boolean) => Promise<DirectoryHandle | undefined>;
  /** Age after which an upload that was broken off is removed, in milliseconds; 0 for never. */
  readonly keepPartialsMs: number;
  readonly clock: Clock;
  /** Milliseconds since 1970-01-01 UTC. @default the system's */
  readonly wallClockMs?: () => number;
  readonly log: Log;
  /** Whether pages of an origin beside the listener's own may use the files. */
  readonly isAllowedOrigin: (origin: string) => boolean;
}
