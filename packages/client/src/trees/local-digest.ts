import { open } from 'node:fs/promises';
import { contentDigestOf, digestChunks } from '@sluice/files';
import { DIGEST_CHUNK_BYTES } from '@sluice/wire';
import { localFileError } from '../errors.js';
import type { CallOptions } from '../transfer.js';

/**
 * The content digest of a file here, as servers have it of theirs: 16 hexadecimal digits. docs/protocol.md, section 17.12.
 *
 * @throws {ClientError} `ERR_LOCAL_FILE`; the signal's reason
 */
export async function digestLocalFile(path: string, { signal }: CallOptions = {}): Promise<string> {
  try {
    await using handle = await open(path);
    const { size } = await handle.stat();
    const digests = await digestChunks(handle, { position: 0, count: size, chunkBytes: DIGEST_CHUNK_BYTES, signal });
    return contentDigestOf(digests);
  } catch (error) {
    signal?.throwIfAborted();
    throw localFileError('read', path, error);
  }
}
