/** What frames bring. Calls come from within `FrameReader.push`. */
export interface FrameUser {
  /** Bytes of binary messages, unmasked: `source[start, end)`, valid until the call returns. Once for each `push`, at most. */
  onData(source: Uint8Array, start: number, end: number): void;
  /** A whole ping or pong, as it came; maybe before data that came before it. */
  onControl(frame: Uint8Array): void;
  /** A whole close frame, likewise, behind all data. */
  onClose(frame: Uint8Array): void;
  /** The peer has broken a rule; nothing is read any more. */
  onViolation(violation: FrameViolation): void;
}

/** `text-message`: a message that is no binary one. `websocket-error`: against RFC 6455. */
export type FrameViolation = 'text-message' | 'websocket-error';

export const Opcode = { Continuation: 0, Text: 1, Binary: 2, Close: 8, Ping: 9, Pong: 10 } as const;

const MAX_HEAD_BYTES = 14;
const MAX_CONTROL_BYTES = 125;

const MASKED = 0x80;
const FINAL = 0x80;
const RESERVED = 0x70;
const CONTROL = 8;
/** What the second byte says of lengths that it does not hold. */
const TWO_BYTES = 126;
const EIGHT_BYTES = 127;

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
  /** What has still to come of a data frame. */
  #contentLeft = 0;
  /** Which byte of the key the next byte of content is masked with. */
  #phase = 0;
  readonly #key = new Uint8Array(4);
  /** Between the first and the last frame of a message. */
  #isInMessage = false;
  /** A close frame, or what is wrong: nothing is looked at after that. */
  #hasEnded = false;
  /** The same, until it is told. */
  #last: FrameViolation | Uint8Array | undefined;

  constructor(user: FrameUser) {
    this.#user = user;
  }

  /** @param source is written to: in `source[start, end)` content is unmasked, and moved together to be handed on at once */
  push(source: Uint8Array, start: number, end: number): void {
    let at = start;
    let [dataStart, dataEnd] = [start, start];
    while (at < end && !this.#hasEnded) {
      if (this.#contentLeft > 0) {
        const bytes = Math.min(this.#contentLeft, end - at);
        this.#unmask(source, at, at + bytes);
        const before = dataEnd - dataStart;
        if (before < bytes) {
          // What is shorter is moved: mostly some bytes of a packet's head, behind which its data come.
          if (before > 0 && dataEnd !== at) source.copyWithin(at - before, dataStart, dataEnd);
          dataStart = at - before;
          dataEnd = at + bytes;
        } else {
          if (dataEnd !== at) source.copyWithin(dataEnd, at, at + bytes);
          dataEnd += bytes;
        }
        this.#contentLeft -= bytes;
        at += bytes;
      } else {
        at += this.#takeHead(source, at, end);
      }
    }
    if (dataEnd > dataStart) this.#user.onData(source, dataStart, dataEnd);
    if (this.#last) this.#tellLast();
  }

  /** @returns how many bytes it has taken: as far as the head, or the control frame, is known to go */
  #takeHead(source: Uint8Array, start: number, end: number): number {
    const bytes = Math.min(this.#neededBytes - this.#frameBytes, end - start);
    for (let i = 0; i < bytes; i++) this.#frame[this.#frameBytes + i] = source[start + i]!;
    this.#frameBytes += bytes;
    if (this.#frameBytes === this.#neededBytes) this.#readOn();
    return bytes;
  }

  /** As much as was needed has come: more is, or the frame has begun, or it was a control frame. */
  #readOn(): void {
    const frame = this.#frame;
    const [first, second] = [frame[0]!, frame[1]!];
    if (this.#neededBytes === 2) {
      const violation = this.#violationOf(first, second);
      const short = second & 0x7f;
      if (violation) this.#end(violation);
      else this.#neededBytes = short === TWO_BYTES ? 8 : short === EIGHT_BYTES ? MAX_HEAD_BYTES : 6;
      return;
    }
    const length = this.#lengthOf(second & 0x7f);
    if (length === undefined) {
      this.#end('websocket-error');
    } else if (!(first & CONTROL)) {
      this.#key.set(frame.subarray(this.#frameBytes - 4, this.#frameBytes));
      this.#phase = 0;
      this.#contentLeft = length;
      this.#isInMessage = (first & FINAL) === 0;
      this.#beginFrame();
    } else if (this.#frameBytes < 6 + length) {
      this.#neededBytes = 6 + length;
    } else {
      const whole = frame.slice(0, this.#frameBytes);
      this.#beginFrame();
      if ((first & 15) === Opcode.Close) this.#end(whole);
      else this.#user.onControl(whole);
    }
  }

  #end(last: FrameViolation | Uint8Array): void {
    this.#hasEnded = true;
    this.#last = last;
  }

  /** After all that came before. */
  #tellLast(): void {
    const last = this.#last!;
    this.#last = undefined;
    if (typeof last === 'string') this.#user.onViolation(last);
    else this.#user.onClose(last);
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
