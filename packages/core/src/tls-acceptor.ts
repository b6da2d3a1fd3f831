import type { Socket } from 'node:net';
import tls, { type SecureContextOptions, type TLSSocket } from 'node:tls';
import { DEFAULT_DEADLINES } from './deadlines.js';
import { SlotQueue } from './slot-queue.js';
import type { TlsContexts } from './tls-contexts.js';

export interface TlsListenerOptions {
  readonly contexts: TlsContexts;
  /** Time from the first byte to the end of the handshake, waiting included, in milliseconds; 0 for no limit. Up to 1 s late. @default 10_000 */
  readonly handshakeTimeoutMs?: number;
  /** Handshakes at once. @default 1000 */
  readonly maxHandshakes?: number;
  /** Connections that wait, unread, for their handshake; more are closed. @default 1000 */
  readonly maxWaitingHandshakes?: number;
}

export const DEFAULT_TLS_LISTENER_OPTIONS = {
  handshakeTimeoutMs: DEFAULT_DEADLINES.handshakeTimeoutMs,
  maxHandshakes: 1000,
  maxWaitingHandshakes: 1000,
} as const;

/** Longest beginning of a handshake: a ClientHello fills no more than a record, and its sender then waits for the answer. */
const MAX_FIRST_BYTES = (16 << 10) + 5;

/** Longer than any handshake may take; the deadline is the connection's. */
const NEVER_MS = 2 ** 31 - 1;

const ENDED_WAITING = 'ended while it waited for its handshake';

/** How a handshake ends: one of these is called, once. */
export interface HandshakeOutcome {
  onSecured(socket: TLSSocket): void;
  /** The socket is closed. */
  onFailed(error: Error): void;
}

/** The handshake was not begun. */
export class TlsRefusedError extends Error {
  override readonly name = 'TlsRefusedError';
  readonly code: 'ERR_TLS_BUSY' | 'ERR_TLS_NO_HANDSHAKE';

