import { decodeBase64, encodeBase64 } from './base64.js';
import { type CommandText, type Field, requestText, responseText } from './command-text.js';
import { decodeJsonData } from './control-messages.js';
import { ProtocolError, RequestError } from './errors.js';
import { optionalChoice, optionalInteger, requiredInteger, requiredKey } from './keys.js';
import { Command, Key } from './names.js';
import type { Response } from './response.js';
import { ResultCode } from './result-codes.js';
import { MAX_SCRAM_ITERATIONS, MIN_SCRAM_ITERATIONS } from './scram-messages.js';

/** What a user may do: `read-only` reads its own files, `user` changes them too, `admin` also acts on others and on the server. */
export const USER_ROLES = ['admin', 'user', 'read-only'] as const;

export type UserRole = (typeof USER_ROLES)[number];

/** A user, as ListUsers tells it: nothing that is kept of the password. docs/protocol.md, section 17.20. */
export interface UserRecord {
  readonly name: string;
  readonly role: UserRole;
  /** The directory below the server's root that is the user's root; empty for the server's root itself. */
  readonly root: string;
  /** In bytes; missing for no limit. */
  readonly quotaBytes?: number;
  readonly isDisabled: boolean;
  /** ISO 8601: from then on the user cannot log in. Missing for never. */
  readonly expires?: string;
  /** By which methods the user can log in. */
  readonly logins: readonly string[];
}

/** Where the users of a server come from; only those of a file can be changed. */
export type UsersSource = 'file' | 'command-line';

/** A part of the users of a server. */
export interface ListedUsers {
  readonly users: readonly UserRecord[];
  readonly source: UsersSource;
  /** Whether there are more, behind the last of these. */
  readonly more: boolean;
}

/** Most users that one answer to ListUsers has. */
export const MAX_LISTED_USERS = 1000;

/** Which page of the users, which are in the order of their names. */
export interface ListUsersRequest {
  /** Only names behind this one. @default from the first */
  readonly after?: string;
  readonly limit: number;
}

/** What a server keeps of a password for SCRAM-SHA-256; whoever reads it cannot log in with it. RFC 5802, section 3. */
export interface SentVerifier {
  readonly iterations: number;
  /** 16 bytes. */
  readonly salt: Uint8Array;
  /** 32 bytes, as `serverKey`. */
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
}

export const USER_SALT_BYTES = 16;
const USER_KEY_BYTES = 32;

/** A user that is to be made, or what is to be changed of one. What is missing stays as it is; `null` takes a setting back. */
export interface SetUserRequest {
  readonly name: string;
  /** Whether the user is new: it must not be there, and needs a verifier. Else it must be there. */
  readonly isNew: boolean;
  readonly role?: UserRole;
  /** As in {@link UserRecord}. */
  readonly root?: string;
  readonly quotaBytes?: number | null;
  readonly isDisabled?: boolean;
  readonly expires?: string | null;
  /** Of a new password. */
  readonly verifier?: SentVerifier;
}

/** What stands for a quota, or a time, that is taken back. */
const NO_QUOTA = 'none';
const NEVER = 'never';

export function encodeListUsersRequest({ after, limit }: ListUsersRequest): Uint8Array {
  const fields: Field[] = [[Key.Count, limit]];
  return requestText(Command.ListUsers, after === undefined ? fields : [[Key.After, after], ...fields]);
}

/** @throws {RequestError} code 6 */
export function decodeListUsersRequest(text: CommandText): ListUsersRequest {
  const after = text.first(Key.After);
  const limit = Number(optionalInteger(text, Key.Count, 32) ?? MAX_LISTED_USERS);
  if (limit < 1 || limit > MAX_LISTED_USERS)
    throw new RequestError(ResultCode.ParameterError, `${Key.Count} must be 1 to ${MAX_LISTED_USERS}`);
  return { ...(after !== undefined && { after }), limit };
}

/** The text of the answer; its data are the records. */
export function encodeListUsersResponse(command: string, { users, source, more }: ListedUsers): Uint8Array {
  return responseText(command, ResultCode.Success, [
    [Key.Count, users.length],
    [Key.More, more ? 'yes' : 'no'],
    [Key.Source, source],
  ]);
}

/** @throws {ProtocolError} `ERR_RESPONSE_INVALID` */
export function decodeListUsersResponse({ text }: Response, data: Uint8Array): ListedUsers {
  const value = decodeJsonData(data);
  if (!Array.isArray(value) || !value.every(isUserRecord))
    throw new ProtocolError('ERR_RESPONSE_INVALID', 'the data does not tell users');
  return {
    users: value,
    source: text.first(Key.Source) === 'command-line' ? 'command-line' : 'file',
    more: text.first(Key.More) === 'yes',
  };
}

