/**
 * What went wrong with a name, a file or a directory.
 *
 * `ERR_NAME_INVALID`: the name is refused, whatever is on disk. `ERR_NOT_A_FILE`, `ERR_NOT_A_DIRECTORY`: something
 * else has the name; a link is neither. `ERR_IN_USE`: open in this server, or busy in the system. `ERR_DISK_FULL`:
 * no space, or over quota. `ERR_NO_SPACE`: what is declared will not fit. `ERR_QUOTA`: the user's quota has no room. `ERR_EXISTS`: a file has the name already. `ERR_OTHER_DEVICE`: the staging area is on another file system. `ERR_TOO_MANY_FILES`: no descriptor is left for it. `ERR_IO`: everything else, such as a refused permission or a failing disk.
 */
export type StorageErrorCode =
  | 'ERR_NAME_INVALID'
  | 'ERR_DIRECTORY_NOT_FOUND'
  | 'ERR_FILE_NOT_FOUND'
  | 'ERR_NOT_A_FILE'
  | 'ERR_NOT_A_DIRECTORY'
  | 'ERR_IN_USE'
  | 'ERR_DISK_FULL'
  | 'ERR_NO_SPACE'
  | 'ERR_QUOTA'
  | 'ERR_EXISTS'
  | 'ERR_OTHER_DEVICE'
  | 'ERR_TOO_MANY_FILES'
  | 'ERR_TOO_MANY_ENTRIES'
  | 'ERR_IO';

export interface StorageErrorOptions extends ErrorOptions {
  readonly missing?: 'parent' | 'target';
}

/** A failure that may be told to a peer: the message holds no path and no text of the system, those are in `cause`. */
export class StorageError extends Error {
  override readonly name = 'StorageError';
  readonly code: StorageErrorCode;
  /**
   * With `ERR_DIRECTORY_NOT_FOUND` from a removal: whether the parent is missing (answered with 0x02000001) or the
   * directory to remove (0x02000003). `undefined` everywhere else.
   */
  readonly missing: 'parent' | 'target' | undefined;

  constructor(code: StorageErrorCode, message: string, options?: StorageErrorOptions) {
    super(message, options);
    this.code = code;
    this.missing = options?.missing;
  }
}

/** What an operation was about: decides what "no such entry" and "wrong kind of entry" mean. */
export type StorageSubject = 'file' | 'directory';

/** Turns whatever a file operation threw into a `StorageError`; one that is a `StorageError` already is handed back. */
export function storageErrorFrom(error: unknown, subject: StorageSubject): StorageError {
  if (error instanceof StorageError) return error;
  const [code, message] = meaningOf(systemCodeOf(error), subject);
  return new StorageError(code, message, { cause: error });
}

/** The code of a system error, such as `ENOENT`; `undefined` if it has none. */
export function systemCodeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

function meaningOf(systemCode: string | undefined, subject: StorageSubject): [StorageErrorCode, string] {
  switch (systemCode) {
    case 'ENOENT':
      return subject === 'file'
        ? ['ERR_FILE_NOT_FOUND', 'file not found']
        : ['ERR_DIRECTORY_NOT_FOUND', 'directory not found'];
    case 'ENOTDIR':
    case 'ELOOP':
      return subject === 'file' ? ['ERR_NOT_A_FILE', 'not a file'] : ['ERR_NOT_A_DIRECTORY', 'not a directory'];
    case 'EISDIR':
    case 'ENXIO': // what opening a socket, or a FIFO that nobody reads, answers
    case 'ENODEV':
      return ['ERR_NOT_A_FILE', 'not a file'];
    case 'ENAMETOOLONG':
    case 'EILSEQ':
      return ['ERR_NAME_INVALID', 'name not accepted'];
    case 'EBUSY':
    case 'ETXTBSY':
    case 'ENOTEMPTY':
      return ['ERR_IN_USE', `${subject} is in use`];
    case 'ENOSPC':
    case 'EDQUOT':
      return ['ERR_DISK_FULL', 'no space left'];
    case 'EACCES':
    case 'EPERM':
      return ['ERR_IO', 'access denied'];
    case 'EROFS':
      return ['ERR_IO', 'storage is read-only'];
    case 'EMFILE':
    case 'ENFILE':
      return ['ERR_TOO_MANY_FILES', 'too many open files at once'];
    default:
      return ['ERR_IO', 'storage failed'];
  }
}