  constructor(code: TlsRefusedError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

interface Handshake {
  readonly socket: Socket;
  readonly outcome: HandshakeOutcome;
}

/** A socket made by `tls.Server` knows the one it was made of; this is not part of Node's documented interface. */
type WrappingSocket = TLSSocket & { readonly _parent?: Socket };

/**
 * Makes TLS connections of accepted sockets whose first bytes have been read. So many handshakes go on at once; further sockets wait,
 * unread, for their turn.
 *
 * The handshake, and who may pass it, is the matter of a `tls.Server` that never listens and is handed the sockets.
 */
export class TlsAcceptor {
  readonly handshakeTimeoutMs: number;
  readonly #contexts: TlsContexts;
  readonly #admission: SlotQueue<Handshake>;
  readonly #handshakes = new Map<Socket, Handshake>();
  /** Handshakes that were passed, since the start. */
  done = 0;
  /** Those that were not, begun or refused. */
  failed = 0;
  #server: tls.Server | undefined;
  #serverOptions: SecureContextOptions | undefined;

  constructor({ contexts, ...given }: TlsListenerOptions) {
    const { handshakeTimeoutMs, maxHandshakes, maxWaitingHandshakes } = { ...DEFAULT_TLS_LISTENER_OPTIONS, ...given };
    this.#contexts = contexts;
    this.handshakeTimeoutMs = handshakeTimeoutMs;
    this.#admission = new SlotQueue(maxHandshakes, maxWaitingHandshakes);
  }

  /** Handshakes that go on. */
  get active(): number {
    return this.#admission.active;
  }

  /** Sockets that wait for theirs. */
  get waiting(): number {
    return this.#admission.waiting;
  }

  /**
   * Takes over a socket that nobody else reads any more. To break off, destroy the socket: the outcome comes all the same.
   *
   * @param first the bytes that were read from it, not changed afterwards
   */
  accept(socket: Socket, first: Uint8Array, outcome: HandshakeOutcome): void {
    const handshake = { socket, outcome: this.#counted(outcome) };
    socket.on('error', ignore); // told by the outcome
    socket.pause();
    socket.unshift(first);
    if (first.length > MAX_FIRST_BYTES) {
      this.#refuse(handshake, 'ERR_TLS_NO_HANDSHAKE', 'more bytes at once than a handshake begins with');
      return;
    }
    switch (this.#admission.offer(handshake, 0)) {
      case 'admitted':
        this.#begin(handshake);
        break;
      case 'waiting':
        socket.once('close', () => {
          if (this.#admission.withdraw(handshake)) handshake.outcome.onFailed(new Error(ENDED_WAITING));
        });
        break;
      case 'refused':
        this.#refuse(handshake, 'ERR_TLS_BUSY', 'too many handshakes at once');
    }
  }

  #counted(outcome: HandshakeOutcome): HandshakeOutcome {
    return {
      onSecured: (socket) => {
        this.done += 1;
        outcome.onSecured(socket);
      },
      onFailed: (error) => {
        this.failed += 1;
        outcome.onFailed(error);
      },
    };
  }

  #refuse({ socket, outcome }: Handshake, code: TlsRefusedError['code'], message: string): void {
    socket.once('close', () => outcome.onFailed(new TlsRefusedError(code, message)));
    socket.destroy();
  }

  #begin(handshake: Handshake): void {
    const { socket, outcome } = handshake;
    if (socket.destroyed) {
      socket.once('close', () => outcome.onFailed(new Error(ENDED_WAITING)));
      this.#releaseSlot();
      return;
    }
    this.#handshakes.set(socket, handshake);
    socket.allowHalfOpen = false; // a peer that ends in the middle of a handshake has left; its TLS socket takes this over
    this.#currentServer().emit('connection', socket);
  }

  /** A server has one set of certificates: after a reload there is a new one. Handshakes that go on keep theirs. */
  #currentServer(): tls.Server {
    const options = this.#contexts.defaultOptions;
    if (this.#server && this.#serverOptions === options) return this.#server;
    this.#serverOptions = options;
    const { ticketKeys } = this.#contexts;
    this.#server = tls.createServer({
      ...options,
      ...(ticketKeys && { ticketKeys: Buffer.from(ticketKeys) }),
      requestCert: this.#contexts.needsClientCertificate,
      rejectUnauthorized: this.#contexts.needsClientCertificate,
      handshakeTimeout: NEVER_MS,
      SNICallback: (serverName, done) => done(null, this.#contexts.forServerName(serverName)),
    });
    this.#server.on('secureConnection', this.#onSecured);
    this.#server.on('tlsClientError', this.#onFailed);
    return this.#server;
  }

  readonly #onSecured = (socket: WrappingSocket): void => {
    const handshake = this.#take(socket);
    if (!handshake) {
      socket.destroy();
      return;
    }
    socket.allowHalfOpen = true;
    handshake.outcome.onSecured(socket);
  };

  readonly #onFailed = (error: Error, socket: WrappingSocket): void => {
    const handshake = this.#take(socket);
    if (!handshake) return;
    const told = new Error(reasonOf(error, socket), { cause: error });
    const { socket: raw, outcome } = handshake;
    if (raw.closed) outcome.onFailed(told);
    else raw.once('close', () => outcome.onFailed(told));
    raw.destroy();
  };

  #take(socket: WrappingSocket): Handshake | undefined {
    const raw = socket._parent;
    const handshake = raw && this.#handshakes.get(raw);
    if (!handshake) return undefined;
    this.#handshakes.delete(handshake.socket);
    this.#releaseSlot();
    return handshake;
  }

  #releaseSlot(): void {
    const next = this.#admission.release();
    if (next) this.#begin(next);
  }
}

/** OpenSSL's messages begin with addresses and end with lines of its source; `reason` is what they have to say. */
function reasonOf(error: Error & { readonly reason?: string }, { authorizationError }: TLSSocket): string {
  if (authorizationError) return `the client's certificate is refused: ${authorizationError}`;
  if ((error as NodeJS.ErrnoException).code === 'ECONNRESET') return 'the peer has ended the connection';
  return error.reason ?? error.message;
}

function ignore(): void {}
