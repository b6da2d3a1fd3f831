/** What frames bring. Calls come from within `FrameReader.push`. */
export interface FrameUser {
  /** Whether nothing more is to be handed on now. */
  readonly isPaused: boolean;
  /** Bytes of binary messages, unmasked: `source[start, end)`, valid until the call returns. */
  onData(source: Uint8Array, start: number, end: number): void;
  /** A whole control frame, as it came. */
  onControl(opcode: number, frame: Uint8Array): void;
  /** The peer has broken a rule; nothing is read any more. */
  onViolation(violation: FrameViolation): void;
}

/** `text-message`: a message that is no binary one. `websocket-error`: against RFC 6455. */
export type FrameViolation = 'text-message' | 'websocket-error';

export const Opcode = { Continuation: 0, Text: 1, Binary: 2, Close: 8, Ping: 9, Pong: 10 } as const;

const MAX_HEAD_BYTES = 14;
const MAX_CONTROL_BYTES = 125;

/** Content of frames that come together is moved together below this size: a call of the handler costs more. */
const MIN_CALL_BYTES = 16 << 10;

const MASKED = 0x80;
const FINAL = 0x80;
const RESERVED = 0x70;

/**
 * Frames of a WebSocket client, cut anywhere. Content of binary messages is handed on where it lies, as it comes: whatever the size of a message, nothing of
 * it is kept, and none is allocated. Control frames are handed on whole, for somebody else to understand. RFC 6455, 5.
 */
export class FrameReader {
  readonly #user: FrameUser;
  /** The head of the frame, and all of a control frame. */
  readonly #frame = new Uint8Array(MAX_HEAD_BYTES + MAX_CONTROL_BYTES);
  #frameBytes = 0;
  /** Of the head, as far as it is known. */
  #neededBytes = 2;
  #isControl = false;
  /** What has still to come of a data frame. */
  #contentLeft = 0;
  /** Which byte of the key the next byte of content is masked with. */
  #phase = 0;
  readonly #key = new Uint8Array(4);
  /** Between the first and the last frame of a message. */
  #isInMessage = false;
  #violation: FrameViolation | undefined;
  #hasEnded = false;

  constructor(user: FrameUser) {
    this.#user = user;
  }

