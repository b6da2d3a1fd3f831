import { createHash, randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';
import { inDerivationTurn } from './derivation-turns.js';

/**
 * What is kept of a password. It is made from the digest that peers send, because that is all they ever send; and a
 * digest is as good as the password to whoever reads it, so it is not kept itself.
 *
 * @see docs/protocol.md, section 4.2; D24
 */
export interface PasswordVerifier {
  readonly kdf: 'scrypt';
  /** Cost: a power of two. Memory of one run is `128 * n * r` bytes. */
  readonly n: number;
  readonly r: number;
  readonly p: number;
  /** Base64. */
  readonly salt: string;
  /** Base64 of 32 bytes. */
  readonly hash: string;
}

/** About 50 ms and 16 MiB for each run. */
export const SCRYPT_PARAMETERS = { n: 16_384, r: 8, p: 1 } as const;

const SALT_BYTES = 16;
const HASH_BYTES = 32;

/** The MD5 of a password in UTF-8, as 32 lower-case hexadecimal digits: what a peer sends in Login. */
export function digestOf(password: string): string {
  return createHash('md5').update(password, 'utf8').digest('hex');
}

/** `digest` as `digestOf` gives it. */
export async function createVerifier(digest: string): Promise<PasswordVerifier> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(digest, salt, SCRYPT_PARAMETERS);
  return { kdf: 'scrypt', ...SCRYPT_PARAMETERS, salt: salt.toString('base64'), hash: hash.toString('base64') };
}

/** A verifier that no digest fits, at the cost of one that some digest does. */
export function unfittingVerifier(like: Pick<PasswordVerifier, 'n' | 'r' | 'p'>): PasswordVerifier {
  return {
    kdf: 'scrypt',
    n: like.n,
    r: like.r,
    p: like.p,
    salt: randomBytes(SALT_BYTES).toString('base64'),
    hash: randomBytes(HASH_BYTES).toString('base64'),
  };
}

/** Whether `digest`, in lower case, is the one that the verifier was made from. Takes the same time for either answer. */
export async function verify(verifier: PasswordVerifier, digest: string): Promise<boolean> {
  const derived = await derive(digest, Buffer.from(verifier.salt, 'base64'), verifier);
  return timingSafeEqual(derived, Buffer.from(verifier.hash, 'base64'));
}

/**
 * Says what is wrong with a verifier that was read from a file, or nothing. The upper limits keep a file from asking
 * for more than 256 MiB or many seconds for one login.
 */
export function faultOfVerifier(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return 'is not an object';
  const { kdf, n, r, p, salt, hash } = value as Record<string, unknown>;
  if (kdf !== 'scrypt') return 'has a "kdf" that is not "scrypt"';
  if (!isIntegerWithin(n, 1024, 262_144) || !Number.isInteger(Math.log2(n))) {
    return 'has an "n" that is not a power of two from 1024 to 262144';
  }
  if (!isIntegerWithin(r, 1, 8)) return 'has an "r" outside 1 to 8';
  if (!isIntegerWithin(p, 1, 16)) return 'has a "p" outside 1 to 16';
  if (!isBase64(salt) || Buffer.byteLength(salt, 'base64') < SALT_BYTES) {
    return `has a "salt" that is not base64 of at least ${SALT_BYTES} bytes`;
  }
  if (!isBase64(hash) || Buffer.from(hash, 'base64').length !== HASH_BYTES) {
    return `has a "hash" that is not base64 of ${HASH_BYTES} bytes`;
  }
  return undefined;
}

function derive(digest: string, salt: Buffer, { n, r, p }: Pick<PasswordVerifier, 'n' | 'r' | 'p'>): Promise<Buffer> {
  return inDerivationTurn(() => runScrypt(digest, salt, { N: n, r, p, maxmem: 256 * n * r }));
}

function runScrypt(digest: string, salt: Buffer, options: ScryptOptions): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(digest, salt, HASH_BYTES, options, (error, key) => (error ? reject(error) : resolve(key)));
  });
}

function isIntegerWithin(value: unknown, least: number, most: number): value is number {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
}

function isBase64(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9+/]+={0,2}$/.test(value);
}
