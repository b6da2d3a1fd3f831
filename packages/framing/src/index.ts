export { BufferPool } from './buffer-pool.js';
export { ChunkJoiner } from './chunk-joiner.js';
export type { FramingErrorCode } from './errors.js';
export { FramingError, OptionsError } from './errors.js';
export type { FrameDecoder, FrameSink } from './frame-decoder.js';
export type { LengthFieldLayout } from './length-field-decoder.js';
export { LengthFieldDecoder } from './length-field-decoder.js';
