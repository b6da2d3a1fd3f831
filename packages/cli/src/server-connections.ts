import { readFileSync } from 'node:fs';
import {
  type ClientTlsOptions,
  type ConnectOptions,
  connect,
  type Endpoint,
  LOGIN_POLICIES,
  type LoginPolicy,
  type ParsedSluiceUrl,
  type SluiceClient,
} from '@sluice/client';
import { usageError } from './command-error.js';
import type { clientOptions } from './commands/client-options.js';
import { environment } from './environment.js';
import { localFailure } from './failure.js';
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
    const key = JSON.stringify([endpoint.userName, endpoint.password, endpoint.host, endpoint.port, endpoint.isSecure]);
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
      ...connectOptionsOf(values, given),
      signal,
      maxConnections,
      ...(onRetry && { onRetry }),
    });
  }
}

/**
 * What the options of the command line, and the environment, say about connections to a server.
 *
 * @throws {CommandError} exit code 2 for options about TLS with a server that is named without; 1 for files that cannot be read
 */
export function connectOptionsOf(
  values: OptionValues<typeof clientOptions>,
  { isSecure = false }: Pick<ParsedSluiceUrl['endpoint'], 'isSecure'>,
): ConnectOptions {
  const tls = tlsOptionsOf(values, isSecure);
  return {
    ...(tls && { tls }),
    login: loginPolicyOf(values),
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
  const { host, port, userName, isSecure = false } = given;
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
  return { host, port, userName, password, isSecure };
}

/** What the command line says counts, else the environment. @throws {CommandError} exit code 2 */
function loginPolicyOf({ login }: OptionValues<typeof clientOptions>): LoginPolicy {
  const text = login ?? environment.login ?? 'auto';
  const policy = LOGIN_POLICIES.find((each) => each === text);
  if (policy) return policy;
  throw usageError(
    `${login === undefined ? 'SLUICE_LOGIN' : '--login'} ${text}: it takes ${LOGIN_POLICIES.join(', ')}`,
  );
}

function tlsOptionsOf(values: OptionValues<typeof clientOptions>, isSecure: boolean): ClientTlsOptions | undefined {
  const given = (['tls-ca', 'tls-fingerprint', 'tls-cert', 'tls-key'] as const).find(
    (name) => values[name] !== undefined,
  );
  if (!isSecure) {
    if (given) throw usageError(`--${given} is for servers with TLS: their URL begins with sluices://`);
    return undefined;
  }
  const { 'tls-cert': certFile, 'tls-key': keyFile } = values;
  if ((certFile === undefined) !== (keyFile === undefined)) throw usageError('give --tls-cert and --tls-key together');
  // What is said on the command line about whom to trust counts alone.
  const isTrustGiven = values['tls-ca'] !== undefined || values['tls-fingerprint'] !== undefined;
  const caFile = isTrustGiven ? values['tls-ca'] : environment.tlsCa;
  const fingerprint = isTrustGiven ? values['tls-fingerprint'] : environment.tlsFingerprint;
  if (fingerprint !== undefined && !/^(?:[\da-f]{2}:?){31}[\da-f]{2}$/i.test(fingerprint)) {
    throw usageError('the fingerprint of a certificate is a SHA-256: 64 hexadecimal digits, with or without colons');
  }
  return {
    ...(caFile !== undefined && { ca: readPem(caFile) }),
    ...(fingerprint !== undefined && { fingerprint }),
    ...(certFile !== undefined && { cert: readPem(certFile) }),
    ...(keyFile !== undefined && { key: readPem(keyFile) }),
  };
}

function readPem(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw localFailure('read', file, cause);
  }
}
