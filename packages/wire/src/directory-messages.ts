import { type CommandText, requestText, responseText } from './command-text.js';
import { ProtocolError } from './errors.js';
import { parseInteger } from './integers.js';
import { requiredDirName, requiredKey } from './keys.js';
import { Command, FILE_SIZE_SEPARATOR, Key } from './names.js';
import type { Response } from './response.js';
import { ResultCode } from './result-codes.js';

/** CreateDir and DeleteDir. Specification 6. */
export interface DirectoryRequest {
  readonly parentDir: string;
  readonly dirName: string;
}

/** An Item of FileList. Specification 6. */
export interface ListedFile {
  readonly name: string;
  /** In bytes. */
  readonly size: bigint;
}

/** Specification 6. */
export interface DeleteFileRequest {
  readonly dirName: string;
  readonly names: readonly string[];
}

export function encodeDirRequest(parentDir: string): Uint8Array {
  return requestText(Command.Dir, [[Key.ParentDir, parentDir]]);
}

/** @throws {RequestError} code 6 */
export function decodeDirRequest(text: CommandText): string {
  return requiredKey(text, Key.ParentDir);
}

export function encodeDirResponse(command: string, names: readonly string[]): Uint8Array {
  return responseText(
    command,
    ResultCode.Success,
    names.map((name) => [Key.Item, name] as const),
  );
}

export function decodeDirResponse(response: Response): string[] {
  return response.text.all(Key.Item);
}

export function encodeDirectoryRequest(command: 'CreateDir' | 'DeleteDir', request: DirectoryRequest): Uint8Array {
  return requestText(command, [
    [Key.ParentDir, request.parentDir],
    [Key.DirName, request.dirName],
  ]);
}

/** @throws {RequestError} code 6 */
export function decodeDirectoryRequest(text: CommandText): DirectoryRequest {
  return { parentDir: requiredKey(text, Key.ParentDir), dirName: requiredDirName(text) };
}

export function encodeFileListRequest(dirName: string): Uint8Array {
  return requestText(Command.FileList, [[Key.DirName, dirName]]);
}

/** @throws {RequestError} code 6 */
export function decodeFileListRequest(text: CommandText): string {
  return requiredDirName(text);
}

export function encodeFileListResponse(
  command: string,
  files: readonly { readonly name: string; readonly size: bigint | number }[],
): Uint8Array {
  return responseText(
    command,
    ResultCode.Success,
    files.map((file) => [Key.Item, `${file.name}${FILE_SIZE_SEPARATOR}${file.size}`] as const),
  );
}

/** @throws {ProtocolError} `ERR_RESPONSE_INVALID` for an Item without a size */
export function decodeFileListResponse(response: Response): ListedFile[] {
  return response.text.all(Key.Item).map((item) => {
    const separator = item.lastIndexOf(FILE_SIZE_SEPARATOR);
    const size = parseInteger(item.slice(separator + 1), 64);
    if (separator < 0 || size === undefined || size < 0n) {
      throw new ProtocolError('ERR_RESPONSE_INVALID', 'a listed file has no size');
    }
    return { name: item.slice(0, separator), size };
  });
}

export function encodeDeleteFileRequest(request: DeleteFileRequest): Uint8Array {
  return requestText(Command.DeleteFile, [
    [Key.DirName, request.dirName],
    ...request.names.map((name) => [Key.Item, name] as const),
  ]);
}

/** @throws {RequestError} code 6 */
export function decodeDeleteFileRequest(text: CommandText): DeleteFileRequest {
  return { dirName: requiredDirName(text), names: text.all(Key.Item) };
}
