import { connect, type Socket, type TcpNetConnectOpts } from 'node:net';
import { connect as connectTls, TLSSocket } from 'node:tls';
import { ChunkJoiner } from '@sluice/framing';
import { ClientError } from './errors.js';
import { systemText } from './local-errors.js';
import { isLoopback } from './loopback.js';
import { TlsTrust } from './tls-trust.js';
import type { DialOptions, Transport, TransportUser } from './transport.js';

/** Received bytes lie in one buffer of this size per connection, overwritten by each read. */
const RECEIVE_BUFFER_BYTES = 256 << 10;

/** Failures to connect that no waiting mends. */
const FINAL_CONNECT_ERRORS = new Set(['ENOTFOUND', 'EACCES', 'EPERM', 'EINVAL', 'EADDRNOTAVAIL']);

/** What channel bindings are exported with; RFC 9266. */
const BINDING_LABEL = 'EXPORTER-Channel-Binding';
const BINDING_BYTES = 32;

/** A TCP connection, plain or with TLS: the only file of the client that knows sockets. Every connection is set up here, and so in the same way (C4). */
export class TcpTransport implements Transport {
  readonly #socket: Socket;
  /** Of a TLS connection. */
  readonly #joiner: ChunkJoiner | undefined;
  #user: TransportUser | undefined;
  #error: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', (error) => {
      this.#error = error;
    });
    socket.on('timeout', () => this.#user?.onSilence());
    if (socket instanceof TLSSocket)
      this.#joiner = new ChunkJoiner((chunk, _, end) => this.#user?.onBytes(chunk, end), setImmediate);
    socket.on('end', () => (this.#joiner ? this.#joiner.end(() => socket.destroy()) : socket.destroy()));
    socket.on('close', () => {
      this.#joiner?.drop();
      this.#user?.onClose(this.#error);
    });
  }

  /** @throws {ClientError} `ERR_CONNECT`, `ERR_TLS`, or the signal's reason */
  static dial(options: DialOptions): Promise<TcpTransport> {
    const { host, port, timeoutMs, tls, signal } = options;
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      let transport: TcpTransport | undefined;
      const trust = tls && new TlsTrust(tls, host, port);
      const common = { host, port, noDelay: true, keepAlive: true, allowHalfOpen: false };
      const socket = trust
        ? connectTls({ ...common, ...trust.connectionOptions() })
        : connectPlainly(common, (buffer, end) => {
            if (transport) transport.#user?.onBytes(buffer, end);
          });
      let isConnected = false;
      socket.once('connect', () => {
        isConnected = true;
      });
      const fail = (reason: unknown) => {
        stopWaiting();
        socket.on('error', () => {}); // nobody is left to be told
        socket.destroy();
        reject(reason);
      };
      const onAbort = () => fail(signal.reason);
      const onError = (error: NodeJS.ErrnoException) =>
        fail(trust && isConnected ? trust.failure(error) : connectError(host, port, error));
      const timer = setTimeout(() => {
        const text = `cannot connect to ${host}:${port}: no answer within ${timeoutMs} ms`;
        fail(new ClientError('ERR_CONNECT', text, { retryable: true }));
      }, timeoutMs);
      const stopWaiting = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        socket.off(ready, onReady);
        socket.off('error', onError);
      };
      const ready = trust ? 'secureConnect' : 'connect';
      const onReady = () => {
        const refusal = trust?.refusal(socket as TLSSocket);
        if (refusal) {
          fail(refusal);
          return;
        }
        stopWaiting();
        if (trust) socket.setNoDelay(true).setKeepAlive(true); // a TLS socket does not take these as options
        transport = new TcpTransport(socket);
        resolve(transport);
      };
      signal.addEventListener('abort', onAbort);
      socket.once(ready, onReady);
      socket.once('error', onError);
    });
  }

  attach(user: TransportUser): void {
    this.#user = user;
    // Not by `onread`: after `pause` that goes on with what has been decrypted already.
    if (this.#joiner) this.#socket.on('data', (record: Buffer) => this.#joiner?.push(record));
  }

  channelBinding(): Uint8Array | undefined {
    const socket = this.#socket;
    if (!(socket instanceof TLSSocket) || socket.getProtocol() !== 'TLSv1.3' || socket.destroyed) return undefined;
    return socket.exportKeyingMaterial(BINDING_BYTES, BINDING_LABEL, Buffer.alloc(0));
  }

  get isPrivate(): boolean {
    return this.#socket instanceof TLSSocket || isLoopback(this.#socket.remoteAddress ?? '');
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

  expectActivity(withinMs: number): void {
    this.#socket.setTimeout(withinMs);
  }

  pause(): void {
    this.#joiner?.pause();
    this.#socket.pause();
  }

  resume(): void {
    this.#joiner?.resume();
    this.#socket.resume();
  }

  keepProcessAlive(doesKeep: boolean): void {
    if (doesKeep) this.#socket.ref();
    else this.#socket.unref();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  textOf(failure: unknown): string {
    return systemText(failure);
  }
}

/** Received bytes go to `onBytes`, at `buffer[0, end)`, and are overwritten after it has returned. */
function connectPlainly(options: TcpNetConnectOpts, onBytes: (buffer: Uint8Array, end: number) => void): Socket {
  const callback = (end: number, buffer: Uint8Array) => {
    onBytes(buffer, end);
    return true;
  };
  return connect({ ...options, onread: { buffer: new Uint8Array(RECEIVE_BUFFER_BYTES), callback } });
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