  /**
   * @param chunk is written to
   * @returns where it has stopped because the user is paused; otherwise the end of the chunk
   */
  push(chunk: Uint8Array, from = 0): number {
    const end = chunk.length;
    let at = from;
    // Content that was not handed on yet.
    let [dataStart, dataEnd] = [from, from];
    const handOn = (): void => {
      const [start, stop] = [dataStart, dataEnd];
      dataEnd = dataStart;
      if (stop > start) this.#user.onData(chunk, start, stop);
    };
    while (at < end && !this.#hasEnded) {
      if (this.#contentLeft > 0) {
        const bytes = Math.min(this.#contentLeft, end - at);
        if (dataEnd > dataStart && bytes >= MIN_CALL_BYTES && dataEnd - dataStart >= MIN_CALL_BYTES) {
          handOn();
          if (this.#user.isPaused) return at;
        }
        this.#unmask(chunk, at, at + bytes);
        if (dataEnd === dataStart) dataStart = dataEnd = at;
        else if (dataEnd !== at) chunk.copyWithin(dataEnd, at, at + bytes);
        dataEnd += bytes;
        this.#contentLeft -= bytes;
        at += bytes;
        continue;
      }
      const bytes = Math.min(this.#neededBytes - this.#frameBytes, end - at);
      for (let i = 0; i < bytes; i++) this.#frame[this.#frameBytes + i] = chunk[at + i]!;
      this.#frameBytes += bytes;
      at += bytes;
      if (this.#frameBytes < this.#neededBytes) break;
      if (this.#readOn()) continue;
      if (!this.#isControl && !this.#violation) continue;
      handOn(); // what came before
      if (this.#violation) {
        this.#hasEnded = true;
        this.#user.onViolation(this.#violation);
        break;
      }
      this.#user.onControl(this.#frame[0]! & 15, this.#frame.slice(0, this.#frameBytes));
      if ((this.#frame[0]! & 15) === Opcode.Close) this.#hasEnded = true;
      this.#beginFrame();
      if (this.#user.isPaused) return at;
    }
    handOn();
    return this.#hasEnded ? end : at;
  }

  /** As much as was needed has come. @returns whether more is, before anything can be handed on */
  #readOn(): boolean {
    const frame = this.#frame;
    const [first, second] = [frame[0]!, frame[1]!];
    if (this.#neededBytes === 2) {
      const violation = this.#violationOf(first, second);
      if (violation) return this.#fail(violation);
      const short = second & 0x7f;
      this.#neededBytes = short === 126 ? 8 : short === 127 ? MAX_HEAD_BYTES : 6;
      return true;
    }
    const length = this.#lengthOf(second & 0x7f);
    if (length === undefined) return this.#fail('websocket-error');
    if (first & 8) {
      if (this.#isControl || length === 0) {
        this.#isControl = true;
        return false;
      }
      this.#isControl = true;
      this.#neededBytes += length;
      return true;
    }
    this.#key.set(frame.subarray(this.#frameBytes - 4, this.#frameBytes));
    this.#phase = 0;
    this.#contentLeft = length;
    this.#isInMessage = (first & FINAL) === 0;
    this.#beginFrame();
    return false;
  }

  #violationOf(first: number, second: number): FrameViolation | undefined {
    const opcode = first & 15;
    if (first & RESERVED || !(second & MASKED)) return 'websocket-error';
    switch (opcode) {
      case Opcode.Continuation:
        return this.#isInMessage ? undefined : 'websocket-error';
      case Opcode.Binary:
        return this.#isInMessage ? 'websocket-error' : undefined;
      case Opcode.Text:
        return 'text-message';
      case Opcode.Close:
      case Opcode.Ping:
      case Opcode.Pong:
        return first & FINAL && (second & 0x7f) <= MAX_CONTROL_BYTES ? undefined : 'websocket-error';
      default:
        return 'websocket-error';
    }
  }

  /** @returns `undefined` for a length that no file has */
  #lengthOf(short: number): number | undefined {
    const frame = this.#frame;
    if (short < 126) return short;
    if (short === 126) return frame[2]! * 256 + frame[3]!;
    let length = 0;
    for (let i = 2; i < 10; i++) length = length * 256 + frame[i]!;
    return length <= Number.MAX_SAFE_INTEGER ? length : undefined;
  }

  #beginFrame(): void {
    this.#frameBytes = 0;
    this.#neededBytes = 2;
    this.#isControl = false;
  }

  #fail(violation: FrameViolation): false {
    this.#violation = violation;
    this.#isControl = false;
    return false;
  }

  /** Eight bytes at a time: one at a time, as it is defined, costs ten times as much. */
  #unmask(source: Uint8Array, start: number, end: number): void {
    const key = this.#key;
    let at = start;
    let phase = this.#phase;
    for (; at < end && ((source.byteOffset + at) & 7) !== 0; at++) {
      source[at]! ^= key[phase]!;
      phase = (phase + 1) & 3;
    }
    const words = (end - at) >> 3;
    if (words > 0) {
      for (let i = 0; i < 8; i++) keyBytes[i] = key[(phase + i) & 3]!;
      xorWords(new BigUint64Array(source.buffer, source.byteOffset + at, words), keyWord[0]!);
      at += words * 8;
    }
    for (; at < end; at++) {
      source[at]! ^= key[phase]!;
      phase = (phase + 1) & 3;
    }
    this.#phase = phase;
  }
}

const keyWord = new BigUint64Array(1);
const keyBytes = new Uint8Array(keyWord.buffer);

function xorWords(words: BigUint64Array, key: bigint): void {
  for (let i = 0; i < words.length; i++) words[i]! ^= key;
}

const TWO_BYTES = 126;
const EIGHT_BYTES = 127;

/** Head of a frame of a server: one whole binary message. */
export function messageHead(length: number): Uint8Array {
  if (length < TWO_BYTES) return Uint8Array.of(FINAL | Opcode.Binary, length);
  if (length < 1 << 16) return Uint8Array.of(FINAL | Opcode.Binary, TWO_BYTES, length >> 8, length & 255);
  const head = new Uint8Array(10);
  const view = new DataView(head.buffer);
  head[0] = FINAL | Opcode.Binary;
  head[1] = EIGHT_BYTES;
  view.setUint32(2, Math.floor(length / 2 ** 32));
  view.setUint32(6, length % 2 ** 32);
  return head;
}
