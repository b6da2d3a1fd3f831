import xxhash, { type XXHashAPI } from 'xxhash-wasm';

let loading: Promise<XXHashAPI> | undefined;

/** The code of the hash, compiled once. Rejects where a page's policy forbids WebAssembly: then nothing can be digested, and the rest works. */
export function loadXxhash(): Promise<XXHashAPI> {
  loading ??= xxhash();
  return loading;
}

/** XXH64 of bytes that are all there, seed 0. */
export async function loadXxh64(): Promise<(bytes: Uint8Array) => bigint> {
  const { h64Raw } = await loadXxhash();
  return (bytes) => h64Raw(bytes);
}
