import { DataSlab, dataRequestText, PACKET_HEAD_BYTES } from '@sluice/wire';

/** Data per packet to a server that knows extensions. */
export const PACKET_BYTES = 256 << 10;

/** Memory for Data packets that carry `bytes` bytes, each at most `packetBytes` of them. */
export function newUploadSlab(bytes: number, packetBytes = PACKET_BYTES): DataSlab {
  return uploadSlabIn(new Uint8Array(uploadSlabBytes(bytes, packetBytes)), Math.min(bytes, packetBytes));
}

/** How much memory that is, in bytes. */
export function uploadSlabBytes(bytes: number, packetBytes = PACKET_BYTES): number {
  const dataBytes = Math.min(bytes, packetBytes);
  return Math.ceil(bytes / dataBytes) * (PACKET_HEAD_BYTES + dataRequestText().length + dataBytes);
}

/** The same in memory that is there already. */
export function uploadSlabIn(memory: Uint8Array, packetBytes = PACKET_BYTES): DataSlab {
  return new DataSlab(memory, dataRequestText(), packetBytes);
}
