export { totalBytes } from './byte-parts.js';
export { ChunkDigester } from './chunk-digester.js';
export type { DigestRange } from './chunk-digests.js';
export { digestChunks } from './chunk-digests.js';
export { FileReader } from './file-reader.js';
export { FileWriter } from './file-writer.js';
export type { IoPaceLimits } from './io-pace.js';
export { IoPace, paceOfDevice } from './io-pace.js';
export { syncDirectory } from './sync-directory.js';
