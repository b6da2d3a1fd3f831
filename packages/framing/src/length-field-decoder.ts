import { BufferPool } from './buffer-pool.js';
import { FramingError, OptionsError } from './errors.js';
import type { FrameDecoder, FrameSink } from './frame-decoder.js';

/** Where a frame's length stands, and what it counts. */
export interface LengthFieldLayout {
  /** Bytes in front of the length field. @default 0 */
  readonly lengthOffset?: number;
  /** Width of the length field in bytes, 1 to 6; unsigned. @default 4 */
  readonly lengthWidth?: number;
  /** @default 'big' */
  readonly byteOrder?: 'big' | 'little';
  /**
   * Added to the declared value, gives the number of bytes that follow the length field. `0`: it counts what follows it;
   * `-(lengthOffset + lengthWidth)`: it counts the whole frame.
   *
   * @default 0
   */
  readonly lengthAdjustment?: number;
  /** Smallest declared value that is accepted. @default the smallest that makes sense: `max(0, -lengthAdjustment)` */
  readonly minLength?: number;
  /** Largest declared value that is accepted. Checked before anything of the frame is kept. */
  readonly maxLength: number;
}

const sharedPool = new BufferPool();

/**
 * Cuts a byte stream into frames that declare their own length.
 *
 * A frame that is whole inside a chunk is reported where it lies. A split one is assembled in a pooled buffer that grows with the bytes
 * that have come, never by the length a peer claims: at most twice those bytes. The cost is linear in the bytes, however they are split.
 */
export class LengthFieldDecoder implements FrameDecoder {
  readonly #sink: FrameSink;
  readonly #pool: BufferPool;
  readonly #lengthOffset: number;
  readonly #lengthWidth: number;
  readonly #isLittleEndian: boolean;
  readonly #prefixBytes: number;
  readonly #extraBytes: number;
  readonly #minLength: number;
  readonly #maxLength: number;

  /** The frame being assembled: `#part[0, #partBytes)`. */
  #part: Uint8Array | undefined;
  #partBytes = 0;
  /** Bytes of the current frame still to come in pieces; 0 when none is taken in pieces. */
  #pieceBytes = 0;
  /** What came behind the frame after which the sink stopped: `#held[#heldStart, #heldEnd)`. */
  #held: Uint8Array | undefined;
  #heldStart = 0;
  #heldEnd = 0;
  /** An assembled frame that was reported: its bytes stay valid until the next call. */
  #retired: Uint8Array | undefined;

  /**
   * @param pool where assembled frames get their buffers. @default one pool for all decoders
   * @throws {OptionsError} `ERR_OPTION_RANGE` for a layout that contradicts itself
   */
  constructor(layout: LengthFieldLayout, sink: FrameSink, pool: BufferPool = sharedPool) {
    const { lengthOffset = 0, lengthWidth = 4, byteOrder = 'big', lengthAdjustment = 0, maxLength } = layout;
    const smallest = Math.max(0, -lengthAdjustment); // a frame holds at least its own prefix
    const minLength = layout.minLength ?? smallest;
    requireInteger('lengthOffset', lengthOffset, 0, 1 << 20);
    requireInteger('lengthWidth', lengthWidth, 1, 6);
    requireInteger('lengthAdjustment', lengthAdjustment, -(2 ** 48), 2 ** 48);
    requireInteger('maxLength', maxLength, 0, 256 ** lengthWidth - 1);
    requireInteger('minLength', minLength, smallest, maxLength);
    this.#sink = sink;
    this.#pool = pool;
    this.#lengthOffset = lengthOffset;
    this.#lengthWidth = lengthWidth;
    this.#isLittleEndian = byteOrder === 'little';
    this.#prefixBytes = lengthOffset + lengthWidth;
    this.#extraBytes = this.#prefixBytes + lengthAdjustment;
    this.#minLength = minLength;
    this.#maxLength = maxLength;
  }

  get bufferedBytes(): number {
    return this.#partBytes + (this.#heldEnd - this.#heldStart);
  }

