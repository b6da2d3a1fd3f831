import xxhash from 'xxhash-wasm';

const { h64Raw } = await xxhash();

/** XXH64 of bytes that are all there. @param seed 64 bits. @default 0n */
export function xxh64(bytes: Uint8Array, seed?: bigint): bigint {
  return h64Raw(bytes, seed);
}
