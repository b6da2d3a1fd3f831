import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { stat } from 'node:fs/promises';
import type { Role } from '../principal.js';
import { parseDirectoryName } from '../storage/path-name.js';
import { type AccountObstacle, type AccountSettings, obstacleOf } from './account.js';
import { DECOY_KEY_BYTES, DecoyVerifiers } from './decoy-verifiers.js';
import { digestOf, type PasswordVerifier, SCRYPT_PARAMETERS, unfittingVerifier, verify } from './password-verifier.js';
import { randomPassword } from './random-password.js';
import { faultOfPassword, fitsScramVerifier, type ScramVerifier } from './scram-verifier.js';
import { UserError } from './user-error.js';
import { faultOfName } from './user-name.js';
import {
  createUsersFile,
  readUsersFileContent,
  type UserEntry,
  type UsersFileContent,
  verifiersOf,
} from './users-file.js';

/** What an operator gives on the command line for one user. */
export interface NameAndPassword {
  readonly name: string;
  readonly password: string;
}

/** A user, as long as the server runs: what a reload changes shows here. */
export interface Account {
  readonly name: string;
  readonly role: Role;
  /** The components of the user's root, below the server's. */
  readonly root: readonly string[];
  /** In bytes; `undefined` for no limit. */
  readonly quotaBytes: number | undefined;
}

/**
 * Why an attempt to log in came to nothing. `no-digest` and `no-scram`: there is a user of that name, but nothing is kept to check this way of
 * logging in. Only the log may tell any from the others.
 */
export type LoginFailure = 'wrong' | 'no-digest' | 'no-scram' | AccountObstacle;

/** What became of an attempt to log in. */
export type LoginOutcome = Account | LoginFailure;

class User implements Account {
  /** Of the last digest that was right; `undefined` before the first login. */
  remembered: Buffer | undefined;
  #entry: UserEntry;
  #root: readonly string[] = [];
  #stamp: string | undefined;

  constructor(entry: UserEntry) {
    this.#entry = entry;
    this.update(entry);
  }

  get name(): string {
    return this.#entry.name;
  }
  get role(): Role {
    return this.#entry.role ?? 'user';
  }
  get root(): readonly string[] {
    return this.#root;
  }
  get quotaBytes(): number | undefined {
    return this.#entry.quota;
  }
  get entry(): UserEntry {
    return this.#entry;
  }

  /** Of all that a login is granted for. */
  get stamp(): string {
    this.#stamp ??= createHash('sha256').update(JSON.stringify(this.#entry)).digest('base64');
    return this.#stamp;
  }

  update(entry: UserEntry): void {
    this.#stamp = undefined;
    if (entry.verifier?.hash !== this.#entry.verifier?.hash) this.remembered = undefined;
    this.#entry = entry;
    this.#root = parseDirectoryName(entry.root ?? '');
  }

  obstacle(now: Date): AccountObstacle | undefined {
    const { role, entry } = this;
    return obstacleOf({ ...entry, role } satisfies AccountSettings, now);
  }
}

const ADMIN_NAME = 'admin';

/**
 * The users who may log in. Names are compared with case.
 *
 * @see docs/protocol.md, section 4.2; D24
 */
export class UserStore {
  /** Where the users come from; `undefined` if from the command line. */
  readonly file: string | undefined;
  #content: UsersFileContent | undefined;
  #users: ReadonlyMap<string, User>;
  /** Never leaves the process: what is remembered under it is worth nothing elsewhere. */
  readonly #rememberingKey = randomBytes(32);
  /** Stands in for users and logins that are not there, so that they are compared at the same cost. */
  #nobody: Nobody;
  #decoys: DecoyVerifiers;
  /** What the file looked like when it was read last. */
  #stamp: string | undefined;

  private constructor({ users, decoyKey }: UsersFileContent, file: string | undefined, stamp: string | undefined) {
    this.file = file;
    this.#stamp = stamp;
    this.#users = new Map(users.map((entry) => [entry.name, new User(entry)]));
    this.#nobody = nobodyBeside(users);
    this.#decoys = new DecoyVerifiers(decoyKey, users);
  }

