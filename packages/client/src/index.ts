export { connect, SluiceClient } from './client.js';
export type { Cancel, ClientClock } from './clock.js';
export { connectControl } from './connect-control.js';
export type {
  ClosedConnection,
  ConnectionEnd,
  ConnectionEvent,
  ConnectionExplanation,
  FollowLogOptions,
  KickSelection,
  ListedClient,
  LogBatch,
  LogRecord,
  ReloadResult,
  ServerUsers,
  UserChange,
  UserRecord,
  UserRole,
  UsersSource,
} from './control-client.js';
export { CLOSE_REASONS, CONNECTION_EVENT_TEXTS, ControlClient } from './control-client.js';
export { JOURNAL_SUFFIX } from './download-journal.js';
export type { Endpoint, ParsedSluiceUrl, ServerAddress } from './endpoint.js';
export { DEFAULT_PORT, parseSluiceUrl } from './endpoint.js';
export type { ClientErrorCode, ClientErrorOptions } from './errors.js';
export { ClientError, OptionsError } from './errors.js';
export type { ListEntry } from './listing.js';
export type { RemoteFileStatus } from './open-file.js';
export type { ClientTlsOptions, ConnectOptions, LoginPolicy, ResolvedConnectOptions, RetryInfo } from './options.js';
export { DEFAULT_CONNECT_OPTIONS, LOGIN_POLICIES } from './options.js';
export { PARTIAL_SUFFIX } from './partial-file.js';
export type { PartialUpload } from './partial-uploads.js';
export { readLogOutput } from './read-log-output.js';
export type { OpenRemoteFileOptions, RangeOptions, SeekOptions } from './remote-file.js';
export { DEFAULT_REMOTE_FILE_OPTIONS, RemoteFile } from './remote-file.js';
export type { RenameOptions } from './remote-rename.js';
export type { RemoteStatus } from './remote-status.js';
export { ServerClient } from './server-client.js';
export { measureSpeed } from './speed/measure-speed.js';
export type { SpeedOptions } from './speed/speed-options.js';
export type {
  LatencySummary,
  ProcessUse,
  SpeedFlow,
  SpeedInterval,
  SpeedLimit,
  SpeedResult,
} from './speed/speed-result.js';
export { LOCK_SUFFIX } from './target-lock.js';
export type {
  CallOptions,
  DamagedPart,
  DownloadOptions,
  DownloadResult,
  Durability,
  IfExists,
  Progress,
  ResumePolicy,
  TransferOptions,
  UploadOptions,
  UploadResult,
} from './transfer.js';
export type {
  DownloadedFile,
  DownloadFilesOptions,
  DownloadTreeOptions,
  FileToDownload,
} from './trees/download-files.js';
export { digestLocalFile } from './trees/local-digest.js';
export type { LocalEntry, WalkOptions } from './trees/local-tree.js';
export { walkLocalTree } from './trees/local-tree.js';
export type { ListTreeOptions, TreeEntry } from './trees/remote-tree.js';
export { isSafeName } from './trees/remote-tree.js';
export type {
  FilesResult,
  FileToUpload,
  UploadedFile,
  UploadFilesOptions,
  UploadTreeOptions,
} from './trees/upload-files.js';
export { MAX_SMALL_FILE_BYTES } from './trees/upload-files.js';
export type { LocalComparison, VerifyOptions, VerifyProgressOptions, VerifyResult } from './verification.js';
