import { RequestError, ResultCode } from '@sluice/wire';
import { StorageError, type StorageErrorCode } from './storage/storage-error.js';

/** What a peer is told of an error. */
export interface ErrorAnswer {
  readonly code: number;
  /** Our own words: no path and no text of the system. (D22) */
  readonly message: string;
  /** Whether the peer asked for something that cannot be; otherwise the operator has to look. */
  readonly isExpected: boolean;
}

const codes: Record<StorageErrorCode, number> = {
  ERR_NAME_INVALID: ResultCode.ParameterError,
  ERR_DIRECTORY_NOT_FOUND: ResultCode.DirNotExist,
  ERR_FILE_NOT_FOUND: ResultCode.FileNotExist,
  ERR_NOT_A_FILE: ResultCode.ParameterError,
  ERR_NOT_A_DIRECTORY: ResultCode.DirNotExist,
  ERR_IN_USE: ResultCode.FileIsInUse,
  ERR_DISK_FULL: ResultCode.UnknownError,
  ERR_NO_SPACE: ResultCode.NoSpace,
  ERR_QUOTA: ResultCode.QuotaExceeded,
  ERR_EXISTS: ResultCode.FileExists,
  ERR_OTHER_DEVICE: ResultCode.UnknownError,
  ERR_TOO_MANY_FILES: ResultCode.Busy,
  ERR_TOO_MANY_ENTRIES: ResultCode.UnknownError,
  ERR_IO: ResultCode.UnknownError,
};

/** What a peer is told of a failure of the storage. */
export function codeOfStorageError(code: StorageErrorCode): number {
  return codes[code];
}

/** The answer to a request that failed with `error`; code 4 when no other fits (D11). */
export function answerFor(error: unknown): ErrorAnswer {
  if (error instanceof RequestError) return { code: error.resultCode, message: error.message, isExpected: true };
  if (error instanceof StorageError) {
    const isExpected = !['ERR_IO', 'ERR_DISK_FULL', 'ERR_TOO_MANY_FILES'].includes(error.code);
    return { code: codes[error.code], message: error.message, isExpected };
  }
  return { code: ResultCode.UnknownError, message: 'unexpected error', isExpected: false };
}

/** Runs storage work and answers its failures with other codes than usual. @throws {RequestError} */
export async function withCodes<T>(work: Promise<T>, codeOf: (error: StorageError) => number | undefined): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const code = error instanceof StorageError ? codeOf(error) : undefined;
    if (code === undefined) throw error;
    throw new RequestError(code as ResultCode, (error as StorageError).message, { cause: error });
  }
}
