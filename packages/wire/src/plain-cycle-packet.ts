import { requestText, responseText } from './command-text.js';
import { Command, Key } from './names.js';
import { MAX_SENT_PACKET_LENGTH, PACKET_HEAD_BYTES, writePacketHead } from './packet.js';
import { ResultCode } from './result-codes.js';

// A request that comes a million times a second is read from its bytes, and answered into the bytes that are sent: no string, no list of
// fields and no buffer is made for it. What is written in any other way than the known clients do goes the way of all requests.

const ZERO = '0'.charCodeAt(0);
/** More are left to the general way, which knows the limits of a number. The answer may have one more. */
const MAX_DIGITS = 9;

const REQUEST = withoutValue(requestText(Command.CyclePacket, [[Key.Count, 0]]));
const RESPONSE = withoutValue(responseText(Command.CyclePacket, ResultCode.Success, [[Key.Count, 0]]));

/** Largest text of an answer. */
const MAX_TEXT_BYTES = RESPONSE.length + MAX_DIGITS + 1;

/** Data above which a copy by the engine is faster than a loop, in bytes. */
const LOOPED_BYTES = 96;

/** Whether the text at `source[start, end)` is that of {@link encodeCyclePacketRequest}, byte for byte, with a Count of 0 to 999,999,999. */
export function isPlainCyclePacketRequest(source: Uint8Array, start: number, end: number): boolean {
  const digitsAt = start + REQUEST.length;
  const digits = end - digitsAt;
  if (digits < 1 || digits > MAX_DIGITS) return false;
  for (let i = 0; i < REQUEST.length; i++) if (source[start + i] !== REQUEST[i]) return false;
  for (let at = digitsAt; at < end; at++) if (source[at]! < ZERO || source[at]! > ZERO + 9) return false;
  return true;
}

/** What {@link writePlainCyclePacketResponse} may write for a request with so much data, in bytes. */
export function plainCyclePacketResponseBytes(dataBytes: number): number {
  return PACKET_HEAD_BYTES + MAX_TEXT_BYTES + dataBytes;
}

/** Whether a request with so much data has an answer that is no larger than a packet may be. */
export function fitsPlainCyclePacket(dataBytes: number): boolean {
  return plainCyclePacketResponseBytes(dataBytes) <= MAX_SENT_PACKET_LENGTH;
}

/**
 * Writes the whole answer to a request that {@link isPlainCyclePacketRequest} knows.
 *
 * @param source has the text of the request at `[start, textEnd)`, and its data at `[textEnd, end)`
 * @returns the bytes written
 */
export function writePlainCyclePacketResponse(
  target: Uint8Array,
  at: number,
  source: Uint8Array,
  start: number,
  textEnd: number,
  end: number,
): number {
  let count = 0;
  for (let i = start + REQUEST.length; i < textEnd; i++) count = count * 10 + source[i]! - ZERO;
  const textAt = at + PACKET_HEAD_BYTES;
  for (let i = 0; i < RESPONSE.length; i++) target[textAt + i] = RESPONSE[i]!;
  const dataAt = writeInteger(target, textAt + RESPONSE.length, count + 1);
  writePacketHead(target, at, dataAt - textAt, end - textEnd);
  if (end - textEnd > LOOPED_BYTES) target.set(source.subarray(textEnd, end), dataAt);
  else for (let i = textEnd; i < end; i++) target[dataAt + i - textEnd] = source[i]!;
  return dataAt + end - textEnd - at;
}

/** @param value 0 to 10^9 @returns where the digits end */
function writeInteger(target: Uint8Array, at: number, value: number): number {
  let end = at + 1;
  for (let limit = 10; value >= limit; limit *= 10) end += 1;
  let rest = value;
  for (let i = end - 1; i >= at; i--) {
    const tenth = (rest / 10) | 0;
    target[i] = ZERO + rest - tenth * 10;
    rest = tenth;
  }
  return end;
}

function withoutValue(text: Uint8Array): Uint8Array {
  return text.slice(0, -1);
}