  /** Memory that is kept for this stream now, in bytes: at most twice what has come of a frame, and what is held. */
  get keptBytes(): number {
    return (this.#part?.length ?? 0) + (this.#held?.length ?? 0) + (this.#retired?.length ?? 0);
  }

  get isMidFrame(): boolean {
    return this.#partBytes > 0 || this.#pieceBytes > 0 || this.#held !== undefined;
  }

  push(source: Uint8Array, start: number, end: number): boolean {
    if (this.#held) {
      this.hold(source, start, end);
      return false;
    }
    return this.#consume(source, start, end, false);
  }

  resume(): boolean {
    const held = this.#held;
    if (!held) return true;
    const [start, end] = [this.#heldStart, this.#heldEnd];
    this.#forgetHeld();
    return this.#consume(held, start, end, true);
  }

  reset(): void {
    this.#recycle();
    if (this.#part) this.#pool.give(this.#part);
    this.#part = undefined;
    this.#partBytes = 0;
    this.#pieceBytes = 0;
    this.#forgetHeld();
  }

  /** The whole path of received bytes: what is unfinished first, then every frame that lies whole in the chunk, then the rest. */
  #consume(source: Uint8Array, start: number, end: number, isOwned: boolean): boolean {
    this.#recycle();
    let at = start;

    if (this.#pieceBytes > 0) {
      const pieceEnd = Math.min(end, at + this.#pieceBytes);
      if (pieceEnd === at) return true;
      this.#pieceBytes -= pieceEnd - at;
      const wantsMore = this.#sink.onPiece?.(source, at, pieceEnd, this.#pieceBytes === 0) ?? true;
      at = pieceEnd;
      if (!wantsMore) return this.#stop(source, at, end, isOwned);
    } else if (this.#partBytes > 0) {
      const needed = this.#partBytes < this.#prefixBytes ? this.#prefixBytes : this.#frameLength(this.#partSoFar, 0);
      at = this.#keep(source, at, Math.min(end, at + needed - this.#partBytes), needed);
      if (this.#partBytes < this.#prefixBytes) return true;

      const frameLength = this.#frameLength(this.#partSoFar, 0);
      at = this.#keep(source, at, Math.min(end, at + frameLength - this.#partBytes), frameLength);
      if (this.#partBytes < frameLength) {
        if (this.#sink.onBegun?.(this.#partSoFar, 0, this.#partBytes, frameLength)) {
          this.#pieceBytes = frameLength - this.#partBytes;
          this.#retirePart();
        }
        return true;
      }
      const part = this.#retirePart();
      if (!this.#sink.onFrame(part, 0, frameLength)) return this.#stop(source, at, end, isOwned);
    }

    while (end - at >= this.#prefixBytes) {
      const frameLength = this.#frameLength(source, at);
      if (end - at < frameLength) {
        if (this.#sink.onBegun?.(source, at, end, frameLength)) {
          this.#pieceBytes = frameLength - (end - at);
          return true;
        }
        break;
      }
      const frameStart = at;
      at += frameLength;
      if (!this.#sink.onFrame(source, frameStart, at)) return this.#stop(source, at, end, isOwned);
    }

    if (at < end) this.#keep(source, at, end, Number.POSITIVE_INFINITY);
    return true;
  }

  /** The length of the frame whose prefix starts at `at`, prefix included; checked against the limits. */
  #frameLength(source: Uint8Array, at: number): number {
    const first = at + this.#lengthOffset;
    let length = 0;
    if (this.#isLittleEndian)
      for (let i = this.#lengthWidth - 1; i >= 0; i--) length = length * 256 + source[first + i]!;
    else for (let i = 0; i < this.#lengthWidth; i++) length = length * 256 + source[first + i]!;

    if (length > this.#maxLength) {
      throw new FramingError('ERR_FRAME_TOO_LARGE', `declared length of ${length}, limit ${this.#maxLength}`);
    }
    if (length < this.#minLength) {
      throw new FramingError('ERR_FRAME_TOO_SMALL', `declared length of ${length}, at least ${this.#minLength} needed`);
    }
    return length + this.#extraBytes;
  }

  get #partSoFar(): Uint8Array {
    return this.#part as Uint8Array;
  }

  /** Copies `source[start, end)` behind the frame being assembled, of `frameLength` bytes at most. @returns `end` */
  #keep(source: Uint8Array, start: number, end: number, frameLength: number): number {
    const bytes = this.#partBytes + end - start;
    let part = this.#part;
    if (!part || part.length < bytes) {
      const grown = this.#pool.take(part ? Math.max(bytes, Math.min(frameLength, part.length * 2)) : bytes);
      if (part) {
        grown.set(part.subarray(0, this.#partBytes));
        this.#pool.give(part);
      }
      part = grown;
      this.#part = part;
    }
    part.set(source.subarray(start, end), this.#partBytes);
    this.#partBytes = bytes;
    return end;
  }

  #stop(source: Uint8Array, at: number, end: number, isOwned: boolean): false {
    if (at === end) return false;
    if (isOwned) {
      // Held bytes that are held again only move their start: stopping often stays linear.
      this.#held = source;
      this.#heldStart = at;
      this.#heldEnd = end;
    } else {
      this.hold(source, at, end);
    }
    return false;
  }

  /** Copies bytes that wait for `resume`, behind those that wait already; amortised, however small they come. */
  hold(source: Uint8Array, start: number, end: number): void {
    const bytes = this.#heldEnd - this.#heldStart + end - start;
    let held = this.#held;
    if (!held || held.length - this.#heldEnd < end - start) {
      held = new Uint8Array(this.#held ? bytes * 2 : bytes);
      if (this.#held) held.set(this.#held.subarray(this.#heldStart, this.#heldEnd));
      this.#heldEnd -= this.#heldStart;
      this.#heldStart = 0;
      this.#held = held;
    }
    held.set(source.subarray(start, end), this.#heldEnd);
    this.#heldEnd += end - start;
  }

  #forgetHeld(): void {
    this.#held = undefined;
    this.#heldStart = 0;
    this.#heldEnd = 0;
  }

  #retirePart(): Uint8Array {
    const part = this.#partSoFar;
    this.#retired = part;
    this.#part = undefined;
    this.#partBytes = 0;
    return part;
  }

  /** The frame that was reported last is not looked at any more: the memory of a large one is not kept until the next bytes come. */
  releaseFrame(): void {
    this.#recycle();
  }

  #recycle(): void {
    if (!this.#retired) return;
    this.#pool.give(this.#retired);
    this.#retired = undefined;
  }
}

function requireInteger(name: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new OptionsError(`${name} is ${value}; it must be a whole number from ${min} to ${max}`);
  }
}
