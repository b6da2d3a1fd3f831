export type { WebhookTarget } from './hooks/open-webhooks.js';
export { programHook } from './hooks/program-hook.js';
export type { HookedFile, UploadEvent, UploadEventKind, UploadHooks } from './hooks/upload-hooks.js';
export { UPLOAD_EVENTS, UploadRefused } from './hooks/upload-hooks.js';
export { HttpError } from './http/http-error.js';
export type { HttpServerOptions } from './http/http-options.js';
export { DEFAULT_HTTP_OPTIONS } from './http/http-options.js';
export { HttpAddressError } from './http/http-places.js';
export type { HttpAccess, HttpRequest, HttpRoute, HttpVisitor, UpgradeRoute } from './http/http-route.js';
export { loadCertificates } from './load-certificates.js';
export type { LeveledLog, Log, LogFields, LogLevel } from './log.js';
export { escapeControls, LOG_LEVELS } from './log.js';
export type { LogStream } from './log-stream.js';
export type { LogRecord } from './logging/log-record.js';
export { jsonLine, logOutputLine, textLine } from './logging/log-record.js';
export type { OpenedLog, OpenLogOptions } from './logging/open-log.js';
export { openLog } from './logging/open-log.js';
export type { LogSink, ServerLogOptions } from './logging/server-log.js';
export { ServerLog } from './logging/server-log.js';
export type { Role } from './principal.js';
export { ROLES } from './principal.js';
export type { SelfSigned } from './self-signed.js';
export { makeSelfSigned } from './self-signed.js';
export type { ReloadResult } from './server-controls.js';
export type { ServerMemoryOptions } from './server-memory.js';
export { defaultMemoryLimit, logWaitingBytes } from './server-memory.js';
export type { OpenProtocol, ServerTlsOptions, SluiceServerOptions } from './sluice-server.js';
export { DEFAULT_KEEP_FILES_MS, SluiceServer } from './sluice-server.js';
export type { SpeedLimits } from './speed-limits.js';
export { DEFAULT_SPEED_LIMITS } from './speed-limits.js';
export { ownLogDirectory } from './storage/path-name.js';
export { RootLock } from './storage/root-lock.js';
export { StorageError } from './storage/storage-error.js';
export type { AccountSettings } from './users/account.js';
export { faultOfSettings, obstacleOf } from './users/account.js';
export { randomPassword } from './users/random-password.js';
export type { UserErrorCode } from './users/user-error.js';
export { UserError } from './users/user-error.js';
export { faultOfName } from './users/user-name.js';
export type { NameAndPassword } from './users/user-store.js';
export { parseUserOption, UserStore } from './users/user-store.js';
export type {
  ChangeUsersOptions,
  NewPasswordOptions,
  PasswordVerifiers,
  SettingsChange,
  UserEntry,
} from './users/users-file.js';
export {
  addUser,
  changePassword,
  changeSettings,
  loginsOf,
  ownUsersFile,
  readUsersFile,
  removeUser,
} from './users/users-file.js';
export type { SupervisorOptions } from './workers/supervisor.js';
export { Supervisor } from './workers/supervisor.js';
export type { WorkerOptions, WorkerStart } from './workers/worker.js';
export { Worker } from './workers/worker.js';
