import { ChunkHash } from '@sluice/files/digests';
import { type ChunkPacker, type ChunkPlace, type PackedChunk, packChunk } from './packed-chunk.js';

/** Packs in the page's own thread: where there are no workers, or none may be loaded. */
export class MainPacker implements ChunkPacker {
  async pack(blob: Blob, place: ChunkPlace): Promise<PackedChunk | undefined> {
    return await packChunk(blob, place, await ChunkHash.create());
  }

  close(): void {}
}
