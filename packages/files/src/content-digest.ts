import { xxh64 } from './xxh64.js';

/**
 * The digest of a file as a whole: XXH64 of the digests of its chunks, one behind the other, as 16 hexadecimal digits. An empty file has no
 * chunks.
 */
export function contentDigestOf(chunkDigests: Uint8Array): string {
  return xxh64(chunkDigests).toString(16).padStart(16, '0');
}
