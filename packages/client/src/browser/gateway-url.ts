import { ClientError } from '../errors.js';

/** Where the gateway of a server is unless the URL says otherwise. docs/protocol.md */
const GATEWAY_PATH = '/gateway';

/** The gateway of a server, and who the URL says is to log in. */
export interface GatewayAddress {
  /** `ws:` or `wss:`, without user and password. */
  readonly url: URL;
  readonly userName: string | undefined;
  readonly password: string | undefined;
}

/**
 * @param given `ws:`, `wss:`, `http:` or `https:`; without a path, that of the gateway
 * @param base what a relative one is relative to: the page
 * @throws {ClientError} `ERR_URL`
 */
export function gatewayAddress(given: string | URL, base: string | undefined): GatewayAddress {
  let url: URL;
  try {
    url = new URL(given, base);
  } catch (cause) {
    throw new ClientError('ERR_URL', 'not the URL of a gateway, as wss://host/gateway or https://host', { cause });
  }
  if (url.protocol === 'http:' || url.protocol === 'https:') url.protocol = url.protocol.replace('http', 'ws');
  if (url.protocol !== 'ws:' && url.protocol !== 'wss:')
    throw new ClientError(
      'ERR_URL',
      `a browser reaches a server by ws:, wss:, http: or https:, not by ${url.protocol}`,
    );
  if (url.pathname === '/') url.pathname = GATEWAY_PATH;
  const [userName, password] = [url.username, url.password].map((text) => (text === '' ? undefined : decoded(text)));
  url.username = '';
  url.password = '';
  url.search = '';
  url.hash = '';
  return { url, userName, password };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
