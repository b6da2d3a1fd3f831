import type { ChunkHash } from '@sluice/files/digests';
import { PACKET_BYTES, uploadSlabBytes, uploadSlabIn } from '../upload-slab.js';

/** A chunk of a blob, as Data packets in memory of its own. */
export interface PackedChunk {
  readonly digest: bigint;
  readonly memory: ArrayBuffer;
  /** So much of the memory is to be sent. */
  readonly packetBytes: number;
}

/** A part of a blob, at most a chunk. */
export interface ChunkPlace {
  readonly position: number;
  readonly bytes: number;
  /** Of an earlier chunk that was at least as long; used again. */
  readonly memory: ArrayBuffer | undefined;
}

/** Reads blobs chunk by chunk, digests and packs them. */
export interface ChunkPacker {
  /** @returns `undefined` when the blob ends before. Rejects with the browser's error */
  pack(blob: Blob, place: ChunkPlace): Promise<PackedChunk | undefined>;
  /** Ends what goes on. */
  close(): void;
}

/** Packs a chunk in the thread that asks. @param hash used within one tick */
export async function packChunk(
  blob: Blob,
  { position, bytes, memory }: ChunkPlace,
  hash: ChunkHash,
): Promise<PackedChunk | undefined> {
  const data = new Uint8Array(await blob.slice(position, position + bytes).arrayBuffer());
  if (data.length < bytes) return undefined;
  const neededBytes = uploadSlabBytes(bytes);
  const space = memory && memory.byteLength >= neededBytes ? memory : new ArrayBuffer(neededBytes);
  const slab = uploadSlabIn(new Uint8Array(space, 0, neededBytes), Math.min(bytes, PACKET_BYTES));
  let at = 0;
  for (const gap of slab.gapsFor(bytes)) {
    gap.set(data.subarray(at, at + gap.length));
    at += gap.length;
  }
  hash.update(data);
  return { digest: hash.end(), memory: space, packetBytes: slab.packets(bytes).length };
}
