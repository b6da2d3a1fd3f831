import { encodeBase64 } from '@sluice/wire';

/** Random bytes that nobody can guess, as hexadecimal digits: two for each byte. */
export function randomHex(bytes: number): string {
  let text = '';
  for (const byte of randomBytes(bytes)) text += byte.toString(16).padStart(2, '0');
  return text;
}

/** The same in base64. */
export function randomBase64(bytes: number): string {
  return encodeBase64(randomBytes(bytes));
}

/** Random bytes that nobody can guess. */
export function randomBytes(count: number): Uint8Array {
  // Not `randomUUID`: in a browser only pages that came by TLS have it.
  return globalThis.crypto.getRandomValues(new Uint8Array(count));
}
