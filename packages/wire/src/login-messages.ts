import { type CommandText, type Field, requestText, responseText } from './command-text.js';
import { requiredKey } from './keys.js';
import { Command, Key } from './names.js';
import { ResultCode } from './result-codes.js';

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
  /** Tag on the requests of RemoteStream. */
  Tag: 'Tag',
  /** Several open files on one connection of RemoteStream, ReadAt, WriteAt, Sync and Stat. */
  RemoteFile: 'RemoteFile',
  /** A handle of RemoteStream outlives its connection. */
  ResumeFile: 'ResumeFile',
  /** BeginUpload and what belongs to it. */
  Staging: 'Staging',
  /** Flood, on Throughput. */
  Flood: 'Flood',
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

/** The success answer to Login or Active: with the server's extensions if the client asked, else exactly the original's. */
export function encodeWelcome(command: string, features: readonly string[] | undefined): Uint8Array {
  return responseText(command, ResultCode.Success, features ? [[Key.Features, features.join(',')]] : []);
}

/** The extensions a peer names; `undefined` when it names none, not even an empty list. */
export function decodeFeatures(text: CommandText): readonly string[] | undefined {
  return text
    .first(Key.Features)
    ?.split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}
