import {
  CHANNEL_BINDING,
  type ChannelBindingFlag,
  decodeSaslMessage,
  decodeScramServerFinal,
  decodeScramServerFirst,
  encodeLoginRequest,
  encodeSaslLoginRequest,
  encodeScramClientFinal,
  Feature,
  Key,
  MAX_SCRAM_ITERATIONS,
  MIN_SCRAM_ITERATIONS,
  makeScramClientFirst,
  preparePassword,
  type Response,
  ResultCode,
  ScramMechanism,
  scramAuthMessage,
  scramKeysOf,
  scramProof,
  scramSignature,
  scramWithoutProof,
} from '@sluice/wire';
import type { Endpoint } from './endpoint.js';
import { ClientError, responseError } from './errors.js';
import type { LoginMemory } from './login-memory.js';
import type { LoginPolicy } from './options.js';
import type { LoginCrypto } from './platform.js';
import { randomBase64 } from './random.js';

/** The connection on which somebody logs in. */
export interface LoginLink {
  /** Whether nobody else can read it: it is a TLS connection, or does not leave this machine. */
  readonly isPrivate: boolean;
  /** What only the two ends know; `undefined` if there is nothing like that. */
  channelBinding(): Uint8Array | undefined;
  /** Sends a Login and waits for its answer, whatever its code. */
  ask(text: Uint8Array): Promise<Response>;
}

/** Features the client asks for. docs/protocol.md. */
export const WANTED_FEATURES = Object.values(Feature);

const NONCE_BYTES = 18;
const NO_CHANNEL = new Uint8Array(0);

/** What servers that do not know SCRAM say to a Login without Password. Specification 15 (V3). */
const CODES_WITHOUT_SCRAM = new Set<number>([
  ResultCode.CommandNotCompleted,
  ResultCode.ParameterError,
  ResultCode.UserOrPasswordError,
]);

/**
 * Logs in: by SCRAM; by the MD5 digest of the password only where the server has nothing else, and the policy permits it.
 *
 * @returns the server's answer, with its features
 * @throws {ClientError} `ERR_REMOTE` for what the server refuses, `ERR_LOGIN_METHOD`, `ERR_SERVER_UNPROVEN`, `ERR_LOGIN_REFUSED`
 * @throws {ProtocolError} for an answer that is none
 * @see docs/protocol.md, sections 4.2 and 17.13
 */
export async function logIn(
  link: LoginLink,
  endpoint: Endpoint,
  policy: LoginPolicy,
  memory: LoginMemory,
  crypto: LoginCrypto,
): Promise<Response> {
  if (policy !== 'digest') {
    const answer = await logInByScram(link, endpoint, memory, crypto);
    if (answer) return answer;
    requireDigestAllowed(link, endpoint, policy, memory);
  }
  return await logInByDigest(link, endpoint, crypto);
}

async function logInByDigest(
  link: LoginLink,
  { userName, password, host }: Endpoint,
  crypto: LoginCrypto,
): Promise<Response> {
  const passwordDigest = crypto.md5?.(password);
  if (passwordDigest === undefined)
    throw new ClientError('ERR_LOGIN_METHOD', `nobody logs in by the MD5 digest of a password from here: use SCRAM`);
  const answer = await link.ask(encodeLoginRequest({ userName, passwordDigest, features: WANTED_FEATURES }));
  if (answer.code === ResultCode.NotPermitted && mechanismsOf(answer)) {
    throw new ClientError('ERR_LOGIN_METHOD', `${host} does not take the MD5 digest of a password here: use SCRAM`);
  }
  return successful(answer);
}

/** @throws {ClientError} `ERR_LOGIN_METHOD` */
function requireDigestAllowed(link: LoginLink, { host }: Endpoint, policy: LoginPolicy, memory: LoginMemory): void {
  if (memory.hasProvenScram) {
    const text = `${host} has had SCRAM before, and has it no more: somebody may stand between. The password was not sent`;
    throw new ClientError('ERR_LOGIN_METHOD', text);
  }
  if (policy === 'any' || (policy === 'auto' && link.isPrivate)) return;
  const risk = link.isPrivate ? '' : ', which everybody who can read the connection can log in with';
  const text = `${host} has no login by SCRAM, only by the MD5 digest of the password${risk}: it was not sent`;
  throw new ClientError('ERR_LOGIN_METHOD', text);
}

