import { createHmac, randomBytes } from 'node:crypto';
import { SCRAM_ITERATIONS, SCRAM_SALT_BYTES, type ScramVerifier, scramVerifierOf } from './scram-verifier.js';
import type { UserEntry } from './users-file.js';

export const DECOY_KEY_BYTES = 32;

/**
 * Verifiers for names that have none: the same for the same name as long as the key is, of the form of all others, and fitting no password. So
 * a salt does not tell whether there is a user.
 */
export class DecoyVerifiers {
  readonly #key: Buffer;
  /** Of the verifiers that are real, each number once. */
  readonly #iterations: readonly number[];

  constructor(key: Buffer, entries: readonly UserEntry[]) {
    this.#key = key;
    const found = new Set(entries.flatMap(({ scram }) => scram?.iterations ?? []));
    this.#iterations = found.size === 0 ? [SCRAM_ITERATIONS] : [...found].sort((a, b) => a - b);
  }

  of(name: string): ScramVerifier {
    const salt = this.#bytes('salt', name);
    const choice = salt.readUInt32BE(SCRAM_SALT_BYTES) % this.#iterations.length;
    const keys = [this.#bytes('stored key', name), this.#bytes('server key', name)] as const;
    return scramVerifierOf(this.#iterations[choice]!, salt.subarray(0, SCRAM_SALT_BYTES), ...keys);
  }

  #bytes(purpose: string, name: string): Buffer {
    return createHmac('sha256', this.#key).update(`${purpose}\0${name}`).digest();
  }
}

/**
 * The key for a file that has none, the same as long as its passwords are. It is made of their verifiers, which nobody can guess.
 */
export function derivedDecoyKey(entries: readonly UserEntry[]): Buffer {
  const secrets = entries.map(({ verifier, scram }) => verifier?.hash ?? scram?.storedKey);
  if (secrets.length === 0) return randomBytes(DECOY_KEY_BYTES);
  return createHmac('sha256', 'decoy key').update(secrets.join(' ')).digest();
}