  /**
   * Users with the role `admin`, whose root is the server's. What SCRAM tells of them, and of names that are no user's, is new with each call.
   *
   * @throws {UserError} `ERR_USER_NAME` for a name that is not allowed, or is there twice; `ERR_USER_PASSWORD`
   */
  static async fromPairs(pairs: readonly NameAndPassword[]): Promise<UserStore> {
    const entries = new Map<string, UserEntry>();
    for (const { name } of pairs) {
      const fault = faultOfName(name);
      if (fault) throw new UserError('ERR_USER_NAME', `user ${JSON.stringify(name)}: ${fault}`);
    }
    for (const { name, password } of pairs) {
      if (entries.has(name)) throw new UserError('ERR_USER_NAME', `user ${JSON.stringify(name)} is given twice`);
      entries.set(name, { name, ...(await verifiersOf(name, password)), role: 'admin' });
    }
    return UserStore.fromContent({ users: [...entries.values()], decoyKey: randomBytes(DECOY_KEY_BYTES) });
  }

  /** Users that another process has made; all processes of a server must know the same. */
  static fromContent(content: UsersFileContent): UserStore {
    const store = new UserStore(content, undefined, undefined);
    store.#content = content;
    return store;
  }

  /** For `fromContent` in another process; `undefined` where the users come from a file. */
  get content(): UsersFileContent | undefined {
    return this.#content;
  }

  /**
   * Reads a users file.
   *
   * @throws {UserError} `ERR_USERS_FILE_MISSING`; `ERR_USERS_FILE`, with the first thing that is wrong, and its line
   */
  static async load(file: string): Promise<UserStore> {
    const stamp = await stampOf(file);
    return new UserStore(await readUsersFileContent(file), file, stamp);
  }

  /**
   * Makes a users file with the user `admin`, of that role, and a random password. The password is in the result and nowhere else: it
   * must be shown now or never.
   *
   * @throws {UserError} as `createUsersFile`
   */
  static async createWithAdmin(file: string): Promise<{ store: UserStore; password: string }> {
    const password = randomPassword();
    const entry: UserEntry = { name: ADMIN_NAME, ...(await verifiersOf(ADMIN_NAME, password)), role: 'admin' };
    const content = await createUsersFile(file, [entry]);
    return { store: new UserStore(content, file, await stampOf(file)), password };
  }

  /** Whether the file is another one than was read last, or has been written to. */
  async hasChanged(): Promise<boolean> {
    return this.file !== undefined && (await stampOf(this.file)) !== this.#stamp;
  }

