/** What an attacker says, so that a server of some protocol takes it for a client of its own. */
export interface Dialect {
  /** In front of everything else on a connection. */
  readonly preamble: Buffer;
  /** Begins a request that `filler` never completes. */
  readonly opening: Buffer;
  readonly filler: Buffer;
  /** Announce far more than follows. */
  readonly hugePrefixes: readonly Buffer[];
  /** A whole request, which is answered; may be sent again and again. */
  readonly request: Buffer;
}

export const DIALECTS = ['sluice', 'http', 'raw'] as const;

export type DialectName = (typeof DIALECTS)[number];
