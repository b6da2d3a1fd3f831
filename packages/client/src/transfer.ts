import type { Durability } from '@sluice/wire';

export type { Durability };

/** How far a transfer has come. */
export interface Progress {
  /** Bytes that are where they belong, resumed ones included. Goes back when an attempt has to start over. */
  readonly bytesDone: number;
  /** `undefined` while it is not known: a stream that is uploaded. */
  readonly bytesTotal: number | undefined;
  /** Bytes that were there already and were not transferred. */
  readonly bytesResumed: number;
}

/**
 * What to do with bytes that are there already from an earlier attempt.
 *
 * - `verified`: keep what proves to be equal; with a server that cannot prove it, only what this very call has transferred
 * - `trust-length`: go on at their end, as the original clients do
 * - `never`: start from the beginning
 */
export type ResumePolicy = 'verified' | 'trust-length' | 'never';

/** Options of every call that asks the server something. */
export interface CallOptions {
  /** Calls it off; the call rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Options of a download, and of an upload. */
export interface DownloadOptions extends CallOptions {
  /** Called whenever something has been transferred, also for the part that was resumed. */
  readonly onProgress?: (progress: Progress) => void;
  /** @default 'verified' */
  readonly resume?: ResumePolicy;
}

/** Options of an upload. */
export interface UploadOptions extends DownloadOptions {
  /** Replace a file on the server that is longer than the local one. @default false */
  readonly force?: boolean;
}

/** What an upload did. */
export interface UploadResult {
  /** Size of the file. */
  readonly bytes: number;
  /** Bytes that were sent, in all attempts together. */
  readonly bytesSent: number;
  /** Bytes that were on the server before this call, and were kept. */
  readonly bytesResumed: number;
  readonly seconds: number;
  readonly attempts: number;
  /** What the server promises: on its disk, or in its memory. Missing when it does not say. */
  readonly durability?: Durability;
}

/** What a download did. */
export interface DownloadResult {
  /** Size of the file. */
  readonly bytes: number;
  /** Bytes that were received, in all attempts together. */
  readonly bytesReceived: number;
  /** Bytes that were here before this call, and were kept. */
  readonly bytesResumed: number;
  readonly seconds: number;
  readonly attempts: number;
}
