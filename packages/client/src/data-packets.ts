import { dataRequestText, PACKET_HEAD_BYTES, writePacketHead } from '@sluice/wire';

/** The Data packets that carry a piece, one behind the other, each as a head and a view of the piece. @param limit data per packet, at most */
export function dataPackets(piece: Uint8Array, limit: number): Uint8Array[] {
  const text = dataRequestText();
  const parts: Uint8Array[] = [];
  for (let at = 0; at < piece.length; at += limit) {
    const data = piece.subarray(at, at + limit);
    const head = new Uint8Array(PACKET_HEAD_BYTES + text.length);
    writePacketHead(head, 0, text.length, data.length);
    head.set(text, PACKET_HEAD_BYTES);
    parts.push(head, data);
  }
  return parts;
}
