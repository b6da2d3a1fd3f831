import type net from 'node:net';
import { OptionsError } from '@sluice/framing';
import { Admission, type RefusalReason, type Slot } from './admission.js';
import { type AdmissionOptions, admissionLimitsOf, DEFAULT_ADMISSION_LIMITS } from './admission-options.js';
import { Applicant } from './applicant.js';
import type { CarriedStream } from './carried-stream.js';
import { type Clock, systemClock } from './clock.js';
import { type CloseReason, Connection, type ConnectionHandler, type ConnectionLimits } from './connection.js';
import { type ConnectionDeadlines, DEFAULT_DEADLINES, deadlineTimes } from './deadlines.js';
import { DescriptorBudget } from './descriptor-budget.js';
import { countDescriptors, descriptorLimit, fitToDescriptors, planDescriptors } from './descriptor-limit.js';
import { CoreEvent } from './flight-event.js';
import { AcceptedConnection } from './handed-sockets.js';
import type { MemoryCeiling } from './memory-ceiling.js';
import type { MessageCounters } from './message-stream.js';
import { DEFAULT_OUTBOUND_LIMITS, type OutboundLimits } from './outbound-queue.js';
import { isLoopback, networkOf } from './peer-network.js';
import type { ReceiveMode } from './receive-buffer.js';
import { RefusalDesk } from './refusal-desk.js';
import { type RefusalReport, Refusals } from './refusals.js';
import { type CreateServer, createSystemServer } from './system-server.js';
import { TlsAcceptor, type TlsListenerOptions } from './tls-acceptor.js';
import { TurnQueue } from './turn-queue.js';

export interface ListenerOptions extends AdmissionOptions, Partial<Omit<ConnectionDeadlines, 'handshakeTimeoutMs'>> {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** Called for each admitted connection, before any of its bytes. An error it throws ends that connection only. */
  readonly onConnection?: (connection: Connection) => ConnectionHandler;
  /**
   * Has each admitted connection served by another process, in place of `onConnection`. Its place is free again, and its bytes count, when
   * `Listener.ended` is called. `maxConnections` and `maxWaiting` are not lowered to what this process may hold.
   */
  readonly handOver?: (connection: AcceptedConnection) => void;
  /** The id of a connection. @default the next number */
  readonly idOf?: (socket: net.Socket) => number | undefined;
  /** Called when a peer has shown that it is a client. */
  readonly onEstablished?: (connection: Connection) => void;
  /** Called when a balancer has told another address of a connection. */
  readonly onRelocated?: (connection: Connection) => void;
  /** Called when a connection is gone, and its place is free. */
  readonly onGone?: (connection: Connection) => void;
  /** A condition the operator should know of. */
  readonly onWarning?: (message: string) => void;
  /** Connections the system may complete before we accept them; the system lowers it to its own limit. @default 4096 */
  readonly backlog?: number;
  /** What shows that a peer is a client: its first bytes (inside TLS), or that the handler calls `Connection.establish`. @default 'bytes' */
  readonly establishedBy?: 'bytes' | 'handler';
  /** Why nobody is admitted now; who comes waits, or is refused for this reason. Call `Listener.admitWaiting` when it has ended. */
  readonly gate?: () => RefusalReason | undefined;
  /**
   * What a client is told that is refused, in its own protocol.
   *
   * @param first the first bytes it has sent
   * @param retryAfterMs when it may try again: another time for each client, so that they do not all come back at once
   * @returns `undefined` to say nothing
   */
  readonly refusalAnswer?: (first: Uint8Array, reason: RefusalReason, retryAfterMs: number) => Uint8Array | undefined;
  /** Called with refusals, summed up: for each reason once in 10 s at most. @default `onWarning` is called */
  readonly onRefusals?: (report: RefusalReport) => void;
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
  /** What connections take their descriptors from. @default one of its own */
  readonly descriptors?: DescriptorBudget;
  /** @default the machine's */
  readonly clock?: Clock;
  /** A number of 0 and more, below 1. @default Math.random */
  readonly random?: () => number;
  /** @default 'reused', where Node allows it */
  readonly receiveMode?: ReceiveMode;
  /** Where connections come from; a simulated network, for example. @default the system's TCP */
  readonly createServer?: CreateServer;
}

export const DEFAULT_LISTENER_OPTIONS = {
  ...DEFAULT_ADMISSION_LIMITS,
  backlog: 4096,
  waitTimeoutMs: 60_000,
} as const;

