import {
  CHANNEL_BINDING,
  type CommandText,
  decodeLoginRequest,
  decodeSaslLoginRequest,
  decodeScramClientFinal,
  decodeScramClientFirst,
  encodeSaslChallenge,
  encodeWelcome,
  type Field,
  Key,
  messageText,
  RequestError,
  ResultCode,
  responseText,
  type SaslLoginRequest,
  type ScramClientFinal,
  ScramMechanism,
} from '@sluice/wire';
import type { Principal } from './principal.js';
import { ScramExchange } from './users/scram-exchange.js';
import type { ScramVerifier } from './users/scram-verifier.js';
import type { LoginFailure } from './users/user-store.js';

/**
 * `unchecked`: too many attempts of the address wait. `digest-not-allowed`: not on this connection. `channel-binding`: the two ends are not those
 * of one TLS connection. `not-ended`: something else than the last message has come. The others are what is wrong.
 */
export type Refusal = LoginFailure | 'unchecked' | 'digest-not-allowed' | 'channel-binding' | 'not-ended';

/** Decides who may log in. What it refuses, the peer is told in the same way in all cases. */
export interface Authenticator {
  /**
   * @param address of the peer: failures are slowed per address
   * @param gone ends the wait, if there is one, with a rejection
   * @returns who it is, or why not
   */
  authenticate(
    userName: string,
    passwordDigest: string,
    address: string,
    gone: AbortSignal,
  ): Promise<Principal | Refusal>;
  /** What SCRAM tells of a user, there or not. */
  scramVerifierOf(userName: string): ScramVerifier;
  /** As `authenticate`, by SCRAM. @param judge looks at the client's last message; called when it is the address's turn */
  authenticateByScram(
    attempt: Pick<ScramExchange, 'userName' | 'verifier'>,
    judge: () => boolean,
    address: string,
    gone: AbortSignal,
  ): Promise<Principal | Refusal>;
}

/** The connection on which somebody logs in. */
export interface LoginLink {
  readonly remoteAddress: string;
  /** Whether the digest, which can be replayed by whoever reads it, may be used. */
  readonly mayUseDigest: boolean;
  readonly gone: AbortSignal;
  /** What only the two ends know; `undefined` if there is nothing like that. */
  channelBinding(): Uint8Array | undefined;
}

/** What a Login has come to, and how it is to be answered. */
export interface LoginResult {
  readonly answer: (command: string, features: readonly string[]) => Uint8Array;
  /** By which method, as the log names it. */
  readonly method: string;
  /** Whose name was tried. */
  readonly userName: string;
  /** Who is logged in now. */
  readonly user?: Principal;
  readonly knowsExtensions?: boolean;
  readonly refusal?: Refusal;
}

const DIGEST = 'digest';

/**
 * The logins of one connection: by digest in one step, by SCRAM in two. Of the latter at most one is begun, and it holds nothing but some
 * texts until the client's last message.
 *
 * @see docs/protocol.md, sections 4.2 and 17.13; D24
 */
export class LoginDialogue {
  readonly #authenticator: Authenticator;
  readonly #link: LoginLink;
  #begun: { readonly exchange: ScramExchange; readonly hasFeatures: boolean } | undefined;

  constructor(authenticator: Authenticator, link: LoginLink) {
    this.#authenticator = authenticator;
    this.#link = link;
  }

  /**
   * One Login. What it gives up of an earlier one is told to `onGivenUp`.
   *
   * @throws {RequestError} code 6 for what cannot be read; and what the authenticator throws
   */
  async step(text: CommandText, onGivenUp: (userName: string) => void): Promise<LoginResult> {
    const begun = this.#begun;
    this.#begun = undefined;
    let isGoingOn = false;
    try {
      const request = decodeSaslLoginRequest(text);
      if (!request) return await this.#byDigest(text);
      if (request.mechanism !== undefined) return this.#begin(request.mechanism, request);
      if (!begun) throw new RequestError(ResultCode.ParameterError, `${Key.Mechanism} is missing`);
      const final = decodeScramClientFinal(request.message);
      isGoingOn = true;
      return await this.#end(begun.exchange, begun.hasFeatures, final);
    } finally {
      if (begun && !isGoingOn) onGivenUp(begun.exchange.userName);
    }
  }

