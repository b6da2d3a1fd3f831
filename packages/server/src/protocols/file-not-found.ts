import { ResultCode } from '@sluice/wire';
import { withCodes } from '../answers.js';

/** For commands that name a file with its directories: a missing directory is a missing file. Specification 7 and 8. */
export function fileNotFound<T>(work: Promise<T>): Promise<T> {
  return withCodes(work, ({ code }) =>
    code === 'ERR_DIRECTORY_NOT_FOUND' || code === 'ERR_NOT_A_DIRECTORY' ? ResultCode.FileNotExist : undefined,
  );
}