export function encodeSetUserRequest(change: SetUserRequest): Uint8Array {
  const { name, isNew, role, root, quotaBytes, isDisabled, expires, verifier } = change;
  const fields: Field[] = [[Key.UserName, name]];
  if (isNew) fields.push([Key.New, 'yes']);
  if (role !== undefined) fields.push([Key.Role, role]);
  if (root !== undefined) fields.push([Key.Root, root]);
  if (quotaBytes !== undefined) fields.push([Key.Quota, quotaBytes ?? NO_QUOTA]);
  if (isDisabled !== undefined) fields.push([Key.Disabled, isDisabled ? 'yes' : 'no']);
  if (expires !== undefined) fields.push([Key.Expires, expires ?? NEVER]);
  if (verifier)
    fields.push(
      [Key.Iterations, verifier.iterations],
      [Key.Salt, encodeBase64(verifier.salt)],
      [Key.StoredKey, encodeBase64(verifier.storedKey)],
      [Key.ServerKey, encodeBase64(verifier.serverKey)],
    );
  return requestText(Command.SetUser, fields);
}

/**
 * Checks what has a form of its own; names, roots and times are for the server to judge.
 *
 * @throws {RequestError} code 6; nothing of a verifier is in the message
 */
export function decodeSetUserRequest(text: CommandText): SetUserRequest {
  const name = requiredKey(text, Key.UserName);
  const isNew = optionalChoice(text, Key.New, ['yes', 'no']) === 'yes';
  const role = optionalChoice(text, Key.Role, USER_ROLES);
  const root = text.first(Key.Root);
  const quotaBytes = quotaOf(text);
  const disabled = optionalChoice(text, Key.Disabled, ['yes', 'no']);
  const expires = text.first(Key.Expires);
  const verifier = verifierOf(text);
  if (isNew && !verifier) throw new RequestError(ResultCode.ParameterError, `a new user needs ${VERIFIER_KEYS}`);
  const change: SetUserRequest = {
    name,
    isNew,
    ...(role !== undefined && { role }),
    ...(root !== undefined && { root }),
    ...(quotaBytes !== undefined && { quotaBytes }),
    ...(disabled !== undefined && { isDisabled: disabled === 'yes' }),
    ...(expires !== undefined && { expires: expires === NEVER ? null : expires }),
    ...(verifier && { verifier }),
  };
  if (!isNew && Object.keys(change).length === 2)
    throw new RequestError(ResultCode.ParameterError, 'nothing says what is to be changed');
  return change;
}

export function encodeRemoveUserRequest(name: string): Uint8Array {
  return requestText(Command.RemoveUser, [[Key.UserName, name]]);
}

/** @throws {RequestError} code 6 */
export function decodeRemoveUserRequest(text: CommandText): string {
  return requiredKey(text, Key.UserName);
}

const VERIFIER_KEYS = [Key.Iterations, Key.Salt, Key.StoredKey, Key.ServerKey].join(', ');

function verifierOf(text: CommandText): SentVerifier | undefined {
  if ([Key.Iterations, Key.Salt, Key.StoredKey, Key.ServerKey].every((key) => text.first(key) === undefined))
    return undefined;
  const iterations = Number(requiredInteger(text, Key.Iterations, 32));
  if (iterations < MIN_SCRAM_ITERATIONS || iterations > MAX_SCRAM_ITERATIONS) {
    const range = `${MIN_SCRAM_ITERATIONS} to ${MAX_SCRAM_ITERATIONS}`;
    throw new RequestError(ResultCode.ParameterError, `${Key.Iterations} must be ${range}`);
  }
  return {
    iterations,
    salt: bytesOf(text, Key.Salt, USER_SALT_BYTES),
    storedKey: bytesOf(text, Key.StoredKey, USER_KEY_BYTES),
    serverKey: bytesOf(text, Key.ServerKey, USER_KEY_BYTES),
  };
}

/** So many bytes in base64. */
function bytesOf(text: CommandText, key: string, count: number): Uint8Array {
  const value = requiredKey(text, key);
  // four characters for three bytes: what is longer is not decoded
  const bytes = value.length === 4 * Math.ceil(count / 3) ? decodeBase64(value) : undefined;
  if (bytes?.length !== count)
    throw new RequestError(ResultCode.ParameterError, `${key} is not base64 of ${count} bytes`);
  return bytes;
}

function quotaOf(text: CommandText): number | null | undefined {
  if (text.first(Key.Quota) === NO_QUOTA) return null;
  const quota = optionalInteger(text, Key.Quota, 64);
  if (quota === undefined) return undefined;
  if (quota < 0n || quota > BigInt(Number.MAX_SAFE_INTEGER))
    throw new RequestError(ResultCode.ParameterError, `${Key.Quota} must be ${NO_QUOTA}, or 0 to 2^53 - 1`);
  return Number(quota);
}

function isUserRecord(value: unknown): value is UserRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { name, role, root, quotaBytes, isDisabled, expires, logins } = value as Record<string, unknown>;
  return (
    typeof name === 'string' &&
    USER_ROLES.some((each) => each === role) &&
    typeof root === 'string' &&
    (quotaBytes === undefined || Number.isFinite(quotaBytes)) &&
    typeof isDisabled === 'boolean' &&
    (expires === undefined || typeof expires === 'string') &&
    Array.isArray(logins) &&
    logins.every((login) => typeof login === 'string')
  );
}
