import { flightEvent } from '@sluice/core';
import { Command, responseText } from '@sluice/wire';

/** What a server tells the recorder of a connection, besides packets by their commands. */
export const ServerEvent = {
  protocolByte: flightEvent('protocol-byte', { direction: 'in', unit: 'bytes' }),
  protocolChosen: flightEvent('protocol-chosen', { unit: 'code' }),
  loginAccepted: flightEvent('login-accepted'),
  loginRefused: flightEvent('login-refused'),
  refusedAnswer: flightEvent('answer-not-ok', { unit: 'code' }),
} as const;

/** A packet whose command is none that the server knows, or cannot be told cheaply. */
const OTHER = 'packet';

interface PacketEvents {
  readonly received: number;
  readonly sent: number;
}

const other: PacketEvents = eventsOf(OTHER);
/** By a hash of the name without regard to case: a name that a peer makes up is never kept. */
const byHash = new Map<number, PacketEvents>();
/** By the name in its usual form, which is faster to find. */
const byName = new Map<string, PacketEvents>();
for (const name of Object.values(Command)) {
  const events = eventsOf(name);
  byName.set(name, events);
  byHash.set(hashOf(Buffer.from(name), 0, name.length), events);
}
if (byHash.size !== Object.values(Command).length) throw new Error('two names of commands have the same hash');

/** Data that came without being looked at. */
export const DATA_RECEIVED = eventOf('data').received;

/** Packets that are written where they leave from. */
export const PACKET_SENT = other.sent;

/** Where an answer has the name of its command; `[Request]` is shorter by one than `[Response]`. */
const NAME_IN_RESPONSE = responseText('', 0).indexOf('='.charCodeAt(0)) + 1;
const CR = 13;
const LONGEST_NAME = 24;
/** Between the name of the command and its code in an answer: CR, LF, `Code=`. */
const CODE_BEHIND_NAME = 7;

/** What a peer sends, by the name of its command in any case. */
export function receivedEvent(name: string): number {
  return eventOf(name).received;
}

/** What the server sends, by the name of its command in any case. */
export function sentEventNamed(name: string): number {
  return eventOf(name).sent;
}

/** What the server sends, by the bytes of its text. */
export function sentEvent(text: Uint8Array): number {
  const end = nameEnd(text);
  return (byHash.get(hashOf(text, nameStart(text), end)) ?? other).sent;
}

/** The code of an answer, 0 where it is none. */
export function answerCode(text: Uint8Array): number {
  if (isRequest(text)) return 0;
  let code = 0;
  for (let at = nameEnd(text) + CODE_BEHIND_NAME; at < text.length; at++) {
    const digit = text[at]! - 48;
    if (!(digit >= 0 && digit <= 9) || code > 1000) break;
    code = code * 10 + digit;
  }
  return code;
}

function eventOf(name: string): PacketEvents {
  const known = byName.get(name);
  if (known) return known;
  let hash = 0;
  for (let at = 0; at < name.length; at++) hash = (Math.imul(hash, 31) + (name.charCodeAt(at) | 32)) | 0;
  return byHash.get(hash) ?? other;
}

/** What the server sends unasked is a request. */
function isRequest(text: Uint8Array): boolean {
  return text[3] === 'q'.charCodeAt(0);
}

function nameStart(text: Uint8Array): number {
  return isRequest(text) ? NAME_IN_RESPONSE - 1 : NAME_IN_RESPONSE;
}

function nameEnd(text: Uint8Array): number {
  const limit = Math.min(text.length, NAME_IN_RESPONSE + LONGEST_NAME);
  let at = nameStart(text);
  while (at < limit && text[at] !== CR) at++;
  return at;
}

function hashOf(text: Uint8Array, start: number, end: number): number {
  let hash = 0;
  for (let at = start; at < end; at++) hash = (Math.imul(hash, 31) + (text[at]! | 32)) | 0;
  return hash;
}

function eventsOf(name: string): PacketEvents {
  return {
    received: flightEvent(name, { direction: 'in', unit: 'bytes' }),
    sent: flightEvent(name, { direction: 'out', unit: 'bytes' }),
  };
}
