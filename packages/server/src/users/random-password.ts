import { randomInt } from 'node:crypto';

/** Characters that are not taken for one another, and are typed without shift. */
const ALPHABET = 'abcdefghjkmnpqrstuvwxyz23456789';
const LENGTH = 20;

/** A password of 20 characters, 99 bits. */
export function randomPassword(): string {
  return Array.from({ length: LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]!).join('');
}
