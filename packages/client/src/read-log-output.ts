import type { Endpoint } from './endpoint.js';
import { logOutputOf } from './log-output.js';
import { nodePlatform } from './node-platform.js';
import { type ConnectOptions, resolveConnectOptions } from './options.js';

/**
 * The log of a server as its LogOutput protocol tells it: text, as it comes, beginning with a banner. All servers of the original protocol have
 * it; no login, no history, no repetition after a broken link. Specification 10.
 *
 * @throws {ClientError} `ERR_CONNECT`, `ERR_CONNECTION_LOST`; or the signal's reason
 */
export async function* readLogOutput(
  address: Pick<Endpoint, 'host' | 'port'>,
  options: Pick<ConnectOptions, 'connectTimeoutMs'> & { readonly signal: AbortSignal },
): AsyncGenerator<string> {
  const { signal, ...given } = options;
  yield* logOutputOf(address, resolveConnectOptions(given, nodePlatform), signal);
}
