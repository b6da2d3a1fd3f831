import { DataSlab, dataRequestText, PACKET_HEAD_BYTES } from '@sluice/wire';

/** Data per packet to a server that knows extensions. */
export const PACKET_BYTES = 256 << 10;

/** Memory for Data packets that carry `bytes` bytes, each at most `packetBytes` of them. */
export function newUploadSlab(bytes: number, packetBytes = PACKET_BYTES): DataSlab {
  const text = dataRequestText();
  const dataBytes = Math.min(bytes, packetBytes);
  const packets = Math.ceil(bytes / dataBytes);
  return new DataSlab(new Uint8Array(packets * (PACKET_HEAD_BYTES + text.length + dataBytes)), text, dataBytes);
}