  async #byDigest(text: CommandText): Promise<LoginResult> {
    const { userName, passwordDigest, features } = decodeLoginRequest(text);
    const { mayUseDigest, remoteAddress, gone } = this.#link;
    if (!mayUseDigest) {
      const isOld = features === undefined;
      const answer = isOld ? refused : (command: string) => this.#digestRefused(command);
      return { answer, method: DIGEST, userName, refusal: 'digest-not-allowed' };
    }
    const outcome = await this.#authenticator.authenticate(userName, passwordDigest, remoteAddress, gone);
    if (typeof outcome === 'string') return { answer: refused, method: DIGEST, userName, refusal: outcome };
    return {
      answer: (command, ours) => encodeWelcome(command, features && ours),
      method: DIGEST,
      userName,
      user: outcome,
      knowsExtensions: features !== undefined,
    };
  }

  /** Nothing is guessed yet, so nothing is slowed or counted. */
  #begin(mechanism: string, { message, features }: SaslLoginRequest): LoginResult {
    if (!this.#mechanisms.includes(mechanism)) return this.#unknownMechanism(mechanism);
    const first = decodeScramClientFirst(message);
    const { binding, userName } = first;
    const isBound = typeof binding === 'object';
    if (isBound !== (mechanism === ScramMechanism.Sha256Plus))
      throw new RequestError(ResultCode.ParameterError, `${mechanism} does not fit the message`);
    if (isBound && binding.type !== CHANNEL_BINDING) return this.#unknownMechanism(mechanism);
    const exchange = new ScramExchange(first, this.#authenticator.scramVerifierOf(userName));
    this.#begun = { exchange, hasFeatures: features !== undefined };
    return { answer: (command) => encodeSaslChallenge(command, exchange.challenge), method: mechanism, userName };
  }

  async #end(exchange: ScramExchange, hasFeatures: boolean, final: ScramClientFinal): Promise<LoginResult> {
    const { remoteAddress, gone } = this.#link;
    const { userName } = exchange;
    const method = exchange.isBound ? ScramMechanism.Sha256Plus : ScramMechanism.Sha256;
    let isBadBinding = false;
    const judge = (): boolean => {
      const verdict = exchange.judge(final, this.#link.channelBinding());
      isBadBinding = verdict === 'bad-binding';
      return verdict === 'proven';
    };
    const outcome = await this.#authenticator.authenticateByScram(exchange, judge, remoteAddress, gone);
    if (typeof outcome === 'string') {
      const refusal = isBadBinding ? 'channel-binding' : outcome;
      return { answer: refused, method, userName, refusal };
    }
    return {
      answer: (command, ours) => encodeWelcome(command, hasFeatures ? ours : undefined, exchange.signature(final)),
      method,
      userName,
      user: outcome,
      knowsExtensions: hasFeatures,
    };
  }

  get #mechanisms(): string[] {
    const { Sha256, Sha256Plus } = ScramMechanism;
    return this.#link.channelBinding() ? [Sha256, Sha256Plus] : [Sha256];
  }

  get #mechanismField(): Field {
    return [Key.Mechanisms, this.#mechanisms.join(',')];
  }

  #unknownMechanism(method: string): LoginResult {
    const fields = [this.#mechanismField];
    const answer = (command: string): Uint8Array =>
      responseText(command, ResultCode.ParameterError, fields, 'no such mechanism');
    return { answer, method, userName: '' };
  }

  #digestRefused(command: string): Uint8Array {
    const message = messageText('the digest of a password is taken over TLS and from the same machine only: use SCRAM');
    return responseText(command, ResultCode.NotPermitted, [this.#mechanismField], message);
  }
}

function refused(command: string): Uint8Array {
  return responseText(command, ResultCode.UserOrPasswordError);
}
