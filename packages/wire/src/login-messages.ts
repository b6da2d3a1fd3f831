import { decodeBase64, encodeBase64 } from './base64.js';
import { type CommandText, type Field, requestText, responseText } from './command-text.js';
import { RequestError } from './errors.js';
import { requiredKey } from './keys.js';
import { Command, Key } from './names.js';
import { ResultCode } from './result-codes.js';
import { MAX_SCRAM_MESSAGE_BYTES } from './scram-messages.js';
import { decodeUtf8, encodeUtf8 } from './utf8.js';

/** Extensions of the protocol that a server may announce; docs/protocol.md. */
export const Feature = {
  /** The Digest command, and Resume in Upload. */
  VerifiedResume: 'VerifiedResume',
  /** Count and Version in Download; Version, ModifiedNs and Mode in the answer to Digest. */
  Ranges: 'Ranges',
  /** Durability in the answer to Eof. */
  Durability: 'Durability',
  /** ListClients, WatchClients and Kick. */
  Clients: 'Clients',
  /** Stats, Drain, ReadOnly, LogLevel and Reload. */
  ServerControl: 'ServerControl',
  /** FollowLog. */
  Logs: 'Logs',
  /** Explain. */
  Explain: 'Explain',
  /** ListUsers, SetUser and RemoveUser. */
  Users: 'Users',
  /** Tag on the requests of RemoteStream. */
  Tag: 'Tag',
  /** Several open files on one connection of RemoteStream, ReadAt, WriteAt, Sync and Stat. */
  RemoteFile: 'RemoteFile',
  /** A handle of RemoteStream outlives its connection. */
  ResumeFile: 'ResumeFile',
  /** StatFile and VerifyFile. */
  FileStatus: 'FileStatus',
  /** ListTree. */
  Trees: 'Trees',
  /** BeginUpload and what belongs to it. */
  Staging: 'Staging',
  /** Flood, on Throughput. */
  Flood: 'Flood',
  /** Login by SCRAM-SHA-256. */
  Scram: 'Scram',
  /** PutFiles on Upload, GetFiles on Download. */
  Batch: 'Batch',
  /** Rename. */
  Rename: 'Rename',
} as const;

/** Specification 4.2. */
export interface LoginRequest {
  readonly userName: string;
  /** MD5 of the password, 32 hexadecimal digits. */
  readonly passwordDigest: string;
  /** The extensions the client knows; `undefined` when it does not know of extensions. */
  readonly features: readonly string[] | undefined;
}

export function encodeLoginRequest(request: LoginRequest): Uint8Array {
  const fields: Field[] = [
    [Key.UserName, request.userName],
    [Key.Password, request.passwordDigest],
  ];
  if (request.features) fields.push([Key.Features, request.features.join(',')]);
  return requestText(Command.Login, fields);
}

/** @throws {RequestError} code 6 when a key is missing */
export function decodeLoginRequest(text: CommandText): LoginRequest {
  return {
    userName: requiredKey(text, Key.UserName),
    passwordDigest: requiredKey(text, Key.Password),
    features: decodeFeatures(text),
  };
}

/** A Login that carries a message of SCRAM. docs/protocol.md, section 17.13. */
export interface SaslLoginRequest {
  /** Only with the first message. */
  readonly mechanism: string | undefined;
  /** As RFC 5802 has it. */
  readonly message: string;
  /** Only with the first message. */
  readonly features: readonly string[] | undefined;
}

export function encodeSaslLoginRequest({ mechanism, message, features }: SaslLoginRequest): Uint8Array {
  const fields: Field[] = [[Key.Sasl, saslValue(message)]];
  if (mechanism !== undefined) fields.unshift([Key.Mechanism, mechanism]);
  if (features) fields.push([Key.Features, features.join(',')]);
  return requestText(Command.Login, fields);
}

/**
 * @returns `undefined` when the Login carries no message: then it is one with a digest
 * @throws {RequestError} code 6 when the value cannot be read, or is too long
 */
export function decodeSaslLoginRequest(text: CommandText): SaslLoginRequest | undefined {
  const value = text.first(Key.Sasl);
  if (value === undefined) return undefined;
  const message = saslMessage(value);
  if (message === undefined) throw new RequestError(ResultCode.ParameterError, `${Key.Sasl} cannot be read`);
  return { mechanism: text.first(Key.Mechanism), message, features: decodeFeatures(text) };
}

/** The answer to the first message of a client: the server's. Nobody has logged in yet. */
export function encodeSaslChallenge(command: string, message: string): Uint8Array {
  return responseText(command, ResultCode.Success, [[Key.Sasl, saslValue(message)]]);
}

/** The message of SCRAM in an answer; `undefined` when it has none that can be read. */
export function decodeSaslMessage(text: CommandText): string | undefined {
  const value = text.first(Key.Sasl);
  return value === undefined ? undefined : saslMessage(value);
}

/** Base64 without the `=` at its end: an original server ends the connection at the second `=` of a line (D21). */
function saslValue(message: string): string {
  return encodeBase64(encodeUtf8(message)).replace(/=+$/, '');
}

function saslMessage(value: string): string | undefined {
  if (value.length > (MAX_SCRAM_MESSAGE_BYTES * 4) / 3) return undefined;
  const bytes = decodeBase64(value.padEnd(Math.ceil(value.length / 4) * 4, '='));
  return bytes && decodeUtf8(bytes, 0, bytes.length);
}

/**
 * The success answer to Login or Active: with the server's extensions if the client asked, else exactly the original's.
 *
 * @param saslMessage the server's last message, at the end of SCRAM
 */
export function encodeWelcome(
  command: string,
  features: readonly string[] | undefined,
  saslMessage?: string,
): Uint8Array {
  const fields: Field[] = [];
  if (saslMessage !== undefined) fields.push([Key.Sasl, saslValue(saslMessage)]);
  if (features) fields.push([Key.Features, features.join(',')]);
  return responseText(command, ResultCode.Success, fields);
}

/** The extensions a peer names; `undefined` when it names none, not even an empty list. */
export function decodeFeatures(text: CommandText): readonly string[] | undefined {
  return text
    .first(Key.Features)
    ?.split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}
