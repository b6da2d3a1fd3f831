import type { LengthFieldLayout } from '@sluice/framing';
import { ProtocolError } from './errors.js';

/** Both length fields of a packet. Specification 2.1. */
export const PACKET_HEAD_BYTES = 8;

/** Largest packet length that is accepted. Specification 2.3. */
export const MAX_PACKET_LENGTH = 10_485_760;

/** Largest packet length that is sent: every known peer accepts it. Specification 2.3. */
export const MAX_SENT_PACKET_LENGTH = 10_485_756;

/** `big` is for peers that are known to want it; both length fields, both directions. Specification 2.2. */
export type ByteOrder = 'little' | 'big';

/** How packets are cut out of a byte stream. Specification 2.1 and 2.3. */
export function packetLayout(byteOrder: ByteOrder = 'little'): LengthFieldLayout {
  return { lengthWidth: 4, byteOrder, minLength: 4, maxLength: MAX_PACKET_LENGTH };
}

/**
 * Where the command text of the packet at `source[start, ...)` ends; it begins at `start + 8`. Needs the first 8 bytes of the packet.
 *
 * @param packetBytes the whole packet's bytes, as declared
 * @throws {ProtocolError} `ERR_COMMAND_LENGTH` when the command length lies outside the packet (D18)
 */
export function commandTextEnd(
  source: Uint8Array,
  start: number,
  packetBytes: number,
  byteOrder: ByteOrder = 'little',
): number {
  const length = readUint32(source, start + 4, byteOrder);
  if (length > packetBytes - PACKET_HEAD_BYTES) {
    throw new ProtocolError('ERR_COMMAND_LENGTH', `command length of ${length} in a packet of ${packetBytes} bytes`);
  }
  return start + PACKET_HEAD_BYTES + length;
}

/**
 * A packet: head, command text, data.
 *
 * @throws {ProtocolError} `ERR_PACKET_TOO_LARGE` above {@link MAX_SENT_PACKET_LENGTH}
 */
export function encodePacket(text: Uint8Array, data?: Uint8Array, byteOrder: ByteOrder = 'little'): Uint8Array {
  const dataBytes = data?.length ?? 0;
  const packet = new Uint8Array(PACKET_HEAD_BYTES + text.length + dataBytes);
  writePacketHead(packet, 0, text.length, dataBytes, byteOrder);
  packet.set(text, PACKET_HEAD_BYTES);
  if (data) packet.set(data, PACKET_HEAD_BYTES + text.length);
  return packet;
}

/** Writes the 8 bytes in front of a command text. @throws as {@link encodePacket} */
export function writePacketHead(
  target: Uint8Array,
  at: number,
  textBytes: number,
  dataBytes: number,
  byteOrder: ByteOrder = 'little',
): void {
  const packetLength = 4 + textBytes + dataBytes;
  if (packetLength > MAX_SENT_PACKET_LENGTH) {
    throw new ProtocolError(
      'ERR_PACKET_TOO_LARGE',
      `packet length of ${packetLength}, limit ${MAX_SENT_PACKET_LENGTH}`,
    );
  }
  writeUint32(target, at, packetLength, byteOrder);
  writeUint32(target, at + 4, textBytes, byteOrder);
}

function readUint32(source: Uint8Array, at: number, byteOrder: ByteOrder): number {
  const [a, b, c, d] = [source[at]!, source[at + 1]!, source[at + 2]!, source[at + 3]!];
  return byteOrder === 'little'
    ? (a | (b << 8) | (c << 16) | (d << 24)) >>> 0
    : ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}

function writeUint32(target: Uint8Array, at: number, value: number, byteOrder: ByteOrder): void {
  for (let i = 0; i < 4; i++) target[at + i] = value >>> (8 * (byteOrder === 'little' ? i : 3 - i));
}
