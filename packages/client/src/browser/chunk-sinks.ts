import { DIGEST_CHUNK_BYTES } from '@sluice/wire';
import type { ChunkSink } from './assembled-chunks.js';

/** A file that the browser writes to: chunks go to their places in any order. */
export function fileSink(file: FileSystemWritableFileStream): ChunkSink {
  return {
    isOrdered: false,
    keepsMemory: false,
    take: (chunk, data) => file.write({ type: 'write', position: chunk * DIGEST_CHUNK_BYTES, data }),
  };
}

/** Collects blobs, which the browser may keep on its disk. @param parts gets one for each chunk */
export function blobSink(parts: Blob[]): ChunkSink {
  return {
    isOrdered: false,
    keepsMemory: false,
    async take(chunk, data) {
      parts[chunk] = new Blob([data]);
    },
  };
}

/** A stream, chunk after chunk. */
export function streamSink(writer: WritableStreamDefaultWriter<Uint8Array>): ChunkSink {
  return {
    isOrdered: true,
    keepsMemory: true,
    async take(_chunk, data) {
      await writer.ready;
      await writer.write(data);
    },
  };
}
