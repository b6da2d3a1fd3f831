import { ProtocolFlag } from '@sluice/wire';
import type { Cancel } from './clock.js';
import { Connection, type ConnectionOptions, type Opening } from './connection.js';
import type { Endpoint } from './endpoint.js';
import { ClientError } from './errors.js';
import { LoginMemory } from './login-memory.js';
import type { ResolvedConnectOptions } from './options.js';

/** Time between two heartbeats of a connection that waits for nothing. Specification 11: at most a third of the idle timeout. */
const HEARTBEAT_PERIOD_MS = 60_000;

/** Leave to make a connection; it counts until it is given back. */
const DIAL = Symbol('dial');

interface Waiter {
  readonly flag: ProtocolFlag;
  resolve(grant: Connection | typeof DIAL): void;
}

/** Connections for calls: each has one call at a time, and stays for the next one of its protocol. */
export class ConnectionPool {
  readonly #endpoint: Endpoint;
  readonly #options: ResolvedConnectOptions;
  readonly #all = new Set<Connection>();
  readonly #idle: Connection[] = [];
  /** Lent for longer than a call. */
  readonly #held = new Set<Connection>();
  readonly #waiters: Waiter[] = [];
  readonly #stopHeartbeats: Cancel;
  readonly #connecting: ConnectionOptions;
  #dialing = 0;
  #isClosed = false;
  #isExtended: boolean | undefined;

  constructor(endpoint: Endpoint, options: ResolvedConnectOptions) {
    this.#endpoint = endpoint;
    this.#options = options;
    this.#connecting = { ...options, loginMemory: new LoginMemory() };
    this.#stopHeartbeats = options.clock.every(HEARTBEAT_PERIOD_MS, () => this.#beat());
  }

  /** Connections that are open or being made. */
  get size(): number {
    return this.#all.size + this.#dialing;
  }

