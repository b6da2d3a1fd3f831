import type {
  ClientRecord,
  ClosedConnection,
  ConnectionExplanation,
  KickRequest,
  PartialRecord,
  UserRecord,
  UserRole,
  UsersSource,
} from '@sluice/wire';

export type { ClosedConnection, ConnectionExplanation, UserRecord, UserRole };

/** A connection of the server. docs/protocol.md, section 17.8. */
export type ConnectionRecord = ClientRecord;

/** An upload that is not complete, as the server tells it. */
export type ServerPartial = PartialRecord;

export type Kick = KickRequest;

/** All users of the server, in the order of their names. */
export interface ServerUsers {
  readonly users: readonly UserRecord[];
  /** Those from the command line cannot be changed. */
  readonly source: UsersSource;
}

/** A new user, or what is to be changed of one; `null` takes a setting back. */
export interface UserChange {
  readonly name: string;
  readonly isNew?: boolean;
  readonly role?: UserRole;
  readonly root?: string;
  readonly quotaBytes?: number | null;
  readonly isDisabled?: boolean;
  /** ISO 8601. */
  readonly expires?: string | null;
  readonly password?: string;
}

/** Who has logged in. */
export interface LoginSession {
  readonly user: string;
  readonly role: 'admin' | 'user' | 'read-only';
  /** As Date.now. */
  readonly expiresAtMs: number;
}

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

/** A line of the log. Its fields stand beside these. */
export interface LogRecord {
  readonly seq: number;
  /** ISO 8601, UTC. */
  readonly time: string;
  readonly level: string;
  readonly event: string;
  readonly [field: string]: unknown;
}

export interface LogBatch {
  readonly records: readonly LogRecord[];
  /** Where to go on behind these. */
  readonly cursor: string;
  /** Lines before the last of these that are lost; -1 when nobody can know how many. */
  readonly missed: number;
}

export interface FileEntry {
  readonly name: string;
  readonly kind: 'directory' | 'file';
  /** In bytes; files only. */
  readonly size?: number;
}

export interface FileStatus {
  readonly kind: 'directory' | 'file' | 'other';
  readonly size: number;
  readonly modifiedMs?: number;
  readonly mode?: number;
  readonly contentDigest?: string;
}

/** What was found out about a file on the server's disk. */
export interface Verification {
  readonly bytes: number;
  readonly state: 'intact' | 'damaged' | 'unrecorded' | 'changed';
  readonly contentDigest: string;
  readonly chunkBytes: number;
  readonly damagedChunks: readonly number[];
}

/** How far something has come, in bytes. */
export interface TransferProgress {
  readonly doneBytes: number;
  readonly totalBytes?: number;
  /** Bytes that were there already. */
  readonly resumedBytes: number;
}

export interface TransferOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: TransferProgress) => void;
}

export type IfExists = 'replace' | 'fail' | 'skip' | 'newer';

/** A file here that is to be sent. */
export interface FileToSend {
  readonly file: File;
  /** Where to, on the server. */
  readonly path: string;
  /** By which the browser finds the file again after a reload, where it can. */
  readonly handle?: FileSystemFileHandle;
}

export interface SendOptions extends TransferOptions {
  readonly ifExists: IfExists;
  /** Called when a file is done. */
  readonly onFile?: (path: string, outcome: SentFile) => void;
}

export interface SentFile {
  readonly bytes: number;
  /** Why it was not sent. */
  readonly skipped?: 'exists' | 'newer';
  readonly error?: Error;
}

/** An upload of this browser that was broken off, and can go on. */
export interface PendingUpload {
  readonly id: string;
  readonly path: string;
  readonly name: string;
  readonly size: number;
  readonly doneBytes: number;
  /** As Date.now. */
  readonly changedAtMs: number;
  /** Whether the browser has the file still, so that it need not be picked again. */
  readonly hasFile: boolean;
}

export interface RoundTrips {
  readonly medianMs: number;
  readonly p95Ms: number;
  readonly maxMs: number;
}

export interface SpeedInterval {
  readonly toSeconds: number;
  /** In bytes per second. */
  readonly up?: number;
  readonly down?: number;
  readonly medianMs?: number;
}

export interface SpeedTest {
  readonly direction: 'up' | 'down' | 'both';
  readonly streams: number;
  readonly seconds: number;
  readonly onInterval: (interval: SpeedInterval) => void;
  readonly signal: AbortSignal;
}

