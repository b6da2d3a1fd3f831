import { ControlClient } from './control-client.js';
import { type Endpoint, resolveEndpoint } from './endpoint.js';
import { nodePlatform } from './node-platform.js';
import { type ConnectOptions, resolveConnectOptions } from './options.js';

/**
 * Connects to the Control protocol of a server and logs in, once and without retries.
 *
 * @param url as in {@link connect}
 * @throws as {@link connect}
 */
export async function connectControl(
  url: string | URL | Endpoint,
  options: ConnectOptions = {},
): Promise<ControlClient> {
  const client = new ControlClient(resolveEndpoint(url), resolveConnectOptions(options, nodePlatform));
  try {
    await client.firstPing(options);
    return client;
  } catch (error) {
    await client.close();
    throw error;
  }
}
