import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { usageError } from '../command-error.js';
import { parseAddress } from '../options/address.js';
import type { Address, OptionTable, OptionValues } from '../options/option-table.js';

/** Options of serve about HTTP. */
export const httpOptions = {
  http: {
    kind: 'string',
    placeholder: 'HOST:PORT',
    default: '127.0.0.1:9980',
    summary:
      'address for browsers, and for programs that speak HTTP: dashboard, files, metrics, health; with certificates for HTTPS, too; off for none',
  },
  'http-origin': {
    kind: 'string',
    placeholder: 'ORIGIN',
    repeatable: true,
    summary: 'origin beside its own whose pages may act for a user who has logged in, like https://files.example.com',
  },
  'http-max-connections': {
    kind: 'integer',
    placeholder: 'N',
    min: 1,
    max: 100_000,
    default: 1000,
    summary: 'connections of HTTP at once; lowered to a sixteenth of what the limit on open files allows',
  },
  'http-session': {
    kind: 'duration',
    placeholder: 'TIME',
    min: 60_000,
    max: 30 * 86_400_000,
    default: 12 * 3_600_000,
    summary: 'how long a login in a browser lasts',
  },
  'http-open-metrics': {
    kind: 'flag',
    summary: 'give /metrics to everybody; else it is for this machine, and for admins who send their password',
  },
  'http-plain-login': {
    kind: 'flag',
    summary:
      'let users log in by HTTP without TLS from other machines, too: whoever reads it there has the password, so only behind a proxy that adds TLS',
  },
} as const satisfies OptionTable;

type HttpValues = OptionValues<typeof httpOptions>;

/** Where HTTP is served; `undefined` for nowhere. @throws {CommandError} exit code 2 */
export function httpAddressOf({ http }: Pick<HttpValues, 'http'>): Address | undefined {
  if (http === 'off') return undefined;
  const address = parseAddress(http);
  if (!address) throw usageError(`--http ${http || '""'} cannot be used: give HOST:PORT, like 127.0.0.1:9980, or off`);
  return address;
}

/**
 * What the options say about HTTP; `undefined` for no HTTP.
 *
 * @param given names of the options that somebody has set: an address that nobody has asked for may be in use
 * @throws {CommandError} exit code 2
 */
export async function httpOf(options: HttpValues, given: ReadonlySet<string>) {
  const address = httpAddressOf(options);
  if (!address) return undefined;
  const origins = options['http-origin'];
  for (const origin of origins) {
    if (!isOrigin(origin))
      throw usageError(
        `--http-origin ${origin || '""'} cannot be used: give an origin, like https://files.example.com`,
      );
  }
  const dashboard = await dashboardDirectory();
  return {
    ...address,
    ...(dashboard !== undefined && { dashboard }),
    origins,
    isOptional: !given.has('http'),
    maxConnections: options['http-max-connections'],
    sessionMs: options['http-session'],
    allowPlainLogin: options['http-plain-login'],
    openMetrics: options['http-open-metrics'],
  };
}

/** Where the built pages of the dashboard are; `undefined` where nobody has built them. */
async function dashboardDirectory(): Promise<string | undefined> {
  const { DASHBOARD_DIRECTORY } = await import('@sluice/dashboard');
  const directory = fileURLToPath(DASHBOARD_DIRECTORY);
  return existsSync(path.join(directory, 'index.html')) ? directory : undefined;
}

function isOrigin(text: string): boolean {
  return /^https?:\/\/(?:[\w.-]+|\[[\da-fA-F:.]+\])(?::\d{1,5})?\/?$/.test(text) && URL.canParse(text);
}