export const DEFAULT_CONNECTION_LIMITS: ConnectionLimits = { closeTimeoutMs: 3000, outbound: DEFAULT_OUTBOUND_LIMITS };

/** Longest period of a timer. */
const FOREVER_MS = 2 ** 31 - 1;

/** Deadlines are looked at this often, at most. One pass over all connections: 10,000 take about 2 ms. */
const SCAN_PERIOD_MS = 1000;

/** The descriptors of the process are counted this often. */
const COUNT_DESCRIPTORS_EVERY_MS = 5000;

/** Refused clients that are being told, at most. */
const MAX_AT_REFUSAL_DESK = 64;

/** A refused client is told to try again after this, and up to as much again and again later, by chance; in milliseconds. */
const RETRY_AFTER_MS = 1000;
/** For a passing reason. */
const RETRY_SOON_MS = 500;
const RETRY_SPREAD = 4;

/** What a listener has seen since it was opened. */
export interface ListenerCounters {
  /** Connections the system handed over. */
  accepted: number;
  /** Of these, those that were refused. */
  refused: number;
  /** The same, by reason. */
  readonly refusedBy: ReadonlyMap<RefusalReason, number>;
  /** Connections that have ended, by reason. */
  readonly closed: Map<CloseReason, number>;
  /** Bytes of connections that have ended. */
  receivedBytes: number;
  sentBytes: number;
  readonly messages: MessageCounters;
}

/** How a stream is served that was not accepted here. */
export interface AdoptionOptions {
  /** @default the next number */
  readonly id?: number | undefined;
  /** Called before the first byte. */
  readonly onAdmitted?: (connection: Connection) => void;
  /** Called when it is not admitted, and still open. @param retryAfterMs when its peer may try again */
  readonly onRefused: (reason: RefusalReason, retryAfterMs: number) => void;
}

/** A connection that another process has accepted, and will serve when there is a place. */
export interface PlaceRequest {
  readonly remoteAddress: string;
  /** There is a place, with this id, until `Listener.ended`. */
  readonly onAdmitted: (id: number) => void;
  readonly onRefused: (reason: RefusalReason, retryAfterMs: number) => void;
  /** Ends it, wherever it is, because somebody needs its place. */
  readonly displace: (id: number) => void;
}

/** What was a connection that another process has served. */
export interface EndedConnection {
  readonly reason: CloseReason;
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

/** Accepts connections, admits as many as may be served at once, watches their deadlines, and ends them in order. */
export class Listener {
  readonly #refusals = new Refusals();
  readonly counters: ListenerCounters = {
    accepted: 0,
    refused: 0,
    refusedBy: this.#refusals.counts,
    closed: new Map(),
    receivedBytes: 0,
    sentBytes: 0,
    messages: { droppedMessages: 0, supersededMessages: 0 },
  };
  /** The descriptors of the process. */
  readonly descriptors: DescriptorBudget;
  /** The largest number of connections served at once, after the descriptor limit was taken into account. */
  readonly maxConnections: number;
  /** The largest number of connections that wait for a place, likewise. */
  readonly maxWaiting: number;
  /** The largest number of connections that are no clients yet; 0 for no limit. */
  readonly maxUnestablished: number;
  readonly #options: ListenerOptions;
  readonly #clock: Clock;
  readonly #limits: ConnectionLimits;
  readonly #deadlines: ConnectionDeadlines;
  readonly #waitTimeoutMs: number;
  readonly #tls: TlsAcceptor | undefined;
  readonly #server: net.Server;
  readonly #admission: Admission<net.Socket | Applicant>;
  readonly #desk: RefusalDesk;
  readonly #turns: TurnQueue;
  readonly #connections = new Set<Connection>();
  /** The slots of connections that other processes serve, by id. */
  readonly #handedOver = new Map<number, Slot>();
  #countDescriptorsAtMs = 0;
  #address = { host: '', port: 0 };
  #stopScan: (() => void) | undefined;
  #nextId = 1;
  /** Set once the listener stops: resolves when no connection is left. */
  #stopped: Promise<void> | undefined;
  #onEmpty: (() => void) | undefined;

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
    const wanted = admissionLimitsOf(options);
    const { maxConnections, slowStart: _, ...wantedLimits } = wanted;
    requireAtLeast(1, {
      maxConnections,
      backlog: options.backlog ?? 1,
      maxHandshakes: options.tls?.maxHandshakes ?? 1,
    });
    requireAtLeast(0, {
      ...wantedLimits,
      ...this.#deadlines,
      maxWaitingHandshakes: options.tls?.maxWaitingHandshakes ?? 0,
      waitTimeoutMs: this.#waitTimeoutMs,
      closeTimeoutMs: this.#limits.closeTimeoutMs,
    });
    requireOrder(this.#limits.outbound);
    const limit = descriptorLimit();
    const fitted = options.handOver ? wanted : fitToDescriptors(wanted, limit);
    if (fitted.maxConnections < maxConnections) {
      options.onWarning?.(
        `serving ${fitted.maxConnections} connections at once, not ${maxConnections}: the process may hold ${limit} descriptors (ulimit -n)`,
      );
    }
    this.maxConnections = fitted.maxConnections;
    this.maxWaiting = fitted.maxWaiting;
    this.maxUnestablished = wanted.maxUnestablished;
    const plan = planDescriptors(options.handOver ? fitToDescriptors(fitted, limit) : fitted, limit);
    this.descriptors = options.descriptors ?? new DescriptorBudget(plan);
    this.#turns = new TurnQueue(this.#clock);
    this.#desk = new RefusalDesk(Math.min(MAX_AT_REFUSAL_DESK, Math.floor(plan.reserve / 2)), this.#clock);
    this.#admission = new Admission(
      { ...wanted, ...fitted },
      {
        onAdmitted: (newcomer, slot) => {
          if (newcomer instanceof Applicant) newcomer.onAdmitted(slot);
          else this.#admit(newcomer, slot);
        },
        onRefused: (newcomer, reason) => {
          if (newcomer instanceof Applicant) this.#refuseApplicant(newcomer, reason);
          else this.#refuse(newcomer, reason);
        },
        gate: () => (options.memory?.isFull ? 'memory' : options.gate?.()),
      },
      this.#clock,
    );
    this.#server = (options.createServer ?? createSystemServer)();
    this.#server.on('connection', (socket) => this.#accept(socket));
  }

