import type { Dialect } from './dialect.js';

const UPLOAD_FLAG = Buffer.of(2);
const NEARLY_4_GIB = 0xfffffffe;
const LONGEST_TEXT_BYTES = 4096;
const LONGEST_PACKET_BYTES = 10 << 20;

/** A packet of the protocol: its length, the length of its text, both little-endian, and the text. docs/protocol.md */
export function sluicePacket(text: string, announced = 4 + Buffer.byteLength(text)): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([head(announced, bytes.length), bytes]);
}

export const ACTIVE_EXCHANGE = Buffer.concat([UPLOAD_FLAG, sluicePacket('[Request]\r\nCommand=Active')]);

export const sluiceDialect: Dialect = {
  preamble: UPLOAD_FLAG,
  opening: Buffer.concat([head(4 + LONGEST_TEXT_BYTES, LONGEST_TEXT_BYTES), Buffer.from('[Request]\r\nCommand=')]),
  filler: Buffer.from('a'),
  hugePrefixes: [
    sluicePacket('[Request]\r\nCommand=Data', LONGEST_PACKET_BYTES),
    Buffer.concat([head(LONGEST_PACKET_BYTES, LONGEST_PACKET_BYTES - 4), Buffer.from('[Request]')]),
    head(0x7fffffff, 0x7ffffff0),
    head(NEARLY_4_GIB, 16),
  ],
  request: sluicePacket('[Request]\r\nCommand=Active'),
};

function head(packetBytes: number, textBytes: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(packetBytes, 0);
  bytes.writeUInt32LE(textBytes, 4);
  return bytes;
}
