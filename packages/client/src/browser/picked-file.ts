import { ClientError } from '../errors.js';

/** What browsers with the File System Access API have, and the types of TypeScript do not. */
interface Permissions {
  queryPermission?(what: { readonly mode: 'read' }): Promise<PermissionState>;
  requestPermission?(what: { readonly mode: 'read' }): Promise<PermissionState>;
}

/** Whether it is a file that the browser lets the page come back to. */
export function isPickedFile(value: unknown): value is FileSystemFileHandle {
  return typeof value === 'object' && value !== null && 'getFile' in value;
}

/**
 * The file as it is now. Asks the user for leave to read it if the browser has forgotten that it was given.
 *
 * @throws {ClientError} `ERR_LOCAL_FILE`
 */
export async function openPickedFile(handle: FileSystemFileHandle): Promise<File> {
  try {
    const { queryPermission, requestPermission } = handle as Permissions;
    const mode = 'read';
    let state = (await queryPermission?.call(handle, { mode })) ?? 'granted';
    if (state === 'prompt') state = (await requestPermission?.call(handle, { mode })) ?? 'granted';
    if (state !== 'granted') throw new Error('the browser has no leave to read it: pick it again');
    return await handle.getFile();
  } catch (cause) {
    const { message } = cause as Error;
    throw new ClientError('ERR_LOCAL_FILE', `cannot read ${handle.name}: ${message}`, { cause });
  }
}
