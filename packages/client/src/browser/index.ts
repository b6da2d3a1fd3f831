export type { Cancel, ClientClock } from '../clock.js';
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
} from '../control-client.js';
export { ControlClient } from '../control-client.js';
export type { ClientErrorCode, ClientErrorOptions } from '../errors.js';
export { ClientError, OptionsError } from '../errors.js';
export type { ListEntry } from '../listing.js';
export type { RemoteFileStatus } from '../open-file.js';
export type { ConnectOptions, RetryInfo } from '../options.js';
export type { PartialUpload } from '../partial-uploads.js';
export type { OpenRemoteFileOptions, RangeOptions, SeekOptions } from '../remote-file.js';
export { RemoteFile } from '../remote-file.js';
export type { RenameOptions } from '../remote-rename.js';
export type { RemoteStatus } from '../remote-status.js';
export { ServerClient } from '../server-client.js';
export type { SpeedOptions } from '../speed/speed-options.js';
export type {
  LatencySummary,
  ProcessUse,
  SpeedFlow,
  SpeedInterval,
  SpeedLimit,
  SpeedResult,
} from '../speed/speed-result.js';
export type {
  CallOptions,
  DownloadOptions,
  DownloadResult,
  Durability,
  IfExists,
  Progress,
  UploadOptions,
  UploadResult,
} from '../transfer.js';
export type { ListTreeOptions, TreeEntry } from '../trees/remote-tree.js';
export { isSafeName } from '../trees/remote-tree.js';
export type { FilesResult, FileToUpload, UploadedFile, UploadFilesOptions } from '../trees/upload-files.js';
export type { LocalComparison, VerifyProgressOptions, VerifyResult } from '../verification.js';
export { BrowserClient } from './browser-client.js';
export type { BrowserConnectOptions, GatewayOptions } from './browser-options.js';
export type {
  BlobOptions,
  BrowserDownloadOptions,
  BrowserFileToUpload,
  BrowserSource,
  BrowserUploadFilesOptions,
  BrowserUploadOptions,
  BrowserVerifyOptions,
  PickedSource,
} from './browser-transfers.js';
export { connect, connectControl, measureSpeed, readLogOutput } from './connect.js';
export type { PendingUpload } from './pending-uploads.js';
export { filesOfDirectory } from './picked-directory.js';
export type { OpenSocket } from './web-socket-transport.js';
export type { MakeWorker } from './worker-packer.js';
