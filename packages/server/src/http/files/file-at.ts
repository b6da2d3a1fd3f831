import { type ExistingFile, existingFile } from '../../storage/existing-file.js';
import { StorageError } from '../../storage/storage-error.js';
import type { FileRequest } from './file-request.js';
import type { FilesParts } from './files-parts.js';

/**
 * What has a name now.
 *
 * @returns `undefined` for nothing, also where its directory is missing
 * @throws {StorageError} `ERR_NOT_A_FILE` when something else has the name; others
 */
export async function fileAt(
  { principal, gone }: FileRequest,
  { files }: FilesParts,
  components: readonly string[],
): Promise<ExistingFile | undefined> {
  try {
    return await files.descriptors.walk(async () => {
      await using directory = await principal.tree.resolve(components.slice(0, -1));
      return await existingFile(files.digests, directory, components.at(-1)!);
    }, gone);
  } catch (error) {
    if (error instanceof StorageError && error.code === 'ERR_DIRECTORY_NOT_FOUND') return undefined;
    throw error;
  }
}