  /** Where the listener listens, or did until it was closed. */
  get address(): { readonly host: string; readonly port: number } {
    return this.#address;
  }

  /** How many connections other processes serve. */
  get handedOver(): number {
    return this.#handedOver.size;
  }

  /** All connections that are served, in the order of their admission. */
  get connections(): ReadonlySet<Connection> {
    return this.#connections;
  }

  /** What the server may hold, and does. */
  get memory(): MemoryCeiling | undefined {
    return this.#options.memory;
  }

  /** The handshakes of TLS; `undefined` without. */
  get tls(): Pick<TlsAcceptor, 'active' | 'waiting' | 'done' | 'failed'> | undefined {
    return this.#tls;
  }

  /** Connections that wait for a place. */
  get waiting(): number {
    return this.#admission.waiting;
  }

  /** Connections that are served and are not established. */
  get unestablished(): number {
    return this.#admission.unestablished;
  }

  /** Refused clients that were told so. */
  get toldRefusals(): number {
    return this.#desk.told;
  }

  /** Admits of those that wait whoever may come in now. For owners whose `gate` has opened. */
  admitWaiting(): void {
    this.#admission.serveWaiting();
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
    if (!this.descriptors.takeConnection()) {
      this.#tellRefusal(socket, 'descriptors');
      return;
    }
    const address = socket.remoteAddress ?? '';
    socket.on('error', () => {}); // the reset of one that waits shows when it is admitted and read
    this.#offer(socket, address, !this.#isProxy(address));
  }

