import type { SluiceClient } from '@sluice/client';
import { CommandError, usageError } from '../command-error.js';
import { environment } from '../environment.js';
import { ExitCode } from '../exit-code.js';
import { isBadName, isMissing, listIfDirectory } from '../remote-answer.js';
import { type RemoteLocation, RemoteNames } from '../remote-location.js';

/** The one file that a command line names. @throws {CommandError} exit code 2 */
export function fileOperand(command: string, operands: readonly string[]): RemoteLocation {
  const [operand, ...others] = operands;
  if (operand === undefined)
    throw usageError('nothing named: write sluice://user@host/path, or a path below SLUICE_URL');
  if (others.length > 0) throw usageError(`${command} takes one file: call it once for each`);
  const location = new RemoteNames(environment.url).resolve(operand);
  if (location.isDirectory || location.path === '') throw usageError(`${operand || '""'} names no file`);
  return location;
}

/** A failure to open a file, told so that its cause can be seen. */
export async function openingFailure(
  error: unknown,
  client: SluiceClient,
  path: string,
  signal: AbortSignal,
): Promise<unknown> {
  const mayBeDirectory = isMissing(error) || isBadName(error);
  if (!mayBeDirectory || !(await listIfDirectory(client, path, signal))) return error;
  return new CommandError(ExitCode.Failed, `${path} is a directory`, { cause: error, code: 'ERR_NOT_A_FILE' });
}
