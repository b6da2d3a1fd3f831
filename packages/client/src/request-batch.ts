import { PACKET_HEAD_BYTES, writePacketHead } from '@sluice/wire';
import type { Platform } from './platform.js';
import { joined } from './read-ahead.js';

/** Up to so many bytes are copied together: that is cheaper than giving the system many parts. */
const MAX_JOINED_BYTES = 64 << 10;

/**
 * Requests that do not wait for one another leave together, when everything that this turn of the event loop brings about is done: many answers come
 * with one read, and what they set off is sent with one write.
 */
export class RequestBatch {
  readonly #platform: Platform;
  readonly #send: (parts: readonly Uint8Array[]) => void;
  #parts: Uint8Array[] = [];
  #bytes = 0;

  /** @param send may keep the parts */
  constructor(platform: Platform, send: (parts: readonly Uint8Array[]) => void) {
    this.#platform = platform;
    this.#send = send;
  }

  /** Adds a packet. The data must stay as they are until the request is answered. */
  add(text: Uint8Array, data?: Uint8Array): void {
    const head = new Uint8Array(PACKET_HEAD_BYTES + text.length);
    writePacketHead(head, 0, text.length, data?.length ?? 0);
    head.set(text, PACKET_HEAD_BYTES);
    if (this.#parts.length === 0) this.#platform.afterTurn(this.#flush);
    this.#push(head);
    if (data && data.length > 0) this.#push(data);
  }

  #push(part: Uint8Array): void {
    this.#parts.push(part);
    this.#bytes += part.length;
  }

  readonly #flush = (): void => {
    const parts = this.#parts;
    const bytes = this.#bytes;
    const isJoined = parts.length > 1 && bytes <= MAX_JOINED_BYTES;
    this.#parts = [];
    this.#bytes = 0;
    this.#send(isJoined ? [joined(parts, bytes)] : parts);
  };
}
