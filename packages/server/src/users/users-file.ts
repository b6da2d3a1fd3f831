import type { Stats } from 'node:fs';
import { type FileHandle, mkdir, open, readFile, readlink, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { decodeBase64, RequestError } from '@sluice/wire';
import { STATE_DIRECTORY } from '../storage/path-name.js';
import { type AccountSettings, faultOfSettings } from './account.js';
import { DECOY_KEY_BYTES, derivedDecoyKey } from './decoy-verifiers.js';
import { lineOfSyntaxError, linesOfElements } from './json-lines.js';
import { describeHolder, LockFile } from './lock-file.js';
import { createVerifier, digestOf, faultOfVerifier, type PasswordVerifier } from './password-verifier.js';
import { createScramVerifier, faultOfPassword, faultOfScramVerifier, type ScramVerifier } from './scram-verifier.js';
import { UserError } from './user-error.js';
import { faultOfName } from './user-name.js';

/** How long a change waits for another one to end. */
const LOCK_WAIT_MS = 5000;

/** A user as the file has it. */
export interface UserEntry extends Partial<AccountSettings>, PasswordVerifiers {
  readonly name: string;
}

/** What is kept of a password: one of the two, or both. */
export interface PasswordVerifiers {
  /** For logins by digest. */
  readonly verifier?: PasswordVerifier;
  /** For logins by SCRAM. */
  readonly scram?: ScramVerifier;
}

/** A change of what a user may do; `null` takes a setting back. */
export type SettingsChange = { readonly [Name in keyof AccountSettings]?: AccountSettings[Name] | null };

/** What else the file has, there or in an entry, is kept as it is. */
interface Content {
  readonly users: readonly UserEntry[];
  /** Base64 of 32 bytes: what decoy verifiers are made with. Files that have not been changed for long have none. */
  readonly decoyKey?: string;
}

/** What a server needs of the file. */
export interface UsersFileContent {
  readonly users: readonly UserEntry[];
  /** @see {@link DecoyVerifiers} */
  readonly decoyKey: Buffer;
}

export interface ChangeUsersOptions {
  /** Ends the wait for another change; one that has begun is completed. */
  readonly signal?: AbortSignal;
  /** @default 5000 */
  readonly lockWaitMs?: number;
}

/** How a password is kept. */
export interface NewPasswordOptions extends ChangeUsersOptions {
  /** Whether the user can also log in by digest, as old clients do. @default true */
  readonly digest?: boolean;
}

/** The file that a server without other users makes and reads. No client can reach it. */
export function ownUsersFile(root: string): string {
  return join(root, STATE_DIRECTORY, 'users.json');
}

/**
 * The users of a file, in its order.
 *
 * @throws {UserError} `ERR_USERS_FILE_MISSING`; `ERR_USERS_FILE`, with the first thing that is wrong
 */
export async function readUsersFile(file: string): Promise<readonly UserEntry[]> {
  return (await readUsersFileContent(file)).users;
}

/** The same with what else the server needs. @throws {UserError} as `readUsersFile` */
export async function readUsersFileContent(file: string): Promise<UsersFileContent> {
  const text = await readText(file, file);
  if (text === undefined) throw missingFile(file);
  const content = parse(file, text);
  return { users: content.users, decoyKey: decoyKeyOf(content) };
}

/**
 * Makes a file that is not there yet. Missing directories are made, for the owner alone; the file is there as a whole,
 * durable, with mode 0600, or not at all.
 *
 * @throws {UserError} `ERR_USERS_FILE` if the file exists or cannot be written; `ERR_USERS_FILE_LOCKED`
 */
export async function createUsersFile(file: string, users: readonly UserEntry[]): Promise<UsersFileContent> {
  const content = await change(file, { mayCreate: true }, (text) => {
    if (text !== undefined) throw new UserError('ERR_USERS_FILE', `users file ${file}: exists already`);
    return { users };
  });
  return { users, decoyKey: decoyKeyOf(content) };
}

/**
 * Adds a user; makes the file, as `createUsersFile` does, if it is not there.
 *
 * @throws {UserError} `ERR_USER_NAME` and `ERR_USER_PASSWORD` for what no user can have; `ERR_USER_EXISTS`;
 * `ERR_USERS_FILE`; `ERR_USERS_FILE_LOCKED`
 */
export async function addUser(
  file: string,
  name: string,
  password: string,
  { settings = {}, digest, ...options }: NewPasswordOptions & { readonly settings?: Partial<AccountSettings> } = {},
): Promise<void> {
  const fault = faultOfName(name) ?? faultOfSettings(settings);
  if (fault) throw new UserError('ERR_USER_NAME', `user ${JSON.stringify(name)}: ${fault}`);
  // before the lock: it takes longer than all the rest
  const verifiers = await verifiersOf(name, password, digest);
  await change(file, { ...options, mayCreate: true }, (text) => {
    const content = text === undefined ? { users: [] } : parse(file, text);
    if (content.users.some((user) => user.name === name)) {
      throw new UserError('ERR_USER_EXISTS', `user ${JSON.stringify(name)} exists already`);
    }
    return { ...content, users: [...content.users, { name, ...verifiers, ...settings }] };
  });
}

/** @throws {UserError} as `addUser`, but `ERR_USERS_FILE_MISSING` and `ERR_USER_MISSING` */
export async function changePassword(
  file: string,
  name: string,
  password: string,
  { digest, ...options }: NewPasswordOptions = {},
): Promise<void> {
  const verifiers = await verifiersOf(name, password, digest);
  await change(file, options, (text) => {
    const content = parseWithUser(file, text, name);
    return {
      ...content,
      users: content.users.map((user) => (user.name === name ? withPassword(user, verifiers) : user)),
    };
  });
}

/**
 * Changes what a user may do.
 *
 * @throws {UserError} `ERR_USER_SETTING` for a value that cannot be; else as `changePassword`
 */
export async function changeSettings(
  file: string,
  name: string,
  settings: SettingsChange,
  options: ChangeUsersOptions = {},
): Promise<void> {
  const given = Object.entries(settings).filter(([, value]) => value !== null);
  const fault = faultOfSettings(Object.fromEntries(given));
  if (fault) throw new UserError('ERR_USER_SETTING', `user ${JSON.stringify(name)}: ${fault}`);
  await change(file, options, (text) => {
    const content = parseWithUser(file, text, name);
    return {
      ...content,
      users: content.users.map((user) => (user.name === name ? withSettings(user, settings) : user)),
    };
  });
}

/**
 * The last one may be removed, too; then nobody can log in.
 *
 * @returns how many are left
 * @throws {UserError} `ERR_USERS_FILE_MISSING`, `ERR_USER_MISSING`; `ERR_USERS_FILE` and `ERR_USERS_FILE_LOCKED`
 */
export async function removeUser(file: string, name: string, options: ChangeUsersOptions = {}): Promise<number> {
  const { users } = await change(file, options, (text) => {
    const content = parseWithUser(file, text, name);
    return { ...content, users: content.users.filter((user) => user.name !== name) };
  });
  return users.length;
}

/**
 * Changes all users of a file that is there, in one step.
 *
 * @param make what it throws leaves the file as it is
 * @throws {UserError} `ERR_USERS_FILE_MISSING`, `ERR_USERS_FILE`, `ERR_USERS_FILE_LOCKED`; and what `make` throws
 */
export async function changeUsers(
  file: string,
  make: (users: readonly UserEntry[]) => readonly UserEntry[],
  options: ChangeUsersOptions = {},
): Promise<void> {
  await change(file, options, (text) => {
    if (text === undefined) throw missingFile(file);
    const content = parse(file, text);
    return { ...content, users: make(content.users) };
  });
}

/**
 * What is kept of a new password.
 *
 * @param digest whether the user can also log in by digest. @default true
 * @throws {UserError} `ERR_USER_PASSWORD`
 */
export async function verifiersOf(name: string, password: string, digest = true): Promise<PasswordVerifiers> {
  const fault = faultOfPassword(password);
  if (fault) throw new UserError('ERR_USER_PASSWORD', `user ${JSON.stringify(name)}: ${fault}`);
  const [scram, verifier] = await Promise.all([
    createScramVerifier(password),
    digest ? createVerifier(digestOf(password)) : undefined,
  ]);
  return verifier ? { verifier, scram } : { scram };
}

/** A user with other settings. What the entry has beside them stays. */
export function withSettings(user: UserEntry, settings: SettingsChange): UserEntry {
  const kept = Object.entries({ ...user, ...settings }).filter(([, value]) => value !== null);
  return Object.fromEntries(kept) as unknown as UserEntry;
}

/** A user with another password, and nothing of the old one. */
export function withPassword(user: UserEntry, verifiers: PasswordVerifiers): UserEntry {
  const { verifier: _digest, scram: _scram, name, ...others } = user;
  return { name, ...verifiers, ...others };
}

/** By which methods a user can log in. */
export function loginsOf({ scram, verifier }: UserEntry): string[] {
  return [...(scram ? ['scram'] : []), ...(verifier ? ['digest'] : [])];
}

function decoyKeyOf({ users, decoyKey }: Content): Buffer {
  return decoyKey === undefined ? derivedDecoyKey(users) : Buffer.from(decoyKey, 'base64');
}

function parseWithUser(file: string, text: string | undefined, name: string): Content {
  if (text === undefined) throw missingFile(file);
  const content = parse(file, text);
  if (content.users.some((user) => user.name === name)) return content;
  throw new UserError('ERR_USER_MISSING', `there is no user ${JSON.stringify(name)}`);
}

/** Reads, changes and replaces the file, while nobody else does. Readers see the old file or the new one. */
async function change(
  file: string,
  { signal, lockWaitMs = LOCK_WAIT_MS, mayCreate = false }: ChangeUsersOptions & { readonly mayCreate?: boolean },
  make: (text: string | undefined) => Content,
): Promise<Content> {
  try {
    const target = await locate(file, mayCreate);
    const lockPath = `${target}.lock`;
    await using lock = await LockFile.acquire(lockPath, { waitMs: lockWaitMs, signal });
    if (!lock) {
      const advice = `try again; if that process is gone, remove ${lockPath}`;
      const message = `users file ${file}: ${await describeHolder(lockPath)} is changing it: ${advice}`;
      throw new UserError('ERR_USERS_FILE_LOCKED', message);
    }
    const old = await readText(file, target);
    const made = make(old);
    // What it was before, where the file had none: the decoys stay as they are.
    const decoyKey =
      made.decoyKey ?? decoyKeyOf(old === undefined ? { users: [] } : parse(file, old)).toString('base64');
    const content = { ...made, decoyKey };
    await replace(file, target, `${JSON.stringify(content, undefined, 2)}\n`);
    return content;
  } catch (error) {
    if (error instanceof UserError || error instanceof RequestError || (signal?.aborted && error === signal.reason))
      throw error;
    const { code } = error as NodeJS.ErrnoException;
    const reason = code === undefined ? '' : ` (${code})`;
    throw new UserError('ERR_USERS_FILE', `users file ${file}: cannot be written${reason}`, { cause: error });
  }
}

/** The file itself, where `file` is a link to it: the link stays, and all names of the file have the same lock. */
async function locate(file: string, mayCreate: boolean): Promise<string> {
  try {
    return await realpath(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  if (await isLink(file)) {
    throw new UserError('ERR_USERS_FILE', `users file ${file}: is a link to a file that is not there`);
  }
  if (!mayCreate) throw missingFile(file);
  const made = await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  if (made !== undefined) {
    for (let path = resolve(dirname(file)); path.length >= resolve(made).length; path = dirname(path)) {
      await syncDirectory(dirname(path));
    }
  }
  return join(await realpath(dirname(file)), basename(file));
}

async function isLink(path: string): Promise<boolean> {
  return await readlink(path).then(
    () => true,
    () => false,
  );
}

/** @param target where the file is @returns `undefined` if it is not there @throws {UserError} `ERR_USERS_FILE` */
async function readText(file: string, target: string): Promise<string | undefined> {
  try {
    return await readFile(target, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new UserError('ERR_USERS_FILE', `users file ${file}: cannot be read`, { cause: error });
  }
}

/** To be called by the holder of the lock alone. */
async function replace(file: string, target: string, text: string): Promise<void> {
  const old = await stat(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  const temporary = `${target}.tmp`;
  // of somebody who died with the lock
  await rm(temporary, { force: true });
  try {
    await using handle = await open(temporary, 'wx', 0o600);
    await handle.writeFile(text);
    if (old) await takeOver(file, handle, old);
    await handle.sync();
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncDirectory(dirname(target));
}

/** Who could read the old file can read the new one: often root changes it, and the server has a user of its own. */
async function takeOver(file: string, handle: FileHandle, old: Stats): Promise<void> {
  const own = await handle.stat();
  if (own.uid !== old.uid || own.gid !== old.gid) {
    await handle.chown(old.uid, old.gid).catch((cause: unknown) => {
      const message = `users file ${file}: its owner and group cannot be kept: change it as that user, or as root`;
      throw new UserError('ERR_USERS_FILE', message, { cause });
    });
  }
  await handle.chmod(old.mode & 0o777);
}

async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, 'r');
  await directory.sync();
}

function missingFile(file: string): UserError {
  return new UserError('ERR_USERS_FILE_MISSING', `users file ${file}: not found`);
}

function parse(file: string, text: string): Content {
  const fail = (fault: string, line?: number, cause?: unknown): never => {
    const place = line === undefined ? file : `${file}:${line}`;
    throw new UserError('ERR_USERS_FILE', `users file ${place}: ${fault}`, cause === undefined ? {} : { cause });
  };
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    return fail('is not JSON', lineOfSyntaxError(text), error);
  }
  const users = isObject(content) ? content['users'] : undefined;
  if (!Array.isArray(users)) return fail('has no list "users"');
  const decoyKey = isObject(content) ? content['decoyKey'] : undefined;
  if (decoyKey !== undefined && !(typeof decoyKey === 'string' && decodeBase64(decoyKey)?.length === DECOY_KEY_BYTES))
    return fail(`has a "decoyKey" that is not base64 of ${DECOY_KEY_BYTES} bytes`);
  const names = new Set<string>();
  const lines = linesOfElements(text, 'users');
  for (const [index, user] of users.entries()) {
    const at = `users[${index}]`;
    const failHere = (fault: string): never => fail(fault, lines[index]);
    if (!isObject(user)) return failHere(`${at} is not an object`);
    const { name, verifier, scram } = user;
    if (typeof name !== 'string') return failHere(`${at} has no "name"`);
    const nameFault = faultOfName(name);
    if (nameFault) return failHere(`${at}: ${nameFault}`);
    if (names.has(name)) return failHere(`${at}: the name ${JSON.stringify(name)} is there twice`);
    if (verifier === undefined && scram === undefined) return failHere(`${at} has neither "verifier" nor "scram"`);
    const verifierFault = verifier === undefined ? undefined : faultOfVerifier(verifier);
    if (verifierFault) return failHere(`${at}: "verifier" ${verifierFault}`);
    const scramFault = scram === undefined ? undefined : faultOfScramVerifier(scram);
    if (scramFault) return failHere(`${at}: "scram" ${scramFault}`);
    const settingsFault = faultOfSettings(user);
    if (settingsFault) return failHere(`${at}: ${settingsFault}`);
    names.add(name);
  }
  return content as Content;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
