import { type ConnectOptions, connect, type Endpoint, type ParsedSluiceUrl, type SluiceClient } from '@sluice/client';
import { usageError } from './command-error.js';
import type { clientOptions } from './commands/client-options.js';
import { environment } from './environment.js';
import { addressText } from './options/address.js';
import type { OptionValues } from './options/option-table.js';
import { findPassword } from './password.js';

export interface ServerConnectionsOptions {
  readonly values: OptionValues<typeof clientOptions>;
  readonly signal: AbortSignal;
  /** Connections to one server at once. @default 2 */
  readonly maxConnections?: number;
  readonly onRetry?: NonNullable<ConnectOptions['onRetry']>;
}

/** The servers that one command line names; each is asked for a password, and logged in to, once. Owns its clients. */
export class ServerConnections implements AsyncDisposable {
  readonly #options: ServerConnectionsOptions;
  readonly #clients = new Map<string, Promise<SluiceClient>>();

  constructor(options: ServerConnectionsOptions) {
    this.#options = options;
  }

  /** @throws {ClientError} as `connect` @throws {CommandError} as `findPassword`, and for a missing user name */
  to(endpoint: ParsedSluiceUrl['endpoint']): Promise<SluiceClient> {
    const key = JSON.stringify([endpoint.userName, endpoint.password, endpoint.host, endpoint.port]);
    const known = this.#clients.get(key) ?? this.#connect(endpoint);
    this.#clients.set(key, known);
    return known;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled([...this.#clients.values()].map(async (client) => (await client).close()));
  }

  async #connect(given: ParsedSluiceUrl['endpoint']): Promise<SluiceClient> {
    const { values, signal, maxConnections = 2, onRetry } = this.#options;
    return await connect(await completeEndpoint(given, values['password-file']), {
      ...connectOptionsOf(values),
      signal,
      maxConnections,
      ...(onRetry && { onRetry }),
    });
  }
}

/** What the options of the command line say about connections. */
export function connectOptionsOf(values: OptionValues<typeof clientOptions>): ConnectOptions {
  return {
    connectTimeoutMs: values['connect-timeout'],
    responseTimeoutMs: values.timeout,
    retries: values.retries,
  };
}

/** Finds the password. @throws {CommandError} exit code 2 without a user name; as `findPassword` */
export async function completeEndpoint(
  given: ParsedSluiceUrl['endpoint'],
  passwordFile: string | undefined,
): Promise<Endpoint> {
  const { host, port, userName } = given;
  if (userName === undefined) {
    const address = addressText({ host, port });
    throw usageError(`no user name for ${address}: write sluice://NAME@${address}/`);
  }
  const password =
    given.password ??
    (await findPassword(`${userName} at ${host}`, {
      file: passwordFile,
      environment: environment.password,
    }));
  return { host, port, userName, password };
}
