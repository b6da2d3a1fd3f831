import { bytesOf, Hmac, wordsOf } from './sha256.js';

/** So long the page may be held up at a time, in milliseconds, where the browser does not do it by itself. */
const TURN_MS = 8;
/** Iterations between two looks at the clock. */
const ITERATIONS_AT_ONCE = 500;

/**
 * PBKDF2 with HMAC-SHA-256: by the browser where it lets the page, and else here, at a tenth of the speed, in turns.
 *
 * @returns 32 bytes
 */
export async function pbkdf2(
  password: string,
  salt: Uint8Array<ArrayBuffer>,
  iterations: number,
  nextTurn: () => Promise<void>,
  subtle: SubtleCrypto | undefined = globalThis.crypto.subtle,
): Promise<Uint8Array> {
  const secret = new TextEncoder().encode(password);
  if (!subtle) return await derive(secret, salt, iterations, nextTurn);
  const key = await subtle.importKey('raw', secret, 'PBKDF2', false, ['deriveBits']);
  return new Uint8Array(await subtle.deriveBits({ name: 'PBKDF2', hash: 'SHA-256', salt, iterations }, key, 256));
}

async function derive(
  secret: Uint8Array,
  salt: Uint8Array,
  iterations: number,
  nextTurn: () => Promise<void>,
): Promise<Uint8Array> {
  const hmac = new Hmac(secret);
  const first = new Uint8Array(salt.length + 4);
  first.set(salt);
  first[salt.length + 3] = 1; // the number of the block
  const last = wordsOf(hmac.of(first));
  const sum = last.slice();
  let turnMs = performance.now();
  for (let i = 1; i < iterations; i++) {
    hmac.next(last);
    for (let word = 0; word < sum.length; word++) sum[word]! ^= last[word]!;
    if (i % ITERATIONS_AT_ONCE > 0 || performance.now() - turnMs < TURN_MS) continue;
    await nextTurn();
    turnMs = performance.now();
  }
  return bytesOf(sum);
}
