import type net from 'node:net';
import { OptionsError } from '@sluice/framing';
import { Admission } from './admission.js';
import { type Clock, systemClock } from './clock.js';
import { type CloseReason, Connection, type ConnectionHandler, type ConnectionLimits } from './connection.js';
import { type ConnectionDeadlines, DEFAULT_DEADLINES, deadlineTimes } from './deadlines.js';
import { descriptorLimit, fitToDescriptors } from './descriptor-limit.js';
import type { MemoryCeiling } from './memory-ceiling.js';
import type { MessageCounters } from './message-stream.js';
import { DEFAULT_OUTBOUND_LIMITS, type OutboundLimits } from './outbound-queue.js';
import type { ReceiveMode } from './receive-buffer.js';
import { type CreateServer, createSystemServer } from './system-server.js';
import { TlsAcceptor, type TlsListenerOptions } from './tls-acceptor.js';

export interface ListenerOptions extends Partial<Omit<ConnectionDeadlines, 'handshakeTimeoutMs'>> {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** Called for each admitted connection, before any of its bytes. An error it throws ends that connection only. */
  readonly onConnection: (connection: Connection) => ConnectionHandler;
  /** A condition the operator should know of. */
  readonly onWarning?: (message: string) => void;
  /** Connections the system may complete before we accept them; the system lowers it to its own limit. @default 4096 */
  readonly backlog?: number;
  /** Connections served at once. Lowered, with a warning, to what the process's descriptor limit allows. @default 10_000 */
  readonly maxConnections?: number;
  /** Connections that are accepted and wait, unread, for a place; more are closed. @default 1024 */
  readonly maxWaiting?: number;
  /**
   * Time for which a connection may wait for a place before it is closed, in milliseconds; 0 for no limit. Nothing is read from one that
   * waits, so that it has gone away does not show. @default 60_000
   */
  readonly waitTimeoutMs?: number;
  readonly limits?: Partial<ConnectionLimits>;
  /**
   * Connections whose first byte begins a TLS handshake become TLS connections; the others stay plain. `Connection.tls` tells which is
   * which. @default no TLS: that byte is like any other
   */
  readonly tls?: TlsListenerOptions;
  /**
   * Whether a peer is a balancer that must begin with a header of the PROXY protocol, version 1 or 2, within the time for the first byte;
   * from others such a header is like any other bytes. @default none is
   */
  readonly isProxy?: (address: string) => boolean;
  /** Budgets for what connections hold. While the process holds too much, new connections wait, as above `maxConnections`. @default no limit */
  readonly memory?: MemoryCeiling;
  /** @default the machine's */
  readonly clock?: Clock;
  /** @default 'reused', where Node allows it */
  readonly receiveMode?: ReceiveMode;
  /** Where connections come from; a simulated network, for example. @default the system's TCP */
  readonly createServer?: CreateServer;
}

export const DEFAULT_LISTENER_OPTIONS = {
  backlog: 4096,
  maxConnections: 10_000,
  maxWaiting: 1024,
  waitTimeoutMs: 60_000,
} as const;

export const DEFAULT_CONNECTION_LIMITS: ConnectionLimits = { closeTimeoutMs: 3000, outbound: DEFAULT_OUTBOUND_LIMITS };

/** Longest period of a timer. */
const FOREVER_MS = 2 ** 31 - 1;

/** Deadlines are looked at this often, at most. One pass over all connections: 10,000 take about 2 ms. */
const SCAN_PERIOD_MS = 1000;

/** What a listener has seen since it was opened. */
export interface ListenerCounters {
  /** Connections the system handed over. */
  accepted: number;
  /** Of these, those that were closed without being served: no place to wait was left, or they had waited too long. */
  refused: number;
  /** Connections that have ended, by reason. */
  readonly closed: Map<CloseReason, number>;
  /** Bytes of connections that have ended. */
  receivedBytes: number;
  sentBytes: number;
  readonly messages: MessageCounters;
}

/** Accepts connections, admits as many as may be served at once, watches their deadlines, and ends them in order. */
export class Listener {
  readonly counters: ListenerCounters = {
    accepted: 0,
    refused: 0,
    closed: new Map(),
    receivedBytes: 0,
    sentBytes: 0,
    messages: { droppedMessages: 0, supersededMessages: 0 },
  };
  /** The largest number of connections served at once, after the descriptor limit was taken into account. */
  readonly maxConnections: number;
  /** The largest number of connections that wait for a place, likewise. */
  readonly maxWaiting: number;
  readonly #options: ListenerOptions;
  readonly #clock: Clock;
  readonly #limits: ConnectionLimits;
  readonly #deadlines: ConnectionDeadlines;
  readonly #waitTimeoutMs: number;
  readonly #tls: TlsAcceptor | undefined;
  readonly #server: net.Server;
  readonly #admission: Admission<net.Socket>;
  readonly #connections = new Set<Connection>();
  #address = { host: '', port: 0 };
  #stopScan: (() => void) | undefined;
  #nextId = 1;
  /** Set once the listener stops: resolves when no connection is left. */
  #stopped: Promise<void> | undefined;
  #onEmpty: (() => void) | undefined;
  #refusedSinceWarning = 0;

