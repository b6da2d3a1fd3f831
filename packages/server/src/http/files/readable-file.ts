import type { FileHandle } from 'node:fs/promises';
import { fileVersionOf } from '../../storage/content-digests.js';
import type { ExistingFile } from '../../storage/existing-file.js';
import type { ReadClaim } from '../../storage/open-files.js';
import { StorageError } from '../../storage/storage-error.js';
import { versionToken } from '../../storage/version-token.js';
import type { FileRequest } from './file-request.js';
import type { FilesParts } from './files-parts.js';

/** A file that is open for reading, and held in the table of open files. */
export interface ReadableFile extends ExistingFile, AsyncDisposable {
  readonly handle: FileHandle;
  /** `st_dev`. */
  readonly device: number;
  /** Of the state that it was opened in. */
  readonly version: string;
}

/**
 * Opens a file for reading; no link is followed on the way.
 *
 * @throws {StorageError} `ERR_FILE_NOT_FOUND`, also where its directory is missing; `ERR_IN_USE` while somebody writes it in place; others
 */
export async function openReadable(
  { principal, gone }: FileRequest,
  { files }: FilesParts,
  components: readonly string[],
): Promise<ReadableFile> {
  const { openFiles, descriptors, digests } = files;
  const fileName = components.at(-1)!;
  const place = descriptors.openFile();
  let claim: ReadClaim | undefined;
  let handle: FileHandle | undefined;
  const close = async (): Promise<void> => {
    try {
      await handle?.close();
    } finally {
      claim?.release();
      place[Symbol.dispose]();
    }
  };
  try {
    await using directory = await descriptors.walk(() => principal.tree.resolve(components.slice(0, -1)), gone);
    const key = directory.entryKey(fileName);
    await openFiles.knownElsewhere(key);
    claim = openFiles.claimForReading(key);
    const opened = await directory.openFile(fileName, 'read');
    handle = opened.handle;
    const stats = await opened.handle.stat({ bigint: true });
    const version = fileVersionOf(stats);
    const recorded = await digests.lookup(directory.key, fileName, version);
    return {
      handle,
      device: opened.device,
      size: version.size,
      modifiedNs: version.modifiedNs,
      recorded,
      version: versionToken(stats),
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    if (error instanceof StorageError && /^ERR_(?:DIRECTORY_NOT_FOUND|NOT_A_DIRECTORY)$/.test(error.code))
      throw new StorageError('ERR_FILE_NOT_FOUND', 'file not found', { cause: error });
    throw error;
  }
}
