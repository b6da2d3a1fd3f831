import { PACKET_HEAD_BYTES, writePacketHead } from './packet.js';
import { encodeUtf8 } from './utf8.js';

const BEFORE_COMMAND = encodeUtf8('[Response]\r\nCommand=');
const BEFORE_TAG = encodeUtf8('\r\nCode=0\r\nTag=');
const BEFORE_COUNT = encodeUtf8('\r\nCode=0\r\nCount=');
const BETWEEN = encodeUtf8('\r\nCount=');

/**
 * Writes the answers to one command that returns bytes of a file, head and text, straight to where they are sent from. They are the bytes
 * of `encodePacket(encodeCountResponse(...), data)`; this makes no objects, because such answers leave by the ten thousand in a second.
 */
export class ReadAnswer {
  readonly #start: Uint8Array;

  /** @param command as the client spells it */
  constructor(command: string) {
    const name = encodeUtf8(command);
    this.#start = new Uint8Array(BEFORE_COMMAND.length + name.length);
    this.#start.set(BEFORE_COMMAND);
    this.#start.set(name, BEFORE_COMMAND.length);
  }

  /** Bytes in front of the data. */
  headBytes(tag: number | undefined, count: number): number {
    const { length } = this.#start;
    if (tag === undefined) return PACKET_HEAD_BYTES + length + BEFORE_COUNT.length + digits(count);
    return PACKET_HEAD_BYTES + length + BEFORE_TAG.length + digits(tag) + BETWEEN.length + digits(count);
  }

  /** Writes what stands in front of `count` bytes of data. @returns where those begin */
  writeHead(target: Uint8Array, at: number, tag: number | undefined, count: number): number {
    const textAt = at + PACKET_HEAD_BYTES;
    let end = put(target, textAt, this.#start);
    if (tag === undefined) end = put(target, end, BEFORE_COUNT);
    else end = put(target, putNumber(target, put(target, end, BEFORE_TAG), tag), BETWEEN);
    end = putNumber(target, end, count);
    writePacketHead(target, at, end - textAt, count);
    return end;
  }
}

function put(target: Uint8Array, at: number, bytes: Uint8Array): number {
  // Byte by byte: for so few, `set` costs more.
  for (let i = 0; i < bytes.length; i++) target[at + i] = bytes[i]!;
  return at + bytes.length;
}

function putNumber(target: Uint8Array, at: number, value: number): number {
  const end = at + digits(value);
  let rest = value;
  for (let i = end - 1; i >= at; i--) {
    const tenth = Math.floor(rest / 10);
    target[i] = 0x30 + (rest - tenth * 10);
    rest = tenth;
  }
  return end;
}

function digits(value: number): number {
  let count = 1;
  for (let limit = 10; value >= limit; limit *= 10) count += 1;
  return count;
}