  /**
   * Opens a listener.
   *
   * @throws {OptionsError} `ERR_OPTION_RANGE` for a number that makes no sense
   * @throws the system's error when the address cannot be used
   */
  static async listen(options: ListenerOptions): Promise<Listener> {
    const listener = new Listener(options);
    await listener.#open();
    return listener;
  }

  private constructor(options: ListenerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#limits = { ...DEFAULT_CONNECTION_LIMITS, ...options.limits };
    this.#deadlines = deadlinesOf(options);
    this.#tls = options.tls && new TlsAcceptor(options.tls);
    this.#waitTimeoutMs = options.waitTimeoutMs ?? DEFAULT_LISTENER_OPTIONS.waitTimeoutMs;
    const wanted = {
      maxConnections: options.maxConnections ?? DEFAULT_LISTENER_OPTIONS.maxConnections,
      maxWaiting: options.maxWaiting ?? DEFAULT_LISTENER_OPTIONS.maxWaiting,
    };
    requireAtLeast(1, {
      maxConnections: wanted.maxConnections,
      backlog: options.backlog ?? 1,
      maxHandshakes: options.tls?.maxHandshakes ?? 1,
    });
    requireAtLeast(0, {
      maxWaiting: wanted.maxWaiting,
      ...this.#deadlines,
      maxWaitingHandshakes: options.tls?.maxWaitingHandshakes ?? 0,
      waitTimeoutMs: this.#waitTimeoutMs,
      closeTimeoutMs: this.#limits.closeTimeoutMs,
    });
    requireOrder(this.#limits.outbound);
    const limit = descriptorLimit();
    const fitted = fitToDescriptors(wanted, limit);
    if (fitted.maxConnections < wanted.maxConnections) {
      options.onWarning?.(
        `serving ${fitted.maxConnections} connections at once, not ${wanted.maxConnections}: the process may hold ${limit} descriptors (ulimit -n)`,
      );
    }
    this.maxConnections = fitted.maxConnections;
    this.maxWaiting = fitted.maxWaiting;
    this.#admission = new Admission(fitted.maxConnections, fitted.maxWaiting);
    this.#server = (options.createServer ?? createSystemServer)();
    this.#server.on('connection', (socket) => this.#accept(socket));
  }

  /** Where the listener listens, or did until it was closed. */
  get address(): { readonly host: string; readonly port: number } {
    return this.#address;
  }

  /** All connections that are served, in the order of their admission. */
  get connections(): ReadonlySet<Connection> {
    return this.#connections;
  }

  /** What the server may hold, and does. */
  get memory(): MemoryCeiling | undefined {
    return this.#options.memory;
  }

  /** Connections that wait for a place. */
  get waiting(): number {
    return this.#admission.waiting;
  }

  /**
   * Stops accepting, lets handlers end what is begun, and resolves when all connections are gone. Those that still stand after `graceMs`
   * milliseconds are cut.
   *
   * @returns how many were cut
   */
  async drain(graceMs: number): Promise<number> {
    const isEmpty = this.#stop();
    for (const connection of [...this.#connections]) connection.shutDown();
    let cut = 0;
    const cancel = this.#clock.after(graceMs, () => {
      cut = this.#connections.size;
      for (const connection of [...this.#connections]) connection.destroy('shutdown');
    });
    await isEmpty;
    cancel();
    return cut;
  }

  /** Ends everything at once. */
  async close(): Promise<void> {
    const isEmpty = this.#stop();
    for (const connection of [...this.#connections]) connection.destroy('shutdown');
    await isEmpty;
  }

  async #open(): Promise<void> {
    const { host, port, backlog = DEFAULT_LISTENER_OPTIONS.backlog } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host, port, backlog }, () => {
        this.#server.off('error', reject);
        const { address, port } = this.#server.address() as net.AddressInfo;
        this.#address = { host: address, port };
        resolve();
      });
    });
    // Accepting goes on after an error: the next connection is another matter.
    this.#server.on('error', (error) => this.#options.onWarning?.(`accepting failed: ${error.message}`));
    const timeouts = [...deadlineTimes(this.#deadlines), this.#waitTimeoutMs, this.#limits.closeTimeoutMs].filter(
      (ms) => ms > 0,
    );
    const periodMs = Math.max(10, Math.min(SCAN_PERIOD_MS, ...timeouts.map((ms) => ms / 2)));
    this.#stopScan = this.#clock.every(periodMs, () => this.#scan());
  }

  #accept(socket: net.Socket): void {
    this.counters.accepted += 1;
    if (this.#stopped) {
      socket.destroy();
      return;
    }
    const isFull = this.#options.memory?.isFull ?? false;
    if (isFull) this.#options.memory!.heldBack += 1;
    switch (this.#admission.offer(socket, this.#clock.nowMs(), !isFull)) {
      case 'admitted':
        this.#admit(socket);
        break;
      case 'waiting':
        socket.on('error', () => {}); // its reset shows when it is admitted and read
        break;
      case 'refused':
        this.#refuse(socket);
    }
  }