  /** Whether a call would have its connection without waiting for other calls. */
  hasRoom(flag: ProtocolFlag): boolean {
    if (this.#waiters.length > 0 || this.#isClosed) return false;
    return this.size < this.#options.maxConnections || this.#idle.some((connection) => connection.flag === flag);
  }

  /**
   * Runs `work` with a connection of its own. When the signal aborts, the connection is destroyed.
   *
   * @throws what `work` throws, what connecting throws, or the signal's reason
   */
  async use<T>(flag: ProtocolFlag, signal: AbortSignal, work: (connection: Connection) => T | Promise<T>): Promise<T> {
    const connection = await this.#acquire(flag, signal);
    const onAbort = () => connection.destroy(signal.reason);
    signal.addEventListener('abort', onAbort);
    try {
      signal.throwIfAborted();
      const result = await work(connection);
      this.#release(connection);
      return result;
    } catch (error) {
      const failure = connection.asFailure(error);
      if (failure instanceof ClientError && failure.resultCode !== undefined) this.#release(connection);
      else connection.destroy(failure);
      throw failure;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Whether the server knows extensions; one that does not is an original. */
  async serverIsExtended(signal: AbortSignal): Promise<boolean> {
    return this.#isExtended ?? this.use(ProtocolFlag.Upload, signal, ({ isExtended }) => isExtended);
  }

  /**
   * Lends a connection for longer than a call: it does not count among `maxConnections`. It belongs to the caller until it has ended, or is
   * given back.
   *
   * @param signal calls off only what is to be done to get it
   * @param onEnd called once if the connection ends before it is given back
   */
  async hold(flag: ProtocolFlag, signal: AbortSignal, opening: Opening, onEnd: () => void): Promise<Connection> {
    signal.throwIfAborted();
    const connection =
      this.#takeIdle(flag) ?? (await Connection.open(flag, this.#endpoint, this.#connecting, signal, opening));
    this.#all.delete(connection);
    this.#held.add(connection);
    connection.onEnd = () => {
      this.#held.delete(connection);
      onEnd();
    };
    this.#serveWaiters();
    if (this.#isClosed) connection.destroy(closedError());
    return connection;
  }

  /** Takes back a connection that was lent, on which no file is open; it stays for other calls if there is room. */
  giveBack(connection: Connection): void {
    if (!this.#held.delete(connection)) return;
    this.#all.add(connection);
    connection.onEnd = () => this.#forget(connection);
    const isOfUse = connection.isExtended && !connection.isWaiting && this.size <= this.#options.maxConnections;
    if (isOfUse) this.#release(connection);
    else this.#discard(connection);
  }

  /** Destroys all connections. To be called when no call is going on. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stopHeartbeats();
    for (const connection of [...this.#all, ...this.#held]) connection.destroy(closedError());
  }

  async #acquire(flag: ProtocolFlag, signal: AbortSignal): Promise<Connection> {
    signal.throwIfAborted();
    const grant = this.#waiters.length === 0 ? this.#take(flag) : undefined;
    const granted = grant ?? (await this.#wait(flag, signal));
    if (granted !== DIAL) return granted;
    try {
      const connection = await Connection.open(flag, this.#endpoint, this.#connecting, signal);
      this.#isExtended = connection.isExtended;
      this.#all.add(connection);
      connection.onEnd = () => this.#forget(connection);
      return connection;
    } finally {
      this.#dialing -= 1;
      this.#serveWaiters();
    }
  }

  #wait(flag: ProtocolFlag, signal: AbortSignal): Promise<Connection | typeof DIAL> {
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        reject(signal.reason);
      };
      const waiter: Waiter = {
        flag,
        resolve: (grant) => {
          signal.removeEventListener('abort', onAbort);
          resolve(grant);
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiters.push(waiter);
    });
  }

  /** An idle connection, or leave to make one; idle ones of another protocol make room. `undefined`: all are busy. */
  #take(flag: ProtocolFlag): Connection | typeof DIAL | undefined {
    const idle = this.#takeIdle(flag);
    if (idle) return idle;
    if (this.size >= this.#options.maxConnections) {
      const other = this.#idle[0];
      if (!other) return undefined;
      this.#discard(other);
    }
    this.#dialing += 1;
    return DIAL;
  }

  #takeIdle(flag: ProtocolFlag): Connection | undefined {
    const index = this.#idle.findLastIndex((connection) => connection.flag === flag);
    if (index < 0) return undefined;
    const [connection] = this.#idle.splice(index, 1) as [Connection];
    connection.keepProcessAlive(true);
    return connection;
  }

  #release(connection: Connection): void {
    if (!connection.isReusable || this.#isClosed) {
      this.#discard(connection);
      return;
    }
    connection.keepProcessAlive(false);
    this.#idle.push(connection);
    this.#serveWaiters();
  }

  #discard(connection: Connection): void {
    connection.onEnd = () => {};
    this.#all.delete(connection);
    const index = this.#idle.indexOf(connection);
    if (index >= 0) this.#idle.splice(index, 1);
    connection.destroy(new ClientError('ERR_CONNECTION_LOST', 'connection no longer needed', { retryable: true }));
    this.#serveWaiters();
  }

  #forget(connection: Connection): void {
    this.#all.delete(connection);
    const index = this.#idle.indexOf(connection);
    if (index >= 0) this.#idle.splice(index, 1);
    this.#serveWaiters();
  }

  #serveWaiters(): void {
    for (let waiter = this.#waiters[0]; waiter; waiter = this.#waiters[0]) {
      const grant = this.#take(waiter.flag);
      if (!grant) return;
      this.#waiters.shift();
      waiter.resolve(grant);
    }
  }

  #beat(): void {
    for (const connection of [...this.#all, ...this.#held]) if (!connection.isWaiting) void connection.heartbeat();
  }
}

function closedError(): ClientError {
  return new ClientError('ERR_CLOSED', 'the client is closed');
}
