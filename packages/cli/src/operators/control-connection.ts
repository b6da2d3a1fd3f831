import { type ConnectOptions, type ControlClient, connectControl, type ParsedSluiceUrl } from '@sluice/client';
import type { clientOptions } from '../commands/client-options.js';
import type { OptionValues } from '../options/option-table.js';
import { completeEndpoint, connectOptionsOf } from '../server-connections.js';

/** Connects to the Control protocol as the options of the command line say. @throws as `connectControl`, and for a missing user name */
export async function openControl(
  endpoint: ParsedSluiceUrl['endpoint'],
  values: OptionValues<typeof clientOptions>,
  signal: AbortSignal,
  onRetry?: NonNullable<ConnectOptions['onRetry']>,
): Promise<ControlClient> {
  return await connectControl(await completeEndpoint(endpoint, values['password-file']), {
    ...connectOptionsOf(values, endpoint),
    signal,
    maxConnections: 2,
    ...(onRetry && { onRetry }),
  });
}