/** @returns `undefined` if the server does not know SCRAM */
async function logInByScram(
  link: LoginLink,
  endpoint: Endpoint,
  memory: LoginMemory,
  crypto: LoginCrypto,
): Promise<Response | undefined> {
  if (preparePassword(endpoint.password) === undefined) {
    throw new ClientError(
      'ERR_LOGIN_REFUSED',
      'the password is empty or has a control character: no user has such a one',
    );
  }
  const channel = link.channelBinding();
  const begin = (binding: ChannelBindingFlag, bound: Uint8Array | undefined) =>
    beginScram(link, endpoint, memory, crypto, binding, bound);
  let answer: Awaited<ReturnType<typeof beginScram>>;
  if (!channel) answer = await begin('none', undefined);
  else {
    const isBound = !memory.lacksBinding;
    answer = isBound ? await begin({ type: CHANNEL_BINDING }, channel) : 'other-mechanism';
    if (answer === 'other-mechanism') {
      if (memory.hasProvenBinding) throw bindingLost(endpoint);
      memory.lacksBinding = true;
      // If it is not the server who says so, the server notices.
      answer = await begin('not-offered', undefined);
    }
  }
  if (answer !== 'other-mechanism') return answer;
  throw new ClientError('ERR_LOGIN_METHOD', `${endpoint.host} has no way to log in that this client knows`);
}

/** @param channel the data of the binding that is used; `undefined` without one */
async function beginScram(
  link: LoginLink,
  endpoint: Endpoint,
  memory: LoginMemory,
  crypto: LoginCrypto,
  binding: ChannelBindingFlag,
  channel: Uint8Array | undefined,
): Promise<Response | undefined | 'other-mechanism'> {
  const { hash } = crypto;
  const first = makeScramClientFirst(binding, endpoint.userName, randomBase64(NONCE_BYTES));
  const mechanism = channel ? ScramMechanism.Sha256Plus : ScramMechanism.Sha256;
  const request = { mechanism, message: first.header + first.bare, features: WANTED_FEATURES };
  const begun = await link.ask(encodeSaslLoginRequest(request));
  if (begun.code !== ResultCode.Success) {
    const mechanisms = mechanismsOf(begun);
    if (mechanisms && !mechanisms.includes(mechanism)) return 'other-mechanism';
    if (!mechanisms && CODES_WITHOUT_SCRAM.has(begun.code)) return undefined;
    throw responseError(begun);
  }

  const challenge = decodeSaslMessage(begun.text);
  if (challenge === undefined) throw unproven(endpoint, 'it lets in whoever comes');
  const { nonce, salt, iterations } = decodeScramServerFirst(challenge);
  if (!nonce.startsWith(first.nonce) || nonce === first.nonce) throw unproven(endpoint, 'it uses an old challenge');
  if (iterations < MIN_SCRAM_ITERATIONS || iterations > MAX_SCRAM_ITERATIONS)
    throw unproven(endpoint, `it asks for ${iterations} iterations`);
  const saltedPassword = await memory.saltedPassword(crypto, endpoint.password, salt, iterations);
  const withoutProof = scramWithoutProof(first.header, channel ?? NO_CHANNEL, nonce);
  const authMessage = scramAuthMessage(first.bare, challenge, withoutProof);
  const message = encodeScramClientFinal(withoutProof, scramProof(hash, saltedPassword, authMessage));
  const ended = successful(
    await link.ask(encodeSaslLoginRequest({ mechanism: undefined, message, features: undefined })),
  );

  const signature = decodeScramServerFinal(decodeSaslMessage(ended.text) ?? '');
  const expected = scramSignature(hash, scramKeysOf(hash, saltedPassword).serverKey, authMessage);
  if (!signature || !isEqual(signature, expected))
    throw unproven(endpoint, 'it does not know what it must know of the password');
  memory.hasProvenScram = true;
  if (channel) memory.hasProvenBinding = true;
  return ended;
}

/** @throws {ClientError} `ERR_REMOTE` */
function successful(answer: Response): Response {
  if (answer.code !== ResultCode.Success) throw responseError(answer);
  return answer;
}

/** Which mechanisms a server has that knows SCRAM. */
function mechanismsOf({ text }: Response): readonly string[] | undefined {
  return text.first(Key.Mechanisms)?.split(',');
}

function bindingLost({ host }: Endpoint): ClientError {
  const text = `${host} has bound logins to the TLS connection before, and does it no more: somebody may stand between`;
  return new ClientError('ERR_LOGIN_METHOD', text);
}

function unproven({ host, port }: Endpoint, why: string): ClientError {
  const text = `${host}:${port} does not prove that it is the server where this password was set: ${why}`;
  return new ClientError('ERR_SERVER_UNPROVEN', text);
}

/** In a time that does not tell where they differ. */
function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  let difference = one.length ^ other.length;
  for (let i = 0; i < other.length; i++) difference |= one[i]! ^ other[i]!;
  return difference === 0;
}
