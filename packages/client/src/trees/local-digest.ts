import { type FileHandle, open } from 'node:fs/promises';
import { contentDigestOf, digestChunks } from '@sluice/files';
import { DIGEST_CHUNK_BYTES } from '@sluice/wire';
import { ClientError } from '../errors.js';
import { localFileError } from '../local-errors.js';
import type { CallOptions } from '../transfer.js';
import type { DigestedFile } from '../verification.js';

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

/** A file for a comparison; it must not change meanwhile. @throws {ClientError} `ERR_LOCAL_FILE`, `ERR_SOURCE_CHANGED`; the signal's reason */
export async function digestLocal(path: string, signal: AbortSignal): Promise<DigestedFile> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, 'r');
    const before = await handle.stat({ bigint: true });
    if (!before.isFile()) throw new ClientError('ERR_LOCAL_FILE', `cannot read ${path}: not a file`);
    const range = { position: 0, count: Number(before.size), chunkBytes: DIGEST_CHUNK_BYTES, signal };
    const digests = await digestChunks(handle, range);
    const { size, mtimeNs } = await handle.stat({ bigint: true });
    if (size !== before.size || mtimeNs !== before.mtimeNs)
      throw new ClientError('ERR_SOURCE_CHANGED', `${path} changed while it was being read`);
    return { bytes: Number(size), digests };
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof ClientError ? error : localFileError('read', path, error);
  } finally {
    await handle?.close();
  }
}