export interface SpeedResult {
  readonly seconds: number;
  /** In bytes per second. */
  readonly up?: number;
  readonly down?: number;
  readonly idle: RoundTrips;
  readonly loaded?: RoundTrips;
  readonly limit: 'client-cpu' | 'server-cpu' | 'both-cpus' | 'server-cap' | 'link' | 'unknown';
}

/** What a file is to be called here: where it goes, a picker of the browser asks, or it goes to its folder of downloads. */
export interface DownloadTarget {
  readonly name: string;
  readonly size?: number;
}

/** What the page asks of a server. Every call rejects with {@link ServerError}, or the reason of its signal. */
export interface ServerApi {
  /** Who has logged in; `undefined` for nobody. */
  session(signal?: AbortSignal): Promise<LoginSession | undefined>;
  logIn(user: string, password: string): Promise<LoginSession>;
  logOut(): Promise<void>;
  /** Asks the server something small. @returns how long it took, in milliseconds */
  ping(signal?: AbortSignal): Promise<number>;
  /** docs/protocol.md, section 17.9. */
  stats(signal?: AbortSignal): Promise<Readonly<Record<string, unknown>>>;
  /** All connections, then again whenever some have changed, at most once an interval. */
  watchConnections(intervalMs: number, signal: AbortSignal): AsyncIterable<readonly ConnectionRecord[]>;
  recentlyClosed(signal?: AbortSignal): Promise<readonly ClosedConnection[]>;
  explain(id: number, signal?: AbortSignal): Promise<ConnectionExplanation>;
  /** @returns how many connections were, or would be, ended */
  kick(kick: Kick): Promise<number>;
  /** docs/protocol.md, section 17.20. */
  users(signal?: AbortSignal): Promise<ServerUsers>;
  setUser(change: UserChange): Promise<void>;
  removeUser(name: string): Promise<void>;
  followLog(options: FollowOptions): AsyncIterable<LogBatch>;
  list(path: string, signal?: AbortSignal): Promise<readonly FileEntry[]>;
  status(path: string, signal?: AbortSignal): Promise<FileStatus>;
  makeDirectory(path: string): Promise<void>;
  /** Of a file or directory, which replaces nothing. */
  rename(path: string, newPath: string): Promise<void>;
  removeFile(path: string): Promise<void>;
  removeDirectory(path: string): Promise<void>;
  verify(path: string, options: TransferOptions): Promise<Verification>;
  send(files: readonly FileToSend[], options: SendOptions): Promise<void>;
  fetch(path: string, target: DownloadTarget, options: TransferOptions): Promise<void>;
  pendingUploads(): Promise<readonly PendingUpload[]>;
  /** @param file the same one as before, if the browser has it no more: its digest is compared */
  resumeUpload(id: string, file: File | undefined, options: TransferOptions): Promise<void>;
  forgetUpload(id: string): Promise<void>;
  partials(signal?: AbortSignal): Promise<readonly ServerPartial[]>;
  dropPartial(id: string): Promise<void>;
  measureSpeed(test: SpeedTest): Promise<SpeedResult>;
}

export interface FollowOptions {
  /** Goes on behind this place. */
  readonly cursor?: string;
  /** Without a cursor: begins so many lines back. */
  readonly lines: number;
  readonly level: LogLevel;
  readonly signal: AbortSignal;
}

/**
 * - `lost`: the server is not reached, or the link has broken
 * - `not-logged-in`: the login has ended
 * - `forbidden`: the user's role does not allow it
 * - `held-back`: too many logins have failed; `retryAfterMs` says when to try again
 * - `unsupported`: the server, or the browser, cannot do it
 * - `busy`: the server has no room now
 * - `refused`: the server says no, for another reason
 * - `canceled`: the user has called it off in a window of the browser
 */
export type ServerErrorKind =
  | 'lost'
  | 'not-logged-in'
  | 'wrong-password'
  | 'forbidden'
  | 'held-back'
  | 'unsupported'
  | 'busy'
  | 'refused'
  | 'canceled';

export class ServerError extends Error {
  override readonly name = 'ServerError';
  readonly kind: ServerErrorKind;
  readonly retryAfterMs: number | undefined;

  constructor(kind: ServerErrorKind, message: string, options: ErrorOptions & { readonly retryAfterMs?: number } = {}) {
    super(message, options);
    this.kind = kind;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** What people read of a failure. */
export function failureText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const text = error.message === '' ? error.name : error.message;
  // names of files stay as they are
  const first = /^[a-z]+ /.test(text) ? text.slice(0, 1).toUpperCase() : text.slice(0, 1);
  return `${first}${text.slice(1)}${/[.!?…]$/.test(text) ? '' : '.'}`;
}
