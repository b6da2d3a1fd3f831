import { loadXxhash } from './xxhash.js';

const { h64Raw } = await loadXxhash();

/** XXH64 of bytes that are all there. @param seed 64 bits. @default 0n */
export function xxh64(bytes: Uint8Array, seed?: bigint): bigint {
  return h64Raw(bytes, seed);
}
