import { Cancellation } from '../cancellation.js';
import { ControlClient } from '../control-client.js';
import { logOutputOf } from '../log-output.js';
import { speedOf } from '../speed/speed-measurement.js';
import type { SpeedOptions } from '../speed/speed-options.js';
import type { SpeedResult } from '../speed/speed-result.js';
import { BrowserClient } from './browser-client.js';
import { type BrowserConnectOptions, type GatewayOptions, resolveGateway } from './browser-options.js';
import { requireSession } from './session.js';

/**
 * Connects to a server through its gateway, once and without retries: with the cookie of the page, or by user and password.
 *
 * @throws {ClientError} `ERR_URL`, `ERR_CONNECT`, `ERR_TIMEOUT`, `ERR_LOGIN_REFUSED` and others
 * @throws {OptionsError} `ERR_OPTION_RANGE`
 */
export async function connect(options: BrowserConnectOptions = {}): Promise<BrowserClient> {
  const gateway = resolveGateway(options);
  await requireSession(gateway, options.signal);
  const client = new BrowserClient(gateway, options.makeWorker);
  try {
    await client.firstPing(options);
    return client;
  } catch (error) {
    await client.close();
    throw error;
  }
}

/**
 * Connects to the Control protocol of a server, in the same way.
 *
 * @throws as {@link connect}
 */
export async function connectControl(options: BrowserConnectOptions = {}): Promise<ControlClient> {
  const gateway = resolveGateway(options);
  await requireSession(gateway, options.signal);
  const client = new ControlClient(gateway.endpoint, gateway.options);
  try {
    await client.firstPing(options);
    return client;
  } catch (error) {
    await client.close();
    throw error;
  }
}

/**
 * Measures what a server and the way to it move, and how long round trips take meanwhile. No login is needed, and nothing is tried again.
 *
 * @throws {ClientError} `ERR_CONNECT`, `ERR_REMOTE` and others; or the signal's reason
 * @throws {OptionsError} `ERR_OPTION_RANGE`
 */
export async function measureSpeed(options: SpeedOptions & GatewayOptions = {}): Promise<SpeedResult> {
  const { endpoint, options: resolved } = resolveGateway({ ...speedless(options), session: true });
  return new Cancellation().run(options.signal, (signal) => speedOf(endpoint, resolved, options, signal));
}

/**
 * The log of a server as its LogOutput protocol tells it: text, as it comes, beginning with a banner; no login, no history, no repetition after a broken link.
 * Servers permit that to their own machine only, unless told otherwise: `followLog` of {@link connectControl} is what a page wants.
 *
 * @throws {ClientError} `ERR_CONNECT`, `ERR_CONNECTION_LOST`; or the signal's reason
 */
export async function* readLogOutput(
  options: GatewayOptions & { readonly signal: AbortSignal },
): AsyncGenerator<string> {
  const { endpoint, options: resolved } = resolveGateway({ ...options, session: true });
  yield* logOutputOf(endpoint, resolved, options.signal);
}

function speedless(options: SpeedOptions & GatewayOptions): GatewayOptions {
  const {
    direction: _,
    streams: __,
    seconds: ___,
    bytes: ____,
    intervalMs: _____,
    onInterval: ______,
    ...rest
  } = options;
  return rest;
}