  #refuse(socket: net.Socket): void {
    this.counters.refused += 1;
    this.#refusedSinceWarning += 1;
    socket.destroy();
  }

  #admit(socket: net.Socket): void {
    let connection: Connection;
    try {
      connection = new Connection({
        id: this.#nextId++,
        socket,
        clock: this.#clock,
        limits: this.#limits,
        receiveMode: this.#options.receiveMode,
        tls: this.#tls,
        memory: this.#options.memory,
        isProxied: this.#options.isProxy?.(socket.remoteAddress ?? '') ?? false,
        messageCounters: this.counters.messages,
        onGone: this.#onGone,
      });
    } catch (error) {
      socket.destroy();
      this.#options.onWarning?.(`setting a connection up failed: ${String(error)}`);
      this.#releaseSlot();
      return;
    }
    this.#connections.add(connection);
    try {
      connection.handler = this.#options.onConnection(connection);
    } catch (error) {
      this.#options.onWarning?.(`setting a connection up failed: ${String(error)}`);
      connection.destroy('handler-failed', error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Removes the connection first and gives its slot back last. (D4) */
  readonly #onGone = (connection: Connection, failure?: unknown): void => {
    if (failure !== undefined) this.#options.onWarning?.(`ending a connection failed: ${String(failure)}`);
    this.#connections.delete(connection);
    this.counters.receivedBytes += connection.receivedBytes;
    this.counters.sentBytes += connection.sentBytes;
    const reason = connection.closeReason ?? 'peer-closed';
    this.counters.closed.set(reason, (this.counters.closed.get(reason) ?? 0) + 1);
    this.#releaseSlot();
  };

  #releaseSlot(): void {
    const next = this.#admission.release();
    if (next) this.#admit(next);
    else if (this.#admission.active === 0) this.#onEmpty?.();
  }

  #scan(): void {
    const nowMs = this.#clock.nowMs();
    for (const connection of this.#connections) connection.checkDeadlines(nowMs, this.#deadlines);
    if (this.#options.memory && !this.#options.memory.isFull) {
      for (const socket of this.#admission.admitWaiting()) this.#admit(socket);
    }
    this.#options.memory?.check(this.#connections.size, (message) => this.#options.onWarning?.(message));
    if (this.#waitTimeoutMs > 0) {
      for (const socket of this.#admission.withdrawSince(nowMs - this.#waitTimeoutMs)) this.#refuse(socket);
    }
    if (this.#refusedSinceWarning > 0) {
      this.#options.onWarning?.(
        `${this.#refusedSinceWarning} connections were refused: ${this.maxConnections} are served, and no place to wait was left or they had waited too long`,
      );
      this.#refusedSinceWarning = 0;
    }
  }

  /** Stops accepting and waiting. @returns when no connection is left, the same to all who ask */
  #stop(): Promise<void> {
    this.#stopped ??= new Promise<void>((resolve) => {
      // Paused sockets and our timers do not keep a process alive, and this must not end by the process ending.
      const keepAlive = setInterval(() => {}, FOREVER_MS);
      this.#onEmpty = () => {
        clearInterval(keepAlive);
        this.#stopScan?.();
        resolve();
      };
      this.#server.close();
      for (const socket of this.#admission.withdrawAll()) socket.destroy();
      if (this.#admission.active === 0) this.#onEmpty();
    });
    return this.#stopped;
  }
}

function deadlinesOf({ tls, ...given }: ListenerOptions): ConnectionDeadlines {
  return {
    firstByteTimeoutMs: given.firstByteTimeoutMs ?? DEFAULT_DEADLINES.firstByteTimeoutMs,
    handshakeTimeoutMs: tls ? (tls.handshakeTimeoutMs ?? DEFAULT_DEADLINES.handshakeTimeoutMs) : 0,
    loginTimeoutMs: given.loginTimeoutMs ?? DEFAULT_DEADLINES.loginTimeoutMs,
    frameTimeoutMs: given.frameTimeoutMs ?? DEFAULT_DEADLINES.frameTimeoutMs,
    minFrameBytesPerSecond: given.minFrameBytesPerSecond ?? DEFAULT_DEADLINES.minFrameBytesPerSecond,
    idleTimeoutMs: given.idleTimeoutMs ?? DEFAULT_DEADLINES.idleTimeoutMs,
    writeStallTimeoutMs: given.writeStallTimeoutMs ?? DEFAULT_DEADLINES.writeStallTimeoutMs,
  };
}

function requireAtLeast(min: number, options: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(options)) {
    if (!(value >= min)) throw new OptionsError(`${name} is ${value}; it must be ${min} or more`);
  }
}

function requireOrder({
  lowWaterMarkBytes: low,
  highWaterMarkBytes: high,
  hardLimitBytes: hard,
}: OutboundLimits): void {
  if (!(low >= 0 && low <= high && high < hard)) {
    throw new OptionsError(
      `the outbound limits are ${low}, ${high} and ${hard} bytes; each must be above the one before`,
    );
  }
}
