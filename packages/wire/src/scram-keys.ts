import { encodeUtf8 } from './utf8.js';

/** SHA-256, as the platform has it. */
export interface ScramHash {
  hash(data: Uint8Array): Uint8Array;
  hmac(key: Uint8Array, data: Uint8Array): Uint8Array;
}

/** What a server keeps of a password: enough to check who knows it, and to prove itself; not enough to log in. */
export interface ScramKeys {
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
}

const CLIENT_KEY = encodeUtf8('Client Key');
const SERVER_KEY = encodeUtf8('Server Key');

/** @param saltedPassword PBKDF2 of the prepared password with HMAC-SHA-256. RFC 5802, section 3 */
export function scramKeysOf(hash: ScramHash, saltedPassword: Uint8Array): ScramKeys {
  return {
    storedKey: hash.hash(hash.hmac(saltedPassword, CLIENT_KEY)),
    serverKey: hash.hmac(saltedPassword, SERVER_KEY),
  };
}

/** The client's proof that it knows the password. */
export function scramProof(hash: ScramHash, saltedPassword: Uint8Array, authMessage: string): Uint8Array {
  const clientKey = hash.hmac(saltedPassword, CLIENT_KEY);
  return xor(clientKey, hash.hmac(hash.hash(clientKey), encodeUtf8(authMessage)));
}

/** The stored key of whoever made the proof, if it was made for this one: to be compared with it in constant time. */
export function scramProvenKey(
  hash: ScramHash,
  storedKey: Uint8Array,
  authMessage: string,
  proof: Uint8Array,
): Uint8Array {
  return hash.hash(xor(proof, hash.hmac(storedKey, encodeUtf8(authMessage))));
}

/** The server's proof that it knows the user's keys. */
export function scramSignature(hash: ScramHash, serverKey: Uint8Array, authMessage: string): Uint8Array {
  return hash.hmac(serverKey, encodeUtf8(authMessage));
}

function xor(one: Uint8Array, other: Uint8Array): Uint8Array {
  return one.map((byte, i) => byte ^ other[i]!);
}
