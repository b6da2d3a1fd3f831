import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import {
  createVerifier,
  digestOf,
  type PasswordVerifier,
  SCRYPT_PARAMETERS,
  unfittingVerifier,
  verify,
} from './password-verifier.js';
import { randomPassword } from './random-password.js';
import { UserError } from './user-error.js';
import { faultOfName } from './user-name.js';
import { createUsersFile, readUsersFile } from './users-file.js';

/** What an operator gives on the command line for one user. */
export interface NameAndPassword {
  readonly name: string;
  readonly password: string;
}

interface User {
  readonly verifier: PasswordVerifier;
  /** Of the last digest that was right; `undefined` before the first login. */
  remembered: Buffer | undefined;
}

const ADMIN_NAME = 'admin';

/**
 * The users who may log in. Names are compared with case.
 *
 * @see docs/protocol.md, section 4.2; D24
 */
export class UserStore {
  readonly #users: ReadonlyMap<string, User>;
  /** Never leaves the process: what is remembered under it is worth nothing elsewhere. */
  readonly #rememberingKey = randomBytes(32);
  /** Stands in for users and logins that are not there, so that they are compared at the same cost. */
  readonly #nobody: User;

  private constructor(verifiers: ReadonlyMap<string, PasswordVerifier>) {
    this.#users = new Map(Array.from(verifiers, ([name, verifier]) => [name, { verifier, remembered: undefined }]));
    const [anyVerifier = SCRYPT_PARAMETERS] = verifiers.values();
    this.#nobody = { verifier: unfittingVerifier(anyVerifier), remembered: randomBytes(32) };
  }

  /** @throws {UserError} `ERR_USER_NAME` for a name that is not allowed, or is there twice */
  static async fromPairs(pairs: readonly NameAndPassword[]): Promise<UserStore> {
    const verifiers = new Map<string, PasswordVerifier>();
    for (const { name } of pairs) {
      const fault = faultOfName(name);
      if (fault) throw new UserError('ERR_USER_NAME', `user ${JSON.stringify(name)}: ${fault}`);
    }
    for (const { name, password } of pairs) {
      if (verifiers.has(name)) throw new UserError('ERR_USER_NAME', `user ${JSON.stringify(name)} is given twice`);
      verifiers.set(name, await createVerifier(digestOf(password)));
    }
    return new UserStore(verifiers);
  }

  /**
   * Reads a users file.
   *
   * @throws {UserError} `ERR_USERS_FILE_MISSING`; `ERR_USERS_FILE`, with the first thing that is wrong
   */
  static async load(file: string): Promise<UserStore> {
    const users = await readUsersFile(file);
    return new UserStore(new Map(users.map(({ name, verifier }) => [name, verifier])));
  }

  /**
   * Makes a users file with the user `admin` and a random password. The password is in the result and nowhere else: it
   * must be shown now or never.
   *
   * @throws {UserError} as `createUsersFile`
   */
  static async createWithAdmin(file: string): Promise<{ store: UserStore; password: string }> {
    const password = randomPassword();
    const verifier = await createVerifier(digestOf(password));
    await createUsersFile(file, [{ name: ADMIN_NAME, verifier }]);
    return { store: new UserStore(new Map([[ADMIN_NAME, verifier]])), password };
  }

  /**
   * Whether the user exists and the digest, in upper or lower case, is that of the password. A login that was right
   * before is answered at once; every wrong one costs a run of scrypt, also for a user who does not exist, so that the
   * time tells nothing about which names do. What is no digest at all is wrong at once, for all names alike.
   */
  async authenticate(name: string, digest: string): Promise<boolean> {
    if (!/^[0-9a-f]{32}$/i.test(digest)) return false;
    const rightDigest = digest.toLowerCase();
    const user = this.#users.get(name) ?? this.#nobody;
    const mac = createHmac('sha256', this.#rememberingKey).update(`${name}\0${rightDigest}`).digest();
    if (timingSafeEqual(mac, user.remembered ?? this.#nobody.remembered!)) return true;
    if (!(await verify(user.verifier, rightDigest)) || user === this.#nobody) return false;
    user.remembered = mac;
    return true;
  }
}

/**
 * Splits `NAME:PASSWORD` at the first colon, so that a password may have one.
 *
 * @throws {UserError} `ERR_USER_OPTION`; nothing of the text is in the message, as all of it may be the password
 */
export function parseUserOption(text: string): NameAndPassword {
  const colon = text.indexOf(':');
  if (colon === -1) throw new UserError('ERR_USER_OPTION', 'a user is given as NAME:PASSWORD, and there is no colon');
  const name = text.slice(0, colon);
  const password = text.slice(colon + 1);
  const fault = faultOfName(name);
  if (fault) throw new UserError('ERR_USER_OPTION', `a user is given as NAME:PASSWORD: ${fault}`);
  if (password === '')
    throw new UserError('ERR_USER_OPTION', 'a user is given as NAME:PASSWORD: the password is empty');
  return { name, password };
}
