import { connect, type Socket } from 'node:net';
import { ClientError, systemText } from './errors.js';

/** Received bytes lie in one buffer of this size per connection, overwritten by each read. */
const RECEIVE_BUFFER_BYTES = 256 << 10;

/** Failures to connect that no waiting mends. */
const FINAL_CONNECT_ERRORS = new Set(['ENOTFOUND', 'EACCES', 'EPERM', 'EINVAL', 'EADDRNOTAVAIL']);

/** Where and how to connect. */
export interface DialOptions {
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Who uses a transport. All calls come from the event loop, never from within a call to the transport. */
export interface TransportUser {
  /** Bytes have come, at `buffer[0, end)`; they are overwritten after the call. */
  onBytes(buffer: Uint8Array, end: number): void;
  /** For the time given to `expectActivity`, nothing came and nothing of what was sent was taken. */
  onSilence(): void;
  /** The connection is gone; the last call. `error` is missing when the peer simply ended it. */
  onClose(error: Error | undefined): void;
}

/** A TCP connection: the only file of the client that knows sockets. Every connection is set up here, and so in the same way (C4). */
export class TcpTransport {
  readonly #socket: Socket;
  #user: TransportUser | undefined;
  #error: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', (error) => {
      this.#error = error;
    });
    socket.on('timeout', () => this.#user?.onSilence());
    socket.on('end', () => socket.destroy());
    socket.on('close', () => this.#user?.onClose(this.#error));
  }

  /** @throws {ClientError} `ERR_CONNECT`, or the signal's reason */
  static dial(options: DialOptions): Promise<TcpTransport> {
    const { host, port, timeoutMs, signal } = options;
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      let transport: TcpTransport | undefined;
      const socket = connect({
        host,
        port,
        noDelay: true,
        keepAlive: true,
        allowHalfOpen: false,
        onread: {
          buffer: new Uint8Array(RECEIVE_BUFFER_BYTES),
          callback: (bytes, buffer) => {
            if (transport) transport.#user?.onBytes(buffer, bytes);
            return true;
          },
        },
      });
      const fail = (reason: unknown) => {
        stopWaiting();
        socket.on('error', () => {}); // nobody is left to be told
        socket.destroy();
        reject(reason);
      };
      const onAbort = () => fail(signal.reason);
      const onError = (error: NodeJS.ErrnoException) => fail(connectError(host, port, error));
      const timer = setTimeout(() => {
        const text = `cannot connect to ${host}:${port}: no answer within ${timeoutMs} ms`;
        fail(new ClientError('ERR_CONNECT', text, { retryable: true }));
      }, timeoutMs);
      const stopWaiting = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        socket.off('connect', onConnect);
        socket.off('error', onError);
      };
      const onConnect = () => {
        stopWaiting();
        transport = new TcpTransport(socket);
        resolve(transport);
      };
      signal.addEventListener('abort', onAbort);
      socket.once('connect', onConnect);
      socket.once('error', onError);
    });
  }

  /** Names the user, once, in the tick in which `dial` has settled. */
  attach(user: TransportUser): void {
    this.#user = user;
  }

  /** Sends parts as one write. Settles when the system has taken all of it: only then may the parts be overwritten. */
  write(parts: readonly Uint8Array[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const last = parts.length - 1;
      this.#socket.cork();
      for (const [i, part] of parts.entries()) {
        if (i < last) this.#socket.write(part);
        else this.#socket.write(part, (error) => (error ? reject(error) : resolve()));
      }
      this.#socket.uncork();
    });
  }

  /** Watches for silence from now on; `0` ends it. */
  expectActivity(withinMs: number): void {
    this.#socket.setTimeout(withinMs);
  }

  /** Reads nothing more, after the bytes that are being handed over. */
  pause(): void {
    this.#socket.pause();
  }

  /** Reads again. */
  resume(): void {
    this.#socket.resume();
  }

  /** Whether the connection, while nothing happens on it, keeps the process alive. At first it does. */
  keepProcessAlive(doesKeep: boolean): void {
    if (doesKeep) this.#socket.ref();
    else this.#socket.unref();
  }

  /** Closes at once; what is not yet sent is dropped. */
  destroy(): void {
    this.#socket.destroy();
  }
}

function connectError(host: string, port: number, error: NodeJS.ErrnoException): ClientError {
  const why = error.code === 'ENOTFOUND' ? 'no such host' : systemText(connectCause(error));
  return new ClientError('ERR_CONNECT', `cannot connect to ${host}:${port}: ${why}`, {
    cause: error,
    retryable: !FINAL_CONNECT_ERRORS.has(error.code ?? ''),
  });
}

/** Node tries all addresses of a name; the first one's failure stands for all. */
function connectCause(error: Error): unknown {
  return error instanceof AggregateError ? error.errors[0] : error;
}
