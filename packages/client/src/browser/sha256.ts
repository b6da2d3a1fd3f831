const BLOCK_BYTES = 64;
const HASH_WORDS = 8;

/** The first 64 primes; the constants of the algorithm come from their roots. FIPS 180-4, section 4.2.2. */
const primes = firstPrimes(64);
const ROUND_CONSTANTS = Int32Array.from(primes, (prime) => fraction(Math.cbrt(prime)));
const INITIAL_STATE = Int32Array.from(primes.slice(0, HASH_WORDS), (prime) => fraction(Math.sqrt(prime)));

/** Used within one call only. */
const schedule = new Int32Array(64);

/**
 * SHA-256 of bytes that are all there. Browsers have one of their own, but on pages only that came by TLS or from this machine, and it answers
 * later.
 */
export function sha256(data: Uint8Array): Uint8Array {
  return bytesOf(hashOn(INITIAL_STATE, data, 0));
}

/** HMAC with SHA-256 and one key, for as many messages as come. RFC 2104 */
export class Hmac {
  readonly #inner: Int32Array;
  readonly #outer: Int32Array;

  constructor(key: Uint8Array) {
    const block = new Uint8Array(BLOCK_BYTES);
    block.set(key.length > BLOCK_BYTES ? sha256(key) : key);
    this.#inner = keyed(block, 0x36);
    this.#outer = keyed(block, 0x5c);
  }

  of(message: Uint8Array): Uint8Array {
    const inner = bytesOf(hashOn(this.#inner, message, BLOCK_BYTES));
    return bytesOf(hashOn(this.#outer, inner, BLOCK_BYTES));
  }

  /** The HMAC of a hash, over and over. @param words a hash, overwritten by the next one */
  next(words: Int32Array): void {
    replaceByHash(this.#inner, words);
    replaceByHash(this.#outer, words);
  }
}

/** A hash as the words that it is made of. */
export function wordsOf(hash: Uint8Array): Int32Array {
  const view = new DataView(hash.buffer, hash.byteOffset, hash.byteLength);
  return Int32Array.from({ length: HASH_WORDS }, (_, i) => view.getInt32(i * 4));
}

/** The opposite of {@link wordsOf}. */
export function bytesOf(words: Int32Array): Uint8Array {
  const bytes = new Uint8Array(HASH_WORDS * 4);
  const view = new DataView(bytes.buffer);
  for (const [i, word] of words.entries()) view.setInt32(i * 4, word);
  return bytes;
}

function keyed(block: Uint8Array, pad: number): Int32Array {
  const state = INITIAL_STATE.slice();
  readBlock(
    block.map((byte) => byte ^ pad),
    0,
  );
  compress(state);
  return state;
}

/** @param before bytes that the state has taken already: whole blocks */
function hashOn(start: Int32Array, data: Uint8Array, before: number): Int32Array {
  const state = start.slice();
  const wholeBytes = data.length - (data.length % BLOCK_BYTES);
  for (let at = 0; at < wholeBytes; at += BLOCK_BYTES) {
    readBlock(data, at);
    compress(state);
  }
  const rest = data.length - wholeBytes;
  const tail = new Uint8Array(rest < BLOCK_BYTES - 8 ? BLOCK_BYTES : 2 * BLOCK_BYTES);
  tail.set(data.subarray(wholeBytes));
  tail[rest] = 0x80;
  new DataView(tail.buffer).setBigUint64(tail.length - 8, BigInt(before + data.length) * 8n);
  for (let at = 0; at < tail.length; at += BLOCK_BYTES) {
    readBlock(tail, at);
    compress(state);
  }
  return state;
}

/** A message of one hash, behind one block of the key. */
function replaceByHash(start: Int32Array, words: Int32Array): void {
  schedule.set(words);
  schedule[8] = 0x80000000 | 0;
  schedule.fill(0, 9, 15);
  schedule[15] = (BLOCK_BYTES + HASH_WORDS * 4) * 8;
  words.set(start);
  compress(words);
}

function readBlock(data: Uint8Array, at: number): void {
  for (let i = 0; i < 16; i++) {
    const from = at + i * 4;
    schedule[i] = (data[from]! << 24) | (data[from + 1]! << 16) | (data[from + 2]! << 8) | data[from + 3]!;
  }
}

/** Takes the block whose words are the first 16 of the schedule into the state. FIPS 180-4, section 6.2.2 */
function compress(state: Int32Array): void {
  const w = schedule;
  for (let i = 16; i < 64; i++) {
    const x = w[i - 15]!;
    const y = w[i - 2]!;
    const small0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const small1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    w[i] = (w[i - 16]! + small0 + w[i - 7]! + small1) | 0;
  }
  let a = state[0]!;
  let b = state[1]!;
  let c = state[2]!;
  let d = state[3]!;
  let e = state[4]!;
  let f = state[5]!;
  let g = state[6]!;
  let h = state[7]!;
  for (let i = 0; i < 64; i++) {
    const large1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const one = (h + large1 + ((e & f) ^ (~e & g)) + ROUND_CONSTANTS[i]! + w[i]!) | 0;
    const large0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const two = (large0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + one) | 0;
    d = c;
    c = b;
    b = a;
    a = (one + two) | 0;
  }
  state[0] = (state[0]! + a) | 0;
  state[1] = (state[1]! + b) | 0;
  state[2] = (state[2]! + c) | 0;
  state[3] = (state[3]! + d) | 0;
  state[4] = (state[4]! + e) | 0;
  state[5] = (state[5]! + f) | 0;
  state[6] = (state[6]! + g) | 0;
  state[7] = (state[7]! + h) | 0;
}

/** The first 32 bits behind the point. */
function fraction(root: number): number {
  return ((root - Math.floor(root)) * 2 ** 32) | 0;
}

function firstPrimes(count: number): number[] {
  const found: number[] = [];
  for (let n = 2; found.length < count; n++) if (found.every((prime) => n % prime !== 0)) found.push(n);
  return found;
}
