import { ClientError, type ListEntry, type SluiceClient } from '@sluice/client';
import { remoteName, remoteParent } from './remote-location.js';

const PARAMETER_ERROR = 6;
const FILE_NOT_EXIST = 9;
const FILE_IS_IN_USE = 11;
const DIR_NOT_EXIST = 0x02000001;

/** Whether the server says that there is no such file or directory. Specification 4.1. */
export function isMissing(error: unknown): boolean {
  return hasResultCode(error, FILE_NOT_EXIST) || hasResultCode(error, DIR_NOT_EXIST);
}

/** Whether the server says that somebody else has the file. Specification 4.1. */
export function isInUse(error: unknown): boolean {
  return hasResultCode(error, FILE_IS_IN_USE);
}

/** Whether the server says that it cannot use the name: perhaps because it is a directory. Specification 4.1. */
export function isBadName(error: unknown): boolean {
  return hasResultCode(error, PARAMETER_ERROR);
}

/** What is in the directory; `undefined` if the server has no directory of that name. @throws {ClientError} */
export async function listIfDirectory(
  client: SluiceClient,
  path: string,
  signal: AbortSignal,
): Promise<ListEntry[] | undefined> {
  try {
    return await client.list(path, { signal });
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** The entry that a path names, as its directory lists it: no command of the protocol asks for one. @throws {ClientError} */
export async function findEntry(
  client: SluiceClient,
  path: string,
  signal: AbortSignal,
): Promise<ListEntry | undefined> {
  const siblings = await listIfDirectory(client, remoteParent(path), signal);
  return siblings?.find(({ name }) => name === remoteName(path));
}

function hasResultCode(error: unknown, code: number): boolean {
  return error instanceof ClientError && error.code === 'ERR_REMOTE' && error.resultCode === code;
}
