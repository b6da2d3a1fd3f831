import type { Clock } from '@sluice/core';
import { isLoopback } from '../../address-network.js';
import type { Log } from '../../log.js';
import type { Logins } from '../../logins.js';
import type { Principal } from '../../principal.js';
import { HttpError } from '../http-error.js';
import type { Visitors } from '../http-listener.js';
import type { HttpVisitor } from '../http-route.js';
import type { UnidentifiedRequest } from '../incoming-request.js';
import type { OwnOrigins } from '../own-origins.js';
import type { LoginSessions } from './login-sessions.js';
import { RememberedCredentials } from './remembered-credentials.js';
import { sessionTokenOf } from './session-cookie.js';
import type { LoginSession } from './session-token.js';

export interface HttpVisitorOptions {
  readonly origins: OwnOrigins;
  readonly sessions: LoginSessions;
  readonly logins: Pick<Logins, 'authenticateByPassword' | 'principalOf' | 'stampOf'>;
  /** Whether users of other machines may send their passwords without TLS. */
  readonly allowPlainLogin: boolean;
  readonly clock: Clock;
  readonly log: Log;
}

/** Requests that change nothing. */
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/** When who has guessed too much may try again, in seconds: the longest wait of the guard. */
const RETRY_AFTER_SECONDS = 8;

/** Who asks over HTTP: by the cookie of a login, or by `Authorization: Basic`. */
export class HttpVisitors implements Visitors {
  readonly #options: HttpVisitorOptions;
  readonly #remembered: RememberedCredentials;

  constructor(options: HttpVisitorOptions) {
    this.#options = options;
    this.#remembered = new RememberedCredentials(options.clock);
  }

  requireOrigin(request: UnidentifiedRequest): void {
    if (this.#options.origins.isAllowed(request) === false) throw new HttpError(403, 'this origin is not allowed here');
  }

  async visitorOf(request: UnidentifiedRequest): Promise<HttpVisitor | undefined> {
    const { headers } = request.message;
    if (headers.authorization !== undefined) {
      this.requireOrigin(request);
      return await this.#visitorByPassword(request, headers.authorization);
    }
    const session = this.#sessionOf(request);
    if (!session) return undefined;
    const principal = await this.#options.logins.principalOf(session.userName);
    return principal && new SessionVisitor(principal, session, this.#options.sessions);
  }

  /**
   * Checks a password and begins a login.
   *
   * @throws {HttpError} 401 when it is wrong, 429 when too many attempts of the address wait, 403 when it must not be sent like this
   */
  async logIn(request: UnidentifiedRequest, userName: string, password: string) {
    await this.#authenticate(request, userName, password);
    const begun = this.#options.sessions.begin(userName);
    if (!begun) throw wrongPassword();
    this.#options.log.info('http login accepted', { user: userName, remote: request.remoteAddress });
    return begun;
  }

  /** Ends the login of a request, if it has one. @throws {HttpError} 403 for a foreign origin, or none */
  async logOut(request: UnidentifiedRequest): Promise<void> {
    const session = this.#sessionOf(request);
    if (session) await this.#options.sessions.end(session);
  }

  /** When a login ends, in milliseconds since 1970; `undefined` for one that is no longer than its request. */
  expiryOf(visitor: HttpVisitor): number | undefined {
    return visitor instanceof SessionVisitor ? visitor.session.expiresAtMs : undefined;
  }

  /** @throws {HttpError} 403 when the request may have been made by a page that is not ours */
  #sessionOf(request: UnidentifiedRequest): LoginSession | undefined {
    const { message, isSecure } = request;
    const token = sessionTokenOf(message.headers.cookie, isSecure);
    const session = token === undefined ? undefined : this.#options.sessions.find(token);
    if (!session) return undefined;
    const isAllowed = this.#options.origins.isAllowed(request);
    const needsOrigin = !SAFE_METHODS.has(message.method ?? '') || message.headers.upgrade !== undefined;
    if (isAllowed === false || (needsOrigin && isAllowed === undefined)) {
      const { userName: user } = session;
      this.#options.log.warn('http login refused', { user, reason: 'origin', remote: request.remoteAddress });
      throw new HttpError(403, 'a login is of use only to the pages of this server');
    }
    return session;
  }

  async #visitorByPassword(request: UnidentifiedRequest, authorization: string): Promise<HttpVisitor> {
    const { userName, password } = credentialsOf(authorization);
    const { logins } = this.#options;
    if (this.#remembered.has(userName, password, logins.stampOf(userName))) {
      this.#requireSafeLink(request);
      const principal = await logins.principalOf(userName);
      if (principal) return new RequestVisitor(principal, request);
    }
    const principal = await this.#authenticate(request, userName, password);
    this.#remembered.add(userName, password, logins.stampOf(userName));
    return new RequestVisitor(principal, request);
  }

  async #authenticate(request: UnidentifiedRequest, userName: string, password: string): Promise<Principal> {
    this.#requireSafeLink(request);
    const { remoteAddress: remote, gone } = request;
    const outcome = await this.#options.logins.authenticateByPassword(userName, password, remote, gone);
    if (typeof outcome === 'object') return outcome;
    if (outcome === 'unchecked') {
      this.#options.log.debug('http login not checked', { name: userName, remote });
      throw new HttpError(429, 'too many wrong passwords: try again later', {
        'Retry-After': String(RETRY_AFTER_SECONDS),
      });
    }
    this.#options.log.warn('http login refused', { name: userName, reason: outcome, remote });
    throw wrongPassword();
  }

  /** Whoever reads a password on its way can log in with it. */
  #requireSafeLink({ isSecure, remoteAddress }: UnidentifiedRequest): void {
    if (isSecure || this.#options.allowPlainLogin || isLoopback(remoteAddress)) return;
    throw new HttpError(403, 'passwords are taken by HTTPS only');
  }
}

/** Somebody who has logged in before. */
class SessionVisitor implements HttpVisitor {
  readonly principal: Principal;
  readonly isByCookie = true;
  readonly session: LoginSession;
  readonly #sessions: LoginSessions;

  constructor(principal: Principal, session: LoginSession, sessions: LoginSessions) {
    this.principal = principal;
    this.session = session;
    this.#sessions = sessions;
  }

  get ended(): AbortSignal {
    return this.#sessions.endedSignal(this.session);
  }
}

/** Somebody who has shown with this request who it is. */
class RequestVisitor implements HttpVisitor {
  readonly principal: Principal;
  readonly isByCookie = false;
  readonly #request: UnidentifiedRequest;

  constructor(principal: Principal, request: UnidentifiedRequest) {
    this.principal = principal;
    this.#request = request;
  }

  get ended(): AbortSignal {
    return this.#request.gone;
  }
}

/** @throws {HttpError} 401 */
function credentialsOf(authorization: string): { readonly userName: string; readonly password: string } {
  const [, encoded] = /^Basic +([A-Za-z0-9+/]+={0,2})$/i.exec(authorization) ?? [];
  const text = encoded === undefined ? '' : Buffer.from(encoded, 'base64').toString();
  const colon = text.indexOf(':');
  if (colon < 0) throw new HttpError(401, 'log in by a cookie or by Basic');
  return { userName: text.slice(0, colon), password: text.slice(colon + 1) };
}

function wrongPassword(): HttpError {
  return new HttpError(401, 'the name or the password is wrong');
}
