import type { Endpoint } from '../endpoint.js';
import { ClientError } from '../errors.js';
import { type ConnectOptions, type ResolvedConnectOptions, resolveConnectOptions } from '../options.js';
import { browserPlatform } from './browser-platform.js';
import { gatewayAddress } from './gateway-url.js';
import { type OpenSocket, WebSocketTransport } from './web-socket-transport.js';
import type { MakeWorker } from './worker-packer.js';

/** Which server, and what a connection to it is made with. */
export interface GatewayOptions extends Omit<ConnectOptions, 'tls' | 'login'> {
  /**
   * The gateway of the server: `wss://host/gateway`, or `https://host` for the same; likewise `ws:` and `http:`. Relative ones are relative to the
   * page. @default the server that the page has come from
   */
  readonly url?: string | URL;
  /** Makes a WebSocket, where the platform has none of its own. @default the browser's */
  readonly openSocket?: OpenSocket;
}

/** Options of `connect` and `connectControl`. */
export interface BrowserConnectOptions extends GatewayOptions {
  /**
   * Whether the browser has a cookie of this server, by `POST /login`: then nobody logs in here.
   *
   * @default true unless a user is named
   */
  readonly session?: boolean;
  /** Who logs in, by SCRAM. @default as the URL says */
  readonly userName?: string;
  /** In clear text; it is never sent. @default as the URL says */
  readonly password?: string;
  /** Makes the thread that reads and digests files, for pages that have its script elsewhere. @default `digest-worker.js` of this package */
  readonly makeWorker?: MakeWorker;
}

/** {@link GatewayOptions}, looked up. */
export interface ResolvedGateway {
  /** Without user and password. */
  readonly url: URL;
  readonly endpoint: Endpoint;
  readonly options: ResolvedConnectOptions;
}

/** @throws {ClientError} `ERR_URL` @throws {OptionsError} `ERR_OPTION_RANGE` */
export function resolveGateway(given: BrowserConnectOptions): ResolvedGateway {
  const base = globalThis.location?.href;
  const address = gatewayAddress(given.url ?? '/', base);
  const { url } = address;
  const userName = given.userName ?? address.userName;
  const { session = userName === undefined, openSocket = openBrowserSocket } = given;
  if (!session && userName === undefined) throw new ClientError('ERR_URL', `no user name given for ${url.host}`);
  const password = given.password ?? address.password;
  if (!session && password === undefined)
    throw new ClientError('ERR_URL', `no password given for ${userName} at ${url.host}`);

  const isSecure = url.protocol === 'wss:';
  const endpoint = {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port) || (isSecure ? 443 : 80),
    isSecure,
    userName: session ? '' : (userName ?? ''),
    password: session ? '' : (password ?? ''),
  };
  const platform = browserPlatform(
    ({ timeoutMs, signal }) => WebSocketTransport.dial({ url, openSocket, timeoutMs, signal }),
    session,
  );
  return { url, endpoint, options: resolveConnectOptions(connectOptionsOf(given), platform) };
}

function openBrowserSocket(url: string, protocol: string): WebSocket {
  if (typeof WebSocket === 'undefined')
    throw new ClientError('ERR_UNSUPPORTED', 'this platform has no WebSocket: give openSocket');
  return new WebSocket(url, protocol);
}

function connectOptionsOf(given: BrowserConnectOptions): ConnectOptions {
  const { url: _, openSocket: __, session: ___, userName: ____, password: _____, makeWorker: ______, ...rest } = given;
  return rest;
}
