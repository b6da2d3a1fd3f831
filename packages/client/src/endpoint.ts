import { ClientError } from './errors.js';

/** The port of a URL that names none. Specification 1. */
export const DEFAULT_PORT = 9999;

/** A server. */
export interface ServerAddress {
  /** A name or an address; an IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
  /** Whether the connection is a TLS connection. @default false */
  readonly isSecure?: boolean;
}

/** A server, and who logs in there. */
export interface Endpoint extends ServerAddress {
  readonly userName: string;
  /** In clear text; it is never sent, see `LoginPolicy`. */
  readonly password: string;
}

/** What a `sluice://` or `sluices://` URL says. */
export interface ParsedSluiceUrl {
  /** User name and password only if the URL has them; `isSecure` only for `sluices://`. */
  readonly endpoint: Pick<Endpoint, 'host' | 'port'> & Partial<Endpoint>;
  /** Path on the server, decoded, without the leading slash; a trailing one is kept. Empty for the root. */
  readonly path: string;
}

const SLUICE_URL = /^sluice(s?):\/\/(?:([^/]*)@)?(\[[^\]/@]+\]|[^:/@[\]]+)(?::([0-9]{1,5}))?(?:\/(.*))?$/is;

/**
 * Reads `sluice://user:password@host:port/dir/file`, or `sluices://` for TLS. Everything but the host may be missing; the port is then {@link DEFAULT_PORT}.
 * User name, password and path are percent-decoded. `?` and `#` are part of a name.
 *
 * @throws {ClientError} `ERR_URL`; its message never contains the password
 */
export function parseSluiceUrl(text: string): ParsedSluiceUrl {
  const match = SLUICE_URL.exec(text);
  if (!match) throw new ClientError('ERR_URL', 'not a URL of the form sluice://user:password@host:port/path');
  const [, secure, credentials, host = '', portText, path = ''] = match;
  const port = portText === undefined ? DEFAULT_PORT : Number(portText);
  if (port < 1 || port > 65_535) throw new ClientError('ERR_URL', `port ${port} is not between 1 and 65535`);

  const endpoint: { host: string; port: number; userName?: string; password?: string; isSecure?: boolean } = {
    host: host.replace(/^\[|\]$/g, ''),
    port,
    ...(secure && { isSecure: true }),
  };
  if (credentials !== undefined) {
    const colon = credentials.indexOf(':');
    endpoint.userName = decode('user name', colon < 0 ? credentials : credentials.slice(0, colon));
    if (colon >= 0) endpoint.password = decode('password', credentials.slice(colon + 1));
  }
  return { endpoint, path: decode('path', path.replace(/^\/+/, '')) };
}

/** @throws {ClientError} `ERR_URL` when something that is needed to connect is missing */
export function resolveEndpoint(target: string | URL | Endpoint): Endpoint {
  const endpoint = typeof target === 'string' || target instanceof URL ? parseSluiceUrl(`${target}`).endpoint : target;
  const { host, port, userName, password, isSecure = false } = endpoint;
  if (userName === undefined) throw new ClientError('ERR_URL', `no user name given for ${host}`);
  if (password === undefined) throw new ClientError('ERR_URL', `no password given for ${userName} at ${host}`);
  if (/[\r\n]/.test(userName)) throw new ClientError('ERR_URL', 'the user name contains a line break');
  return { host, port, userName, password, isSecure };
}

function decode(part: string, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ClientError('ERR_URL', `the ${part} in the URL has a % that starts no percent-encoding; write it as %25`);
  }
}
