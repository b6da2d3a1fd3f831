import { encodeBase64, preparePassword } from '@sluice/wire';
import type { LoginCrypto } from './platform.js';

/** Salts whose passwords are kept. A server has one for each user; it has another when the password was set anew. */
const MAX_SALTED = 4;

/** What the logins of one client have learnt about its server: for the next connection. */
export class LoginMemory {
  /** Whether the server has once proven, by SCRAM, that it is the right one: then it must have SCRAM from then on. */
  hasProvenScram = false;
  /** The same with channel binding. */
  hasProvenBinding = false;
  /** Whether the server has said that it has no channel binding, which the client has. */
  lacksBinding = false;
  readonly #salted = new Map<string, Promise<Uint8Array>>();

  /** PBKDF2, once for a salt. @param password one that can be prepared */
  saltedPassword(crypto: LoginCrypto, password: string, salt: Uint8Array, iterations: number): Promise<Uint8Array> {
    const key = `${iterations} ${encodeBase64(salt)}`;
    const known = this.#salted.get(key);
    if (known) return known;
    const made = crypto.pbkdf2(preparePassword(password) ?? '', salt, iterations);
    made.catch(() => this.#salted.delete(key));
    this.#salted.set(key, made);
    const [oldest] = this.#salted.keys();
    if (this.#salted.size > MAX_SALTED) this.#salted.delete(oldest!);
    return made;
  }
}
