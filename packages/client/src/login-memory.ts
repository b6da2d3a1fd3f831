import { pbkdf2 } from 'node:crypto';
import { promisify } from 'node:util';
import { preparePassword, SCRAM_HASH_BYTES } from '@sluice/wire';

const derive = promisify(pbkdf2);

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
  readonly #salted = new Map<string, Promise<Buffer>>();

  /** PBKDF2, in the thread pool: some 0.2 µs for each iteration, once for a salt. @param password one that can be prepared */
  saltedPassword(password: string, salt: Uint8Array, iterations: number): Promise<Buffer> {
    const key = `${iterations} ${Buffer.from(salt).toString('base64')}`;
    const known = this.#salted.get(key);
    if (known) return known;
    const made = derive(preparePassword(password) ?? '', salt, iterations, SCRAM_HASH_BYTES, 'sha256');
    made.catch(() => this.#salted.delete(key));
    this.#salted.set(key, made);
    const [oldest] = this.#salted.keys();
    if (this.#salted.size > MAX_SALTED) this.#salted.delete(oldest!);
    return made;
  }
}