  /**
   * Reads the file anew. Accounts that are known change; if the file is bad, nothing does.
   *
   * @returns the names of users whose sessions must end: they are gone, may not log in any more, or have another password or root
   * @throws {UserError} as `load`
   */
  async reload(): Promise<readonly string[]> {
    if (this.file === undefined) return [];
    const stamp = await stampOf(this.file);
    // Also of a bad file: it is not read again until it has changed again.
    this.#stamp = stamp;
    const { users: entries, decoyKey } = await readUsersFileContent(this.file);
    const now = new Date();
    const ended: string[] = [];
    const users = new Map<string, User>();
    for (const entry of entries) {
      const known = this.#users.get(entry.name);
      if (known) {
        const hadOther = hasOtherPassword(known.entry, entry) || known.entry.root !== entry.root;
        known.update(entry);
        if (hadOther || known.obstacle(now)) ended.push(entry.name);
      }
      users.set(entry.name, known ?? new User(entry));
    }
    for (const name of this.#users.keys()) if (!users.has(name)) ended.push(name);
    this.#users = users;
    this.#nobody = nobodyBeside(entries);
    this.#decoys = new DecoyVerifiers(decoyKey, entries);
    return ended;
  }

  /** Whether there is such a user who may log in now. */
  isActive(name: string): boolean {
    const user = this.#users.get(name);
    return user !== undefined && user.obstacle(new Date()) === undefined;
  }

  /**
   * Whether the user exists and the digest, in upper or lower case, is that of the password. A login that was right
   * before is answered at once; every wrong one costs a run of scrypt, also for a user who does not exist, so that the
   * time tells nothing about which names do. What is no digest at all is wrong at once, for all names alike.
   */
  async authenticate(name: string, digest: string): Promise<LoginOutcome> {
    if (!/^[0-9a-f]{32}$/i.test(digest)) return 'wrong';
    const rightDigest = digest.toLowerCase();
    const user = this.#users.get(name);
    const mac = createHmac('sha256', this.#rememberingKey).update(`${name}\0${rightDigest}`).digest();
    if (!timingSafeEqual(mac, user?.remembered ?? this.#nobody.remembered)) {
      const verifier = user?.entry.verifier ?? this.#nobody.verifier;
      const isRight = await verify(verifier, rightDigest);
      if (user && !user.entry.verifier) return 'no-digest';
      // another one, or another password, meanwhile
      if (!isRight || this.#users.get(name) !== user || user?.entry.verifier?.hash !== verifier.hash) return 'wrong';
      user.remembered = mac;
    }
    return user ? (user.obstacle(new Date()) ?? user) : 'wrong';
  }

  /**
   * Whether the user exists and the password is right. Every answer costs what it takes to check the dearest kind of user there is, so that the
   * time tells nothing about names.
   */
  async authenticateByPassword(name: string, password: string): Promise<LoginOutcome> {
    const verifier = this.scramVerifierOf(name);
    const isProven = await fitsScramVerifier(verifier, password);
    const outcome = this.admit(name, verifier, isProven);
    if (typeof outcome === 'object' || !this.#hasDigestOnly) return outcome;
    const digestOutcome = await this.authenticate(name, digestOf(password));
    return outcome === 'no-scram' ? digestOutcome : outcome;
  }

  /** A user who may log in now, by name alone: for who has shown before who it is. */
  accountOf(name: string): Account | undefined {
    const user = this.#users.get(name);
    return user && user.obstacle(new Date()) === undefined ? user : undefined;
  }

  /** Changes with the password, the role, the root and everything else that a login was granted for; `undefined` for who may not log in. */
  stampOf(name: string): string | undefined {
    const user = this.#users.get(name);
    return user && user.obstacle(new Date()) === undefined ? user.stamp : undefined;
  }

  get #hasDigestOnly(): boolean {
    for (const { entry } of this.#users.values()) if (!entry.scram) return true;
    return false;
  }

  /** What SCRAM tells of a user: also of one who does not exist, or has no such verifier, and then always the same. */
  scramVerifierOf(name: string): ScramVerifier {
    const decoy = this.#decoys.of(name); // made in all cases: it takes as long for everybody
    return this.#users.get(name)?.entry.scram ?? decoy;
  }

  /** @param verifier by which the login was, or was not, proven to be right */
  admit(name: string, verifier: ScramVerifier, isProven: boolean): LoginOutcome {
    const user = this.#users.get(name);
    if (user && !user.entry.scram) return 'no-scram';
    if (!isProven || user?.entry.scram?.storedKey !== verifier.storedKey) return 'wrong';
    return user.obstacle(new Date()) ?? user;
  }
}

/** What logins by digest are compared with that have nobody to be compared with. */
interface Nobody {
  readonly verifier: PasswordVerifier;
  readonly remembered: Buffer;
}

function nobodyBeside(entries: readonly UserEntry[]): Nobody {
  const like = entries.find(({ verifier }) => verifier !== undefined)?.verifier ?? SCRYPT_PARAMETERS;
  return { verifier: unfittingVerifier(like), remembered: randomBytes(32) };
}

/** A verifier more or less beside one that has stayed is the same password; with a new one, all of them are new. */
function hasOtherPassword(old: UserEntry, entry: UserEntry): boolean {
  const pairs = [
    [old.verifier?.hash, entry.verifier?.hash],
    [old.scram?.storedKey, entry.scram?.storedKey],
  ];
  const common = pairs.filter(([before, after]) => before !== undefined && after !== undefined);
  return common.length === 0 || common.some(([before, after]) => before !== after);
}

async function stampOf(file: string): Promise<string | undefined> {
  const stats = await stat(file, { bigint: true }).catch(() => undefined);
  return stats && `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`;
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
  const passwordFault = faultOfPassword(password);
  if (passwordFault) throw new UserError('ERR_USER_OPTION', `a user is given as NAME:PASSWORD: ${passwordFault}`);
  return { name, password };
}
