import { encodePacket } from './packet.js';

/** Data of each packet, in bytes. */
const PACKET_DATA_BYTES = 64 << 10;

/**
 * Data packets of a measurement, made once and never changed: any number of connections send them at the same time. The data is noise,
 * which no link on the way can make smaller.
 */
export class FloodPackets {
  /** Data that all packets carry together, in bytes. */
  readonly capacityBytes: number;
  /** Data of one packet, in bytes. */
  readonly packetDataBytes = PACKET_DATA_BYTES;
  readonly #text: Uint8Array;
  readonly #packetBytes: number;
  readonly #packets: Uint8Array;

  /**
   * @param text the command text of every packet
   * @param count how many packets
   */
  constructor(text: Uint8Array, count: number) {
    const packet = encodePacket(text, noise(PACKET_DATA_BYTES));
    this.#text = text;
    this.#packetBytes = packet.length;
    this.#packets = new Uint8Array(count * packet.length);
    for (let i = 0; i < count; i++) this.#packets.set(packet, i * packet.length);
    this.capacityBytes = count * PACKET_DATA_BYTES;
  }

  /**
   * Whole packets that carry at most `limitBytes` bytes of data, one packet at least: the last bytes of a flood get a packet of their own.
   *
   * @param limitBytes 1 or more
   */
  take(limitBytes: number): { readonly packets: Uint8Array; readonly count: number; readonly dataBytes: number } {
    if (limitBytes < PACKET_DATA_BYTES)
      return { packets: encodePacket(this.#text, noise(limitBytes)), count: 1, dataBytes: limitBytes };
    const dataBytes = Math.min(limitBytes, this.capacityBytes);
    const count = Math.floor(dataBytes / PACKET_DATA_BYTES);
    return {
      packets: this.#packets.subarray(0, count * this.#packetBytes),
      count,
      dataBytes: count * PACKET_DATA_BYTES,
    };
  }
}

/** Bytes without order, the same ones each time: xorshift with 32 bits. */
function noise(bytes: number): Uint8Array {
  const target = new Uint8Array(bytes);
  let state = 0x9e3779b9;
  for (let i = 0; i < bytes; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    target[i] = state & 255;
  }
  return target;
}
