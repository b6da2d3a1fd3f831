import type { CreateServer, StreamListenerOptions } from '@sluice/core';
import type { HttpRoute, UpgradeRoute } from './http-route.js';

/** The HTTP listener of a server. */
export interface HttpServerOptions {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** Routes beside the server's own. @default none */
  readonly routes?: readonly HttpRoute[];
  readonly upgrades?: readonly UpgradeRoute[];
  /** Directory with the pages that are shown; without it there are none. */
  readonly dashboard?: string;
  /** Origins beside its own whose pages may act for a user, as `https://files.example.com`. @default none */
  readonly origins?: readonly string[];
  /** Whether the server starts without HTTP when the address is in use. @default false */
  readonly isOptional?: boolean;
  /** Connections at once; lowered to a sixteenth of the descriptors of the process. @default 1000 */
  readonly maxConnections?: number;
  /** Of one address, or one /64 of IPv6, except this machine's; 0 for no limit. @default 100 */
  readonly maxPerAddress?: number;
  /** How long a login lasts, whatever is done in that time, in milliseconds. @default 12 hours */
  readonly sessionMs?: number;
  /** Whether users of other machines may send their passwords without TLS. @default false */
  readonly allowPlainLogin?: boolean;
  /** Whether `/metrics` is for everybody. @default false: for this machine, and for admins */
  readonly openMetrics?: boolean;
  /** 32 random bytes that logins are signed with, the same in all processes of a server. @default one process's own */
  readonly sessionKey?: Uint8Array;
  /** Where connections come from. @default the system's TCP */
  readonly createServer?: CreateServer;
  /** Called when a connection has ended, or is counted elsewhere from now on. */
  readonly onLeft?: NonNullable<StreamListenerOptions['onLeft']>;
}

export const DEFAULT_HTTP_OPTIONS = {
  maxConnections: 1000,
  maxPerAddress: 100,
  sessionMs: 12 * 3_600_000,
} as const;

export const HTTP_TIMEOUTS = {
  /** For the line and the headers of a request, from its first byte, or from the start of the connection. */
  headersMs: 10_000,
  /** Between two requests of a connection. */
  keepAliveMs: 60_000,
  /** Time in which a request, or its answer, must come on by a KiB. */
  stallMs: 60_000,
} as const;

/** Line and headers of a request. */
export const MAX_HTTP_HEAD_BYTES = 16 << 10;

export const MAX_HTTP_HEADERS = 100;
