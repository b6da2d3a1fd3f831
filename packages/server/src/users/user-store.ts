import { createHmac, randomBytes, randomInt, timingSafeEqual } from 'node:crypto';
import { lstat, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import {
  createVerifier,
  digestOf,
  faultOfVerifier,
  type PasswordVerifier,
  SCRYPT_PARAMETERS,
  unfittingVerifier,
  verify,
} from './password-verifier.js';
import { UserError } from './user-error.js';

/** Longest user name, in characters. */
export const MAX_USER_NAME_LENGTH = 64;

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

/** Characters that are not taken for one another, and are typed without shift. */
const PASSWORD_ALPHABET = 'abcdefghjkmnpqrstuvwxyz23456789';
const PASSWORD_LENGTH = 20;
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
    let text: string;
    try {
      text = await readFile(file, 'utf8');
    } catch (error) {
      const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
      const code = isMissing ? 'ERR_USERS_FILE_MISSING' : 'ERR_USERS_FILE';
      throw new UserError(code, `users file ${file}: ${isMissing ? 'not found' : 'cannot be read'}`, { cause: error });
    }
    return new UserStore(parseUsersFile(file, text));
  }

  /**
   * Makes a users file with the user `admin` and a random password. The password is in the result and nowhere else: it
   * must be shown now or never. Missing directories are made, for the owner alone; the file is there as a whole, durable,
   * with mode 0600, or not at all.
   *
   * @throws {UserError} `ERR_USERS_FILE` if the file exists or cannot be written
   */
  static async createWithAdmin(file: string): Promise<{ store: UserStore; password: string }> {
    const password = Array.from({ length: PASSWORD_LENGTH }, randomCharacter).join('');
    const verifier = await createVerifier(digestOf(password));
    const content = { users: [{ name: ADMIN_NAME, verifier }] };
    try {
      await mkdir(dirname(file), { recursive: true, mode: 0o700 });
      await writeNewFile(file, `${JSON.stringify(content, undefined, 2)}\n`);
    } catch (error) {
      if (error instanceof UserError) throw error;
      throw new UserError('ERR_USERS_FILE', `users file ${file}: cannot be written`, { cause: error });
    }
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

function faultOfName(name: string): string | undefined {
  if (name === '') return 'the name is empty';
  if (Array.from(name).length > MAX_USER_NAME_LENGTH) return `the name is above ${MAX_USER_NAME_LENGTH} characters`;
  if (/[\p{Cc}\p{Surrogate}]/u.test(name)) return 'the name has a control character';
  return undefined;
}

function parseUsersFile(file: string, text: string): Map<string, PasswordVerifier> {
  const fail = (fault: string, cause?: unknown): never => {
    throw new UserError('ERR_USERS_FILE', `users file ${file}: ${fault}`, cause === undefined ? {} : { cause });
  };
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    return fail('is not JSON', error);
  }
  const users = isObject(content) ? (content as { users?: unknown }).users : undefined;
  if (!Array.isArray(users)) return fail('has no list "users"');
  const verifiers = new Map<string, PasswordVerifier>();
  for (const [index, user] of users.entries()) {
    const at = `users[${index}]`;
    if (!isObject(user)) return fail(`${at} is not an object`);
    const { name, verifier } = user;
    if (typeof name !== 'string') return fail(`${at} has no "name"`);
    const nameFault = faultOfName(name);
    if (nameFault) return fail(`${at}: ${nameFault}`);
    if (verifiers.has(name)) return fail(`${at}: the name ${JSON.stringify(name)} is there twice`);
    const verifierFault = faultOfVerifier(verifier);
    if (verifierFault) return fail(`${at}: "verifier" ${verifierFault}`);
    verifiers.set(name, verifier as PasswordVerifier);
  }
  return verifiers;
}

async function writeNewFile(file: string, text: string): Promise<void> {
  if (await exists(file)) throw new UserError('ERR_USERS_FILE', `users file ${file}: exists already`);
  const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await using handle = await open(temporary, 'wx', 0o600);
    await handle.writeFile(text);
    await handle.sync();
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await using directory = await open(dirname(file), 'r');
  await directory.sync();
}

async function exists(file: string): Promise<boolean> {
  try {
    await lstat(file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

function randomCharacter(): string {
  return PASSWORD_ALPHABET[randomInt(PASSWORD_ALPHABET.length)]!;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
