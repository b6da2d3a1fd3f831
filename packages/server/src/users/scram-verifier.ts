import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import {
  decodeBase64,
  MAX_SCRAM_ITERATIONS,
  MIN_SCRAM_ITERATIONS,
  NEW_SCRAM_ITERATIONS,
  preparePassword,
  SCRAM_HASH_BYTES,
  type ScramHash,
  scramKeysOf,
} from '@sluice/wire';
import { inDerivationTurn } from './derivation-turns.js';

/**
 * What is kept of a password for SCRAM-SHA-256: it checks who knows the password, and lets nobody log in who reads it.
 *
 * @see docs/protocol.md, section 17.13; RFC 5802, section 3
 */
export interface ScramVerifier {
  /** Of PBKDF2 with HMAC-SHA-256. */
  readonly iterations: number;
  /** Base64 of 16 bytes. */
  readonly salt: string;
  /** Base64 of 32 bytes. */
  readonly storedKey: string;
  /** Base64 of 32 bytes. */
  readonly serverKey: string;
}

export const SCRAM_ITERATIONS = NEW_SCRAM_ITERATIONS;

export const SCRAM_SALT_BYTES = 16;

export const scramHash: ScramHash = {
  hash: (data) => createHash('sha256').update(data).digest(),
  hmac: (key, data) => createHmac('sha256', key).update(data).digest(),
};

const derive = promisify(pbkdf2);

/** @param password with no fault, see `faultOfPassword` */
export async function createScramVerifier(password: string, iterations = SCRAM_ITERATIONS): Promise<ScramVerifier> {
  const salt = randomBytes(SCRAM_SALT_BYTES);
  const prepared = preparePassword(password) ?? '';
  const salted = await derive(prepared, salt, iterations, SCRAM_HASH_BYTES, 'sha256');
  const { storedKey, serverKey } = scramKeysOf(scramHash, salted);
  return scramVerifierOf(iterations, salt, storedKey, serverKey);
}

/** Whether a password is the one that the verifier was made from. Takes the same time for either answer. */
export async function fitsScramVerifier(
  { iterations, salt, storedKey }: ScramVerifier,
  password: string,
): Promise<boolean> {
  const prepared = preparePassword(password) ?? '';
  const salted = await inDerivationTurn(() =>
    derive(prepared, Buffer.from(salt, 'base64'), iterations, SCRAM_HASH_BYTES, 'sha256'),
  );
  const isEqual = timingSafeEqual(scramKeysOf(scramHash, salted).storedKey, Buffer.from(storedKey, 'base64'));
  return isEqual && prepared !== '';
}

export function scramVerifierOf(
  iterations: number,
  salt: Uint8Array,
  storedKey: Uint8Array,
  serverKey: Uint8Array,
): ScramVerifier {
  const [saltText, storedKeyText, serverKeyText] = [salt, storedKey, serverKey].map((bytes) =>
    Buffer.from(bytes).toString('base64'),
  );
  return { iterations, salt: saltText!, storedKey: storedKeyText!, serverKey: serverKeyText! };
}

/** Says what is wrong with a new password, or nothing. */
export function faultOfPassword(password: string): string | undefined {
  if (password === '') return 'the password is empty';
  return preparePassword(password) === undefined ? 'the password has a control character, or nothing else' : undefined;
}

/** Says what is wrong with a verifier that was read from a file, or nothing. */
export function faultOfScramVerifier(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return 'is not an object';
  const { iterations, salt, storedKey, serverKey } = value as Record<string, unknown>;
  const isCount = Number.isInteger(iterations);
  if (!isCount || Number(iterations) < MIN_SCRAM_ITERATIONS || Number(iterations) > MAX_SCRAM_ITERATIONS) {
    return `has "iterations" that are not a number from ${MIN_SCRAM_ITERATIONS} to ${MAX_SCRAM_ITERATIONS}`;
  }
  for (const [name, text, bytes] of [
    ['salt', salt, SCRAM_SALT_BYTES],
    ['storedKey', storedKey, SCRAM_HASH_BYTES],
    ['serverKey', serverKey, SCRAM_HASH_BYTES],
  ] as const) {
    const decoded = typeof text === 'string' ? decodeBase64(text) : undefined;
    if (decoded?.length !== bytes) return `has a "${name}" that is not base64 of ${bytes} bytes`;
  }
  return undefined;
}
