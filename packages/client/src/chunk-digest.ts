import type { ChunkHash } from '@sluice/files/digests';

/** The digest of one chunk. */
export function digestOf(newHash: () => ChunkHash, bytes: Uint8Array): bigint {
  const hash = newHash();
  hash.update(bytes);
  return hash.end();
}
