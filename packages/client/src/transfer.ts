import type { Durability, IfExists } from '@sluice/wire';

export type { Durability, IfExists };

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

/** What downloads and uploads have in common. */
export interface TransferOptions extends CallOptions {
  /** Called whenever something has been transferred, also for the part that was resumed. */
  readonly onProgress?: (progress: Progress) => void;
  /** @default 'verified' */
  readonly resume?: ResumePolicy;
}

/** Options of a download. Those from `streams` on are for downloads to a path. */
export interface DownloadOptions extends TransferOptions {
  /**
   * Connections over which the parts of one file come, 1 to 64, as far as the client's `maxConnections` has them to spare. From a server
   * without the extension `Ranges` it is one.
   *
   * @default 4
   */
  readonly streams?: number;
  /**
   * What to do when the target is there already: `replace` it when the new file is complete; `fail` with `ERR_EXISTS`; `skip` the download; or
   * replace it only by a `newer` file, which needs a server with the extension `Ranges`.
   *
   * @default 'replace'
   */
  readonly ifExists?: IfExists;
  /**
   * Give the target the time of last change of the server's file, to the microsecond, and its permissions as far as the umask allows, where the
   * server tells them.
   *
   * @default true
   */
  readonly preserve?: boolean;
}

/** Options of an upload. Those from `checksum` on are for servers with staged uploads; docs/sdk.md says what others do with them. */
export interface UploadOptions extends TransferOptions {
  /** Replace a file on the server that is longer than the local one; without meaning where uploads are staged. @default false */
  readonly force?: boolean;
  /** Compare by digest what the server has of this very file, also where its size and times say that it is the same. @default false */
  readonly checksum?: boolean;
  /** Connections over which the parts of one file go, 1 to 64; at most one for every 16 MiB that are to be sent. @default 4 */
  readonly streams?: number;
  /**
   * What to do when a file has the name already: `replace` it when the new one is complete; `fail` with `ERR_EXISTS`; `skip` this one; or
   * replace it only by a `newer` one.
   *
   * @default 'replace'
   */
  readonly ifExists?: IfExists;
  /** How safe the file is to be when the upload is acknowledged: at most what the server offers. @default what the server offers */
  readonly durability?: Durability;
  /** While another upload to that name goes on: `wait` for it, or be refused with `ERR_REMOTE` and code 12. @default 'wait' */
  readonly whenBusy?: 'wait' | 'refuse';
  /** Give the file on the server the time of last change and the permissions of the local one. @default true */
  readonly preserve?: boolean;
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
  /** The content digest that client and server agree on, 16 hexadecimal digits. docs/protocol.md. Missing without staged uploads. */
  readonly digest?: string;
  /** Set when the server had this very file already, and nothing was sent. */
  readonly unchanged?: true;
  /** Why the file was not sent, by `ifExists`: one is there, or one is there that is not older. */
  readonly skipped?: 'exists' | 'newer';
}

/** Something that an earlier download had left, and that was not as it was left. It was fetched again. */
export interface DamagedPart {
  /** The partial, or the journal beside it. */
  readonly file: 'partial' | 'journal';
  /** Where it begins, in bytes; in the partial, the place in the file. */
  readonly position: number;
  readonly bytes: number;
}

/** What a download did. */
export interface DownloadResult {
  /** Size of the file. */
  readonly bytes: number;
  /** Bytes that were received, in all attempts together. */
  readonly bytesReceived: number;
  /** Bytes that were here before this call, and were kept: in the partial, or in the file that had the target's name. */
  readonly bytesResumed: number;
  readonly seconds: number;
  readonly attempts: number;
  /** What was found to be damaged here; empty if nothing was. Bytes of the file among them were received again. */
  readonly damaged: readonly DamagedPart[];
  /** Why the file was not fetched, by `ifExists`: one is there, or one is there that is not older. */
  readonly skipped?: 'exists' | 'newer';
}