  #offer(newcomer: net.Socket | Applicant, address: string, isPeer: boolean): void {
    const { memory } = this.#options;
    if (memory?.isFull) memory.heldBack += 1;
    this.#admission.offer(newcomer, networkOf(address), isPeer && !this.#isUncounted(address));
  }

  /**
   * Serves a stream that something else than a socket of this listener carries, in all like an accepted one, if there is a place for it, now
   * or later. Whoever carries it counts its descriptor. Ended by `drain` and `close` as all connections.
   */
  adopt(stream: CarriedStream, { id, onAdmitted, onRefused }: AdoptionOptions): void {
    const applicant = new Applicant(
      (slot) => this.#serve(stream, slot, id, onAdmitted),
      (reason, retryAfterMs) => {
        stream.off('close', onClose).off('error', ignore);
        onRefused(reason, retryAfterMs);
      },
    );
    const onClose = (): void => void this.#admission.withdraw(applicant);
    stream.on('close', onClose).on('error', ignore);
    this.#apply(applicant, stream.remoteAddress);
  }

  /** Finds a place for a connection that another process has accepted and will serve; for listeners with `handOver`. */
  reserve({ remoteAddress, onAdmitted, onRefused, displace }: PlaceRequest, signal: AbortSignal): void {
    const applicant = new Applicant((slot) => {
      signal.removeEventListener('abort', onAbort);
      const id = this.#nextId++;
      this.#handedOver.set(id, slot);
      slot.displace = () => displace(id);
      onAdmitted(id);
    }, onRefused);
    const onAbort = (): void => void this.#admission.withdraw(applicant);
    signal.addEventListener('abort', onAbort, { once: true });
    this.#apply(applicant, remoteAddress);
  }

  #apply(applicant: Applicant, address: string): void {
    this.counters.accepted += 1;
    if (this.#stopped) applicant.onRefused('shutdown', RETRY_AFTER_MS);
    else this.#offer(applicant, address, true);
  }

  #refuseApplicant(applicant: Applicant, reason: RefusalReason): void {
    this.counters.refused += 1;
    this.#refusals.add(reason);
    applicant.onRefused(reason, this.#retryAfterMs(reason));
  }

  #isProxy(address: string): boolean {
    return this.#options.isProxy?.(address) ?? false;
  }

  #isUncounted(address: string): boolean {
    return (this.#options.isUncounted ?? isLoopback)(address);
  }

  #refuse(socket: net.Socket, reason: RefusalReason): void {
    this.descriptors.giveConnection();
    this.#tellRefusal(socket, reason);
  }

  #tellRefusal(socket: net.Socket, reason: RefusalReason): void {
    this.counters.refused += 1;
    this.#refusals.add(reason);
    const { refusalAnswer } = this.#options;
    // Whoever comes through a balancer begins with its header, and cannot be told in a protocol that is not known.
    const canTell = refusalAnswer && !this.#isProxy(socket.remoteAddress ?? '');
    const retryAfterMs = this.#retryAfterMs(reason);
    this.#desk.receive(socket, canTell ? (first) => refusalAnswer(first, reason, retryAfterMs) : undefined);
  }

  #retryAfterMs(reason: RefusalReason): number {
    const { random = Math.random } = this.#options;
    const baseMs = reason === 'rate' || reason === 'slow-start' ? RETRY_SOON_MS : RETRY_AFTER_MS;
    return Math.round(baseMs * (1 + RETRY_SPREAD * random()));
  }

  /** A connection that was handed over has shown that its peer is a client. */
  established(id: number): void {
    const slot = this.#handedOver.get(id);
    if (slot) this.#admission.establish(slot);
  }

  /**
   * A balancer has told whose a connection is that was handed over.
   *
   * @returns whether it may stay; if not, it is to be ended, with the reason `network-limit`
   */
  relocated(id: number, address: string): boolean {
    const slot = this.#handedOver.get(id);
    return slot === undefined || this.#relocate(slot, address) === undefined;
  }

  /** A connection that was handed over has ended. May be called twice. */
  ended(id: number, { reason, receivedBytes, sentBytes }: EndedConnection): void {
    const slot = this.#handedOver.get(id);
    if (!slot) return;
    this.#handedOver.delete(id);
    this.#countEnd(reason, receivedBytes, sentBytes);
    this.#releaseSlot(slot);
  }

  #countEnd(reason: CloseReason, receivedBytes: number, sentBytes: number): void {
    this.counters.receivedBytes += receivedBytes;
    this.counters.sentBytes += sentBytes;
    this.counters.closed.set(reason, (this.counters.closed.get(reason) ?? 0) + 1);
  }

  #admit(socket: net.Socket, slot: Slot): void {
    const { handOver } = this.#options;
    if (handOver) {
      const accepted = new AcceptedConnection(this.#nextId++, socket, () => this.descriptors.giveConnection());
      this.#handedOver.set(accepted.id, slot);
      slot.displace = () => accepted.displace?.();
      handOver(accepted);
      return;
    }
    this.#serve(socket, slot, this.#options.idOf?.(socket));
  }

  #serve(
    socket: net.Socket | CarriedStream,
    slot: Slot,
    id: number = this.#nextId++,
    onAdmitted?: (connection: Connection) => void,
  ): void {
    const isCarried = 'isCarried' in socket;
    let connection: Connection;
    try {
      connection = new Connection({
        id,
        socket,
        slot,
        clock: this.#clock,
        limits: this.#limits,
        receiveMode: this.#options.receiveMode,
        tls: isCarried ? undefined : this.#tls,
        memory: this.#options.memory,
        isProxied: !isCarried && this.#isProxy(socket.remoteAddress ?? ''),
        messageCounters: this.counters.messages,
        turns: this.#turns,
        isEstablishedByBytes: this.#options.establishedBy !== 'handler',
        onEstablished: this.#onEstablished,
        onRelocated: this.#onRelocated,
        onGone: this.#onGone,
      });
    } catch (error) {
      socket.destroy();
      this.#options.onWarning?.(`setting a connection up failed: ${String(error)}`);
      this.#release(slot, isCarried);
      return;
    }
    this.#connections.add(connection);
    slot.displace = () => connection.displace();
    try {
      onAdmitted?.(connection);
      connection.handler = this.#options.onConnection!(connection);
    } catch (error) {
      this.#options.onWarning?.(`setting a connection up failed: ${String(error)}`);
      connection.destroy('handler-failed', error instanceof Error ? error : new Error(String(error)));
    }
  }

  readonly #onEstablished = (connection: Connection): void => {
    this.#admission.establish(connection.slot);
    this.#options.onEstablished?.(connection);
  };

  readonly #onRelocated = (connection: Connection): boolean => {
    this.#options.onRelocated?.(connection);
    const excess = this.#relocate(connection.slot, connection.remoteAddress);
    if (!excess) return true;
    connection.record(excess === 'network-rate' ? CoreEvent.networkRate : CoreEvent.networkFull);
    connection.destroy('network-limit');
    return false;
  };

  /** @returns why it may not stay */
  #relocate(slot: Slot, address: string): RefusalReason | undefined {
    if (this.#isUncounted(address)) return undefined;
    const reason = this.#admission.moveTo(slot, networkOf(address));
    if (!reason) return undefined;
    this.counters.refused += 1;
    this.#refusals.add(reason);
    return reason;
  }

  /** Removes the connection first and gives its slot back last. (D4) */
  readonly #onGone = (connection: Connection, failure?: unknown): void => {
    if (failure !== undefined) this.#options.onWarning?.(`ending a connection failed: ${String(failure)}`);
    this.#connections.delete(connection);
    this.#countEnd(connection.closeReason ?? 'peer-closed', connection.receivedBytes, connection.sentBytes);
    this.#release(connection.slot, connection.carrier !== undefined);
    this.#options.onGone?.(connection);
  };

  #release(slot: Slot, isCarried: boolean): void {
    if (!isCarried) this.descriptors.giveConnection();
    this.#releaseSlot(slot);
  }

  #releaseSlot(slot: Slot): void {
    this.#admission.release(slot);
    if (this.#admission.active === 0) this.#onEmpty?.();
  }

  #scan(): void {
    const nowMs = this.#clock.nowMs();
    for (const connection of this.#connections) connection.checkDeadlines(nowMs, this.#deadlines);
    this.#options.memory?.check(this.#connections.size, (message) => this.#options.onWarning?.(message));
    if (this.#waitTimeoutMs > 0) this.#admission.expire(this.#waitTimeoutMs);
    this.#admission.serveWaiting();
    this.#desk.expire();
    this.#reportRefusals(nowMs);
    if (nowMs >= this.#countDescriptorsAtMs) {
      this.#countDescriptorsAtMs = nowMs + COUNT_DESCRIPTORS_EVERY_MS;
      void countDescriptors().then((open) => open !== undefined && this.descriptors.noteOpen(open - this.#desk.size));
    }
  }

  #reportRefusals(nowMs: number): void {
    for (const report of this.#refusals.takeReports(nowMs)) {
      if (this.#options.onRefusals) this.#options.onRefusals(report);
      else this.#options.onWarning?.(`${report.count} connections were refused: ${report.reason}`);
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
      for (const newcomer of this.#admission.close()) {
        if (newcomer instanceof Applicant) {
          newcomer.onRefused('shutdown', RETRY_AFTER_MS);
          continue;
        }
        this.descriptors.giveConnection();
        newcomer.destroy();
      }
      this.#desk.close();
      this.#reportRefusals(Number.POSITIVE_INFINITY);
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

function ignore(): void {}
