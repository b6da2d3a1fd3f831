import { Cancellation } from '../cancellation.js';
import { parseSluiceUrl, type ServerAddress } from '../endpoint.js';
import { nodePlatform } from '../node-platform.js';
import { type ConnectOptions, resolveConnectOptions } from '../options.js';
import { speedOf } from './speed-measurement.js';
import type { SpeedOptions } from './speed-options.js';
import type { SpeedResult } from './speed-result.js';

/**
 * Measures what a server and the way to it move, and how long round trips take meanwhile. No login is needed, and nothing is tried again.
 *
 * A server without the extension, an original one, is measured by packets that come back: `method` of the result says so.
 *
 * @param target `sluice://host:port/`, user, password and path are ignored; or the same in parts
 * @throws {ClientError} `ERR_CONNECT`, `ERR_REMOTE` (`resultCode` 12: the server measures as many streams as it may) and others; or the
 *   signal's reason
 * @throws {OptionsError} `ERR_OPTION_RANGE`
 */
export async function measureSpeed(
  target: string | URL | ServerAddress,
  options: SpeedOptions & ConnectOptions = {},
): Promise<SpeedResult> {
  const address = typeof target === 'string' || target instanceof URL ? parseSluiceUrl(`${target}`).endpoint : target;
  const connectOptions = resolveConnectOptions(options, nodePlatform);
  return new Cancellation().run(options.signal, (signal) => speedOf(address, connectOptions, options, signal));
}
