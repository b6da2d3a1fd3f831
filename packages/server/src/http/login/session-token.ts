import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** A login in a browser. */
export interface LoginSession {
  readonly id: string;
  readonly userName: string;
  /** In milliseconds since 1970. */
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
}

const ID_BYTES = 16;

/** Longest text that is looked at: a name of 255 characters takes up to 1,020 bytes. */
const MAX_TOKEN_LENGTH = 2048;

/**
 * Tokens that prove a login: `user.issued.expires.id.mac`, in base64url and base 36. They are kept nowhere: the MAC covers all of it, and a stamp of
 * the user's password, role and root, so a token is void as soon as one of these is another.
 */
export class SessionTokens {
  readonly #key: Uint8Array;
  readonly #stampOf: (userName: string) => string | undefined;

  /** @param stampOf what must be the same as when the token was made; `undefined` for who may not log in */
  constructor(key: Uint8Array, stampOf: (userName: string) => string | undefined) {
    this.#key = key;
    this.#stampOf = stampOf;
  }

  /** @returns `undefined` for a user who may not log in */
  issue(userName: string, nowMs: number, lastsMs: number): { token: string; session: LoginSession } | undefined {
    const stamp = this.#stampOf(userName);
    if (stamp === undefined) return undefined;
    const id = randomBytes(ID_BYTES).toString('base64url');
    const session = { id, userName, issuedAtMs: nowMs, expiresAtMs: nowMs + lastsMs };
    const name = Buffer.from(userName).toString('base64url');
    const claims = `${name}.${nowMs.toString(36)}.${session.expiresAtMs.toString(36)}.${id}`;
    return { token: `${claims}.${this.#mac(claims, stamp).toString('base64url')}`, session };
  }

  /** @returns `undefined` for a token that is not ours, has expired, or whose user is not as before */
  read(token: string, nowMs: number): LoginSession | undefined {
    if (token.length > MAX_TOKEN_LENGTH) return undefined;
    const [, claims = '', name = '', issued = '', expires = '', id = '', mac = ''] =
      /^(([\w-]+)\.([0-9a-z]{1,11})\.([0-9a-z]{1,11})\.([\w-]{22}))\.([\w-]{43})$/.exec(token) ?? [];
    if (claims === '') return undefined;
    const userName = Buffer.from(name, 'base64url').toString();
    const stamp = this.#stampOf(userName);
    // As text: there is one text only for each token.
    const right = Buffer.from(this.#mac(claims, stamp ?? '').toString('base64url'));
    const isOurs = timingSafeEqual(Buffer.from(mac), right);
    const expiresAtMs = Number.parseInt(expires, 36);
    if (!isOurs || stamp === undefined || expiresAtMs <= nowMs) return undefined;
    return { id, userName, issuedAtMs: Number.parseInt(issued, 36), expiresAtMs };
  }

  #mac(claims: string, stamp: string): Buffer {
    return createHmac('sha256', this.#key).update(`sluice-session\0${claims}\0${stamp}`).digest();
  }
}
