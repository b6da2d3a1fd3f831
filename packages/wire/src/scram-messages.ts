import { decodeBase64, encodeBase64 } from './base64.js';
import { ProtocolError, RequestError } from './errors.js';
import { ResultCode } from './result-codes.js';

/** The mechanisms of RFC 7677 by their registered names. */
export const ScramMechanism = {
  Sha256: 'SCRAM-SHA-256',
  /** With channel binding. */
  Sha256Plus: 'SCRAM-SHA-256-PLUS',
} as const;

/** The one type of channel binding that is used; RFC 9266. */
export const CHANNEL_BINDING = 'tls-exporter';

/** Fewest iterations that either side accepts; RFC 7677, section 4. */
export const MIN_SCRAM_ITERATIONS = 4096;

/** Most iterations that either side accepts: some two seconds of work. */
export const MAX_SCRAM_ITERATIONS = 10_000_000;

/** Of new passwords, as OWASP recommends for PBKDF2 with HMAC-SHA-256: about 120 ms, for the client alone, and once for all its connections. */
export const NEW_SCRAM_ITERATIONS = 600_000;

/** Longest message, in bytes: a name of 64 characters, each of them escaped, needs a third of it. */
export const MAX_SCRAM_MESSAGE_BYTES = 2048;

/** Length of SHA-256, and so of a proof and of a signature, in bytes. */
export const SCRAM_HASH_BYTES = 32;

/**
 * What a client says about channel binding, the beginning of its first message: `none`, it has none; `not-offered`, it has one, and believes
 * that the server has not; or the type that it uses.
 */
export type ChannelBindingFlag = 'none' | 'not-offered' | { readonly type: string };

/** The first message of a client. RFC 5802, section 5.1. */
export interface ScramClientFirst {
  readonly binding: ChannelBindingFlag;
  /** The beginning, `n,,`: what the last message binds. */
  readonly header: string;
  /** The rest, which both sides sign. */
  readonly bare: string;
  readonly userName: string;
  readonly nonce: string;
}

/** The first message of a server. */
export interface ScramServerFirst {
  /** The client's, and behind it the server's own. */
  readonly nonce: string;
  readonly salt: Uint8Array;
  readonly iterations: number;
}

/** The last message of a client. */
export interface ScramClientFinal {
  /** Base64 of the header of the first message, and of the data of the channel behind it. */
  readonly binding: string;
  readonly nonce: string;
  /** The message up to the proof, which both sides sign. */
  readonly withoutProof: string;
  /** {@link SCRAM_HASH_BYTES}. */
  readonly proof: Uint8Array;
}

/** The client's first message, in parts. */
export function makeScramClientFirst(binding: ChannelBindingFlag, userName: string, nonce: string): ScramClientFirst {
  const flag = binding === 'none' ? 'n' : binding === 'not-offered' ? 'y' : `p=${binding.type}`;
  const name = userName.replaceAll('=', '=3D').replaceAll(',', '=2C');
  return { binding, header: `${flag},,`, bare: `n=${name},r=${nonce}`, userName, nonce };
}

/**
 * Reads a client's first message. Whether there is such a user, and whether there could be, is not looked at.
 *
 * @throws {RequestError} code 6 when it is malformed, or asks to act for another user
 */
export function decodeScramClientFirst(message: string): ScramClientFirst {
  const [whole, flag = '', authorization, bare = ''] = /^([^,]*),([^,]*),(.*)$/s.exec(message) ?? [];
  if (whole === undefined) throw malformed('the first message has no header');
  if (authorization !== '') throw malformed('acting for another user is not possible');
  const binding = readFlag(flag);
  const [found, escapedName = '', nonce = ''] = /^n=([^,]*),r=([\x21-\x2b\x2d-\x7e]+)(?:,.*)?$/s.exec(bare) ?? [];
  if (found === undefined) throw malformed('the first message has no user name and nonce where they must be');
  if (/=(?!2C|3D)/.test(escapedName)) throw malformed('the user name has a bad escape');
  const userName = escapedName.replaceAll('=2C', ',').replaceAll('=3D', '=');
  return { binding, header: `${flag},,`, bare, userName, nonce };
}

/** The server's first message. */
export function encodeScramServerFirst({ nonce, salt, iterations }: ScramServerFirst): string {
  return `r=${nonce},s=${encodeBase64(salt)},i=${iterations}`;
}

/** @throws {ProtocolError} `ERR_RESPONSE_INVALID` */
export function decodeScramServerFirst(message: string): ScramServerFirst {
  const [, nonce = '', saltText = '', iterations = ''] =
    /^r=([\x21-\x2b\x2d-\x7e]+),s=([^,]+),i=([1-9][0-9]{0,9})(?:,.*)?$/s.exec(message) ?? [];
  const salt = decodeBase64(saltText);
  if (nonce === '' || !salt) throw new ProtocolError('ERR_RESPONSE_INVALID', 'a challenge that is none of SCRAM');
  return { nonce, salt, iterations: Number(iterations) };
}

/** The client's last message up to its proof. @param channel the data of the channel binding; empty without one */
export function scramWithoutProof(header: string, channel: Uint8Array, nonce: string): string {
  return `c=${scramBinding(header, channel)},r=${nonce}`;
}

/** What the last message of a client must have as its binding. */
export function scramBinding(header: string, channel: Uint8Array): string {
  const text = Uint8Array.from(header, (character) => character.charCodeAt(0));
  const bytes = new Uint8Array(text.length + channel.length);
  bytes.set(text);
  bytes.set(channel, text.length);
  return encodeBase64(bytes);
}

/** The client's last message. */
export function encodeScramClientFinal(withoutProof: string, proof: Uint8Array): string {
  return `${withoutProof},p=${encodeBase64(proof)}`;
}

/** @throws {RequestError} code 6 */
export function decodeScramClientFinal(message: string): ScramClientFinal {
  const [, withoutProof = '', binding = '', nonce = '', proofText = ''] =
    /^(c=([A-Za-z0-9+/=]+),r=([\x21-\x2b\x2d-\x7e]+)(?:,.*)?),p=([^,]+)$/s.exec(message) ?? [];
  const proof = decodeBase64(proofText);
  if (proof?.length !== SCRAM_HASH_BYTES) throw malformed('the last message is none of SCRAM');
  return { binding, nonce, withoutProof, proof };
}

/** The server's last message: the proof that it knows the user's keys. */
export function encodeScramServerFinal(signature: Uint8Array): string {
  return `v=${encodeBase64(signature)}`;
}

/** The signature; `undefined` when the message has none, as one that reports an error. */
export function decodeScramServerFinal(message: string): Uint8Array | undefined {
  const [, signatureText = ''] = /^v=([^,]+)(?:,.*)?$/s.exec(message) ?? [];
  const signature = decodeBase64(signatureText);
  return signature?.length === SCRAM_HASH_BYTES ? signature : undefined;
}

/** What both sides sign. */
export function scramAuthMessage(clientFirstBare: string, serverFirst: string, withoutProof: string): string {
  return `${clientFirstBare},${serverFirst},${withoutProof}`;
}

function readFlag(flag: string): ChannelBindingFlag {
  if (flag === 'n') return 'none';
  if (flag === 'y') return 'not-offered';
  const [, type] = /^p=([A-Za-z0-9.-]+)$/.exec(flag) ?? [];
  if (type === undefined) throw malformed('the first message does not say whether the channel is bound');
  return { type };
}

function malformed(what: string): RequestError {
  return new RequestError(ResultCode.ParameterError, what);
}
