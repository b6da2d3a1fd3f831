export type { Log, LogFields, LogLevel } from './log.js';
export { escapeControls, LOG_LEVELS, TextLog } from './log.js';
export type { SluiceServerOptions } from './sluice-server.js';
export { SluiceServer } from './sluice-server.js';
export { StorageError } from './storage/storage-error.js';
export { UserError } from './users/user-error.js';
export type { NameAndPassword } from './users/user-store.js';
export { parseUserOption, UserStore } from './users/user-store.js';
