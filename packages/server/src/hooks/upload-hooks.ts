/** A file of an upload, as hooks see it. */
export interface HookedFile {
  /** Relative to the root of its user. */
  readonly name: string;
  /** In bytes; missing when it is not known. */
  readonly size?: number;
  /** Content digest, 16 hexadecimal digits; of committed files, unless an old client or a batch has sent them. */
  readonly digest?: string;
}

export const UPLOAD_EVENTS = ['before-upload', 'after-commit', 'upload-failed'] as const;
export type UploadEventKind = (typeof UPLOAD_EVENTS)[number];

/** What hooks are told. Programs and webhooks get it as JSON. */
export interface UploadEvent {
  /** Unique. A webhook that is told twice sees the same one. */
  readonly id: string;
  readonly kind: UploadEventKind;
  /** ISO 8601, UTC. */
  readonly time: string;
  /** Of the connection, as in the log. */
  readonly connection: number;
  readonly user: string;
  readonly remoteAddress: string;
  /** One file, or all files of a batch. */
  readonly files: readonly HookedFile[];
  /** Of `after-commit`: how safe the files are. */
  readonly durability?: 'durable' | 'memory';
  /** Of `upload-failed`. */
  readonly reason?: string;
}

/** What a `before-upload` hook throws to refuse the upload; the client is told the message. */
export class UploadRefused extends Error {
  override readonly name = 'UploadRefused';
}

/** Functions that are told of uploads. */
export interface UploadHooks {
  /**
   * Before the first byte of an upload. The client waits for it.
   *
   * @param signal aborted when the client is gone
   * @throws {UploadRefused}; whatever else is thrown refuses the upload too, without telling the client why
   */
  beforeUpload?(event: UploadEvent, signal: AbortSignal): void | Promise<void>;
  /** When files have their names. The client does not wait for it. What it throws is logged. */
  afterCommit?(event: UploadEvent): void | Promise<void>;
  /** When an upload has ended without a commit; a client may go on with it later. What it throws is logged. */
  onFailure?(event: UploadEvent): void | Promise<void>;
}
