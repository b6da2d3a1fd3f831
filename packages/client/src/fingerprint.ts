/** @returns in small letters without colons; `undefined` if it is no SHA-256 fingerprint */
export function plainFingerprint(text: string): string | undefined {
  const plain = text.replaceAll(':', '').toLowerCase();
  return /^[\da-f]{64}$/.test(plain) ? plain : undefined;
}
