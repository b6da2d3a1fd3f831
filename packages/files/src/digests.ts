export { ChunkDigester } from './chunk-digester.js';
export { ChunkHash, contentDigest } from './chunk-hash.js';
export { loadXxh64 } from './xxhash.js';
