import { PACKET_HEAD_BYTES, writePacketHead } from './packet.js';

/** More packets than this in one slab are more parts than one call to the system takes. */
const MAX_PACKETS = 512;

/**
 * A buffer in which the heads and texts of consecutive Data packets stand ready, with gaps for their data between them. A file is read
 * straight into the gaps (`readv`), and the whole leaves in one write: no copy, no allocation. Specification 6.1 and 7.1.
 */
export class DataSlab {
  /** The gaps, in order. Fill them from the first on, each completely before the next. */
  readonly gaps: readonly Uint8Array[];
  /** All gaps together, in bytes. */
  readonly capacityBytes: number;
  readonly #bytes: Uint8Array;
  readonly #text: Uint8Array;
  readonly #dataBytes: number;

  /**
   * @param bytes the memory, wholly used by the slab; at least one packet of one byte must fit
   * @param text the command text of every packet
   * @param packetDataBytes data per packet; lowered to what fits
   */
  constructor(bytes: Uint8Array, text: Uint8Array, packetDataBytes: number) {
    const overhead = PACKET_HEAD_BYTES + text.length;
    this.#bytes = bytes;
    this.#text = text;
    this.#dataBytes = Math.min(packetDataBytes, bytes.length - overhead);
    const packets = Math.min(MAX_PACKETS, Math.floor(bytes.length / (overhead + this.#dataBytes)));
    const gaps: Uint8Array[] = [];
    for (let i = 0; i < packets; i++) {
      const at = i * (overhead + this.#dataBytes);
      writePacketHead(bytes, at, text.length, this.#dataBytes);
      bytes.set(text, at + PACKET_HEAD_BYTES);
      gaps.push(bytes.subarray(at + overhead, at + overhead + this.#dataBytes));
    }
    this.gaps = gaps;
    this.capacityBytes = packets * this.#dataBytes;
  }

  /** Gaps for at most `limitBytes` bytes, the last one cut short. */
  gapsFor(limitBytes: number): readonly Uint8Array[] {
    if (limitBytes >= this.capacityBytes) return this.gaps;
    const whole = Math.floor(limitBytes / this.#dataBytes);
    const rest = limitBytes - whole * this.#dataBytes;
    const gaps = this.gaps.slice(0, whole);
    if (rest > 0) gaps.push(this.gaps[whole]!.subarray(0, rest));
    return gaps;
  }

  /**
   * The packets that carry the first `filledBytes` bytes of the gaps; a view into the slab, valid until the gaps are filled again.
   * The last packet is shortened to what it carries.
   */
  packets(filledBytes: number): Uint8Array {
    const overhead = PACKET_HEAD_BYTES + this.#text.length;
    const whole = Math.floor(filledBytes / this.#dataBytes);
    const rest = filledBytes - whole * this.#dataBytes;
    const wholeBytes = whole * (overhead + this.#dataBytes);
    if (this.#shortened >= 0) writePacketHead(this.#bytes, this.#shortened, this.#text.length, this.#dataBytes);
    this.#shortened = -1;
    if (rest === 0) return this.#bytes.subarray(0, wholeBytes);
    writePacketHead(this.#bytes, wholeBytes, this.#text.length, rest);
    this.#shortened = wholeBytes;
    return this.#bytes.subarray(0, wholeBytes + overhead + rest);
  }

  /** Where a packet's head says less than a full packet; -1 when none does. */
  #shortened = -1;
}
