import type { ClientTlsOptions } from './options.js';

/** Where and how to connect. */
export interface DialOptions {
  readonly host: string;
  readonly port: number;
  /** The TLS handshake included. */
  readonly timeoutMs: number;
  /** With it, the connection is a TLS connection, and the server is one that is trusted. */
  readonly tls: ClientTlsOptions | undefined;
  readonly signal: AbortSignal;
}

/** Makes connections. @throws {ClientError} `ERR_CONNECT`, `ERR_TLS` and others, or the signal's reason */
export type Dialer = (options: DialOptions) => Promise<Transport>;

/** Who uses a transport. All calls come from the event loop, never from within a call to the transport. */
export interface TransportUser {
  /** Bytes have come, at `buffer[0, end)`; they are overwritten after the call. */
  onBytes(buffer: Uint8Array, end: number): void;
  /** For the time given to `expectActivity`, nothing came and nothing of what was sent was taken. */
  onSilence(): void;
  /** The connection is gone; the last call. `error` is missing when the peer simply ended it; a `ClientError` is what callers are told. */
  onClose(error: Error | undefined): void;
}

/** A connection that carries bytes both ways, whatever it is made of. */
export interface Transport {
  /** Names the user, once, in the tick in which the dialer's promise has settled. */
  attach(user: TransportUser): void;
  /** Whether nobody else can read it: it is a TLS connection, or does not leave this machine. */
  readonly isPrivate: boolean;
  /**
   * What only the two ends of this connection know, 32 bytes: `tls-exporter` of RFC 9266.
   *
   * @returns `undefined` without TLS 1.3, where the platform does not tell, and once the connection has ended
   */
  channelBinding(): Uint8Array | undefined;
  /** Sends parts. Settles when the system has taken enough of it that more may follow: only then may the parts be overwritten. */
  write(parts: readonly Uint8Array[]): Promise<void>;
  /** Watches for silence from now on; `0` ends it. */
  expectActivity(withinMs: number): void;
  /** Hands over nothing more, after the bytes that are being handed over. */
  pause(): void;
  /** Hands over again. */
  resume(): void;
  /** Whether the connection, while nothing happens on it, keeps the process alive. At first it does. */
  keepProcessAlive(doesKeep: boolean): void;
  /** Closes at once; what is not yet sent is dropped. */
  destroy(): void;
  /** What a failure of this transport is called, for people. */
  textOf(failure: unknown): string;
}
