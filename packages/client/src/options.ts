import { OptionsError } from '@sluice/framing';
import { type ClientClock, clientClock } from './clock.js';
import { plainFingerprint } from './fingerprint.js';
import type { Platform } from './platform.js';

/** Connections for one file where the caller gives no number; see docs/decisions.md. */
export const DEFAULT_STREAMS = 4;

/** A failed attempt that will be made again. */
export interface RetryInfo {
  /** The attempt that failed; the first is 1. */
  readonly attempt: number;
  /** Pause before the next one, in milliseconds. */
  readonly delayMs: number;
  readonly error: Error;
}

/** Which servers a client trusts, and what it shows them. For `sluices://` only. */
export interface ClientTlsOptions {
  /** Authorities in PEM form: only servers whose certificate one of them has signed are trusted. @default those that Node brings along */
  readonly ca?: string;
  /**
   * SHA-256 of a certificate, 64 hexadecimal digits with or without colons: only a server that shows exactly this one is trusted, whoever has
   * signed it, whatever its names, and even if it has expired.
   */
  readonly fingerprint?: string;
  /** Certificate of the client, PEM, for servers that ask for one; with `key`. */
  readonly cert?: string;
  /** Its private key, PEM, not encrypted. */
  readonly key?: string;
}

/**
 * How a client logs in. The MD5 digest of the password is as good as the password to whoever reads it, and all that servers of the original
 * system take.
 *
 * - `auto`: by SCRAM; by digest at servers that do not have that, over TLS and on this machine only
 * - `scram`: never by digest
 * - `any`: by SCRAM; by digest at servers that do not have that, wherever they are
 * - `digest`: by digest at once
 */
export type LoginPolicy = (typeof LOGIN_POLICIES)[number];

/** The policies, by name. */
export const LOGIN_POLICIES = ['auto', 'scram', 'any', 'digest'] as const;

/** Options of a client; the defaults are {@link DEFAULT_CONNECT_OPTIONS}. */
export interface ConnectOptions {
  /** Calls off the first connection and its login. Later calls take their own. */
  readonly signal?: AbortSignal;
  /** Time a connection may take to be made, in milliseconds. @default 10_000 */
  readonly connectTimeoutMs?: number;
  /**
   * Silence while an answer or data is awaited, or while nothing of what was sent is taken, after which the connection counts as lost; in
   * milliseconds. @default 60_000
   */
  readonly responseTimeoutMs?: number;
  /** New attempts in a row that bring nothing forward before a call fails; `0`: none. @default 5 */
  readonly retries?: number;
  /** Pause before the first new attempt, in milliseconds; doubled each time up to 15,000, then cut by up to half at random. @default 500 */
  readonly retryDelayMs?: number;
  /** Connections to the server at once, 1 to 1,000; calls that find none free wait. @default 8 */
  readonly maxConnections?: number;
  /** What to trust and to show when the URL is `sluices://`. @default servers that Node's authorities vouch for */
  readonly tls?: ClientTlsOptions;
  /** How to log in. @default 'auto' */
  readonly login?: LoginPolicy;
  /** Told about every attempt that fails and will be made again. */
  readonly onRetry?: (info: RetryInfo) => void;
  /** For tests: a number from 0 to 1, as Math.random. */
  readonly random?: () => number;
  /** For tests: time for pauses and heartbeats. */
  readonly clock?: ClientClock;
}

/** {@link ConnectOptions} with nothing missing; the signal belongs to the first connection only. */
export type ResolvedConnectOptions = Readonly<Required<Omit<ConnectOptions, 'signal'>>> & {
  /** Where the client runs. */
  readonly platform: Platform;
};

/** What is used where the caller gives nothing. */
export const DEFAULT_CONNECT_OPTIONS: Omit<ResolvedConnectOptions, 'platform'> = {
  connectTimeoutMs: 10_000,
  responseTimeoutMs: 60_000,
  retries: 5,
  retryDelayMs: 500,
  maxConnections: 8,
  tls: {},
  login: 'auto',
  onRetry: () => {},
  random: Math.random,
  clock: clientClock,
};

const MAX_TIMER_MS = 2 ** 31 - 1;

/** @throws {OptionsError} `ERR_OPTION_RANGE` */
export function resolveConnectOptions(given: ConnectOptions, platform: Platform): ResolvedConnectOptions {
  const { signal: _, ...rest } = given;
  const options = { ...DEFAULT_CONNECT_OPTIONS, ...rest, platform };
  requireRange('connectTimeoutMs', options.connectTimeoutMs, 1, MAX_TIMER_MS);
  requireRange('responseTimeoutMs', options.responseTimeoutMs, 1, MAX_TIMER_MS);
  requireRange('retries', options.retries, 0, 1_000_000);
  requireRange('retryDelayMs', options.retryDelayMs, 0, MAX_TIMER_MS);
  requireRange('maxConnections', options.maxConnections, 1, 1_000);
  requireTls(options.tls);
  if (!LOGIN_POLICIES.includes(options.login)) {
    throw new OptionsError(`login is ${options.login}; it must be one of ${LOGIN_POLICIES.join(', ')}`);
  }
  return Object.freeze(options);
}

function requireRange(name: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new OptionsError(`${name} is ${value}; it must be a whole number from ${min} to ${max}`);
  }
}

function requireTls({ fingerprint, cert, key }: ClientTlsOptions): void {
  if (fingerprint !== undefined && plainFingerprint(fingerprint) === undefined) {
    throw new OptionsError('tls.fingerprint is no SHA-256 of a certificate: it has 64 hexadecimal digits');
  }
  if ((cert === undefined) !== (key === undefined)) throw new OptionsError('tls.cert and tls.key are needed together');
}
