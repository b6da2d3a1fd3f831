import { isIP } from 'node:net';
import os from 'node:os';
import { OptionsError } from '@sluice/framing';
import type { UnidentifiedRequest } from './incoming-request.js';

/**
 * The origins whose pages may act for a user: the listener's own, and those that the operator has named.
 *
 * Without TLS a name proves nothing: whoever owns it can have it point here, and then its pages are of the origin that they ask. So only
 * addresses, `localhost` and the name of the machine are own ones there.
 *
 * @see docs/http.md
 */
export class OwnOrigins {
  readonly #named: ReadonlySet<string>;
  readonly #machine = os.hostname().toLowerCase();

  /** @throws {OptionsError} for what is no origin */
  constructor(named: readonly string[]) {
    this.#named = new Set(named.map(originOf));
  }

  /** Whether an origin is one of those that were named. */
  isNamed(origin: string): boolean {
    return this.#named.has(origin);
  }

  /** Whether a request names this server as its host by a name that cannot be somebody else's. */
  isOwnHost({ url, isSecure }: Pick<UnidentifiedRequest, 'url' | 'isSecure'>): boolean {
    if (isSecure || this.#named.has(url.origin)) return true;
    const name = url.hostname.replace(/^\[|\]$/g, '');
    return isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost') || name === this.#machine;
  }

  /** Whether a request comes from a page that may act for a user; `undefined` when it does not say where from. */
  isAllowed({
    message,
    url,
    isSecure,
  }: Pick<UnidentifiedRequest, 'message' | 'url' | 'isSecure'>): boolean | undefined {
    const { origin } = message.headers;
    if (origin === undefined) return undefined;
    return this.#named.has(origin) || (origin === url.origin && this.isOwnHost({ url, isSecure }));
  }
}

function originOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.origin !== text.replace(/\/$/, '').toLowerCase())
    throw new OptionsError(`${text} is no origin, like https://files.example.com`);
  return url.origin;
}
