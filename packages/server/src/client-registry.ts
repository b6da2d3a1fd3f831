import { type Clock, type Connection, FlightArchive, type FlightRecorder } from '@sluice/core';
import type {
  ClientRecord,
  ClosedConnection,
  ConnectionEnd,
  ConnectionExplanation,
  TransferRecord,
} from '@sluice/wire';
import type { ConnectedClient, ConnectedClients, Flights } from './server-controls.js';

/** Rates are measured this often. */
const SAMPLE_PERIOD_MS = 1000;

/** Weight of the newest sample: a rate follows a change within some three seconds. */
const SAMPLE_WEIGHT = 0.5;

/** Longest name of a transfer in a record, in characters: of a longer one the end, with the name of the file. */
const MAX_NAME_CHARACTERS = 1000;

/** What only the session of a connection knows. */
export interface ClientSource {
  readonly protocolName: string;
  readonly userName: string | undefined;
  readonly receivedFrames: number;
  readonly sentFrames: number;
  readonly transfer: TransferRecord | undefined;
}

/**
 * The connections of a server, from their acceptance on and in that order; those that have chosen no protocol yet are in it, but nobody
 * sees them.
 *
 * @see docs/protocol.md, section 5; D4, D5
 */
export class ClientRegistry implements ConnectedClients, Flights {
  readonly #clock: Clock;
  readonly #entries = new Map<number, Entry>();
  readonly #stopSampling: () => void;
  /** Those that have chosen a protocol; the others have an archive of their own: a storm of them does not push these out. */
  readonly #served = new FlightArchive<ClosedConnection>();
  readonly #unserved = new FlightArchive<ClosedConnection>(UNSERVED_LIMITS);

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#stopSampling = clock.every(SAMPLE_PERIOD_MS, () => {
      for (const entry of this.#entries.values()) entry.sample();
      this.#served.expire(clock.nowMs());
      this.#unserved.expire(clock.nowMs());
    });
  }

  get size(): number {
    let size = 0;
    for (const _ of this) size += 1;
    return size;
  }

  *[Symbol.iterator](): Iterator<ConnectedClient> {
    for (const entry of this.#entries.values()) if (entry.isBound) yield entry;
  }

  /** The sessions of all that have chosen a protocol. */
  *sources(): Generator<ClientSource> {
    for (const { source } of this.#entries.values()) if (source) yield source;
  }

  add(connection: Connection): void {
    this.#entries.set(connection.id, new Entry(connection, this.#clock));
  }

  /** The connection has chosen its protocol. */
  bind(connection: Connection, source: ClientSource): void {
    this.#entries.get(connection.id)?.bind(source);
  }

  /** The connection is gone. */
  remove(connection: Connection): void {
    const entry = this.#entries.get(connection.id);
    if (!entry) return;
    this.#entries.delete(connection.id);
    const nowMs = this.#clock.nowMs();
    const { transfer: _, ...record } = entry.record();
    const about = { ...record, ...endOfConnection(connection, nowMs) };
    const { id, recorder } = connection;
    (entry.isBound ? this.#served : this.#unserved).add({ id, closedAtMs: nowMs, recorder, about });
  }

  closed(): ClosedConnection[] {
    return [...this.#served.values(), ...this.#unserved.values()]
      .sort((a, b) => a.closedAtMs - b.closedAtMs || a.id - b.id)
      .map(({ about }) => about);
  }

  explain(id: number): ConnectionExplanation | undefined {
    const entry = this.#entries.get(id);
    if (entry) return explanationOf(entry.record(), entry.recorder);
    const flown = this.#served.get(id) ?? this.#unserved.get(id);
    return flown && explanationOf(flown.about, flown.recorder);
  }

  get remembered(): { readonly connections: number; readonly bytes: number } {
    return {
      connections: this.#served.size + this.#unserved.size,
      bytes: this.#served.bytes + this.#unserved.bytes,
    };
  }

  close(): void {
    this.#stopSampling();
  }
}

const UNSERVED_LIMITS = { maxConnections: 64, maxBytes: 256 << 10, keepMs: 15 * 60_000 };

class Entry implements ConnectedClient {
  readonly #connection: Connection;
  readonly #clock: Clock;
  /** Of the system, as all dates. */
  readonly #acceptedAtMs = Date.now();
  #boundAtMs = this.#acceptedAtMs;
  #source: ClientSource | undefined;
  #receivedAtSample = 0;
  #sentAtSample = 0;
  #receiveRate = 0;
  #sendRate = 0;

  constructor(connection: Connection, clock: Clock) {
    this.#connection = connection;
    this.#clock = clock;
  }

  get isBound(): boolean {
    return this.#source !== undefined;
  }
  get recorder(): FlightRecorder {
    return this.#connection.recorder;
  }
  get id(): number {
    return this.#connection.id;
  }
  get protocol(): string {
    return this.#source?.protocolName ?? '';
  }
  get userName(): string | undefined {
    return this.#source?.userName;
  }
  get remoteAddress(): string {
    return this.#connection.remoteAddress;
  }
  get source(): ClientSource | undefined {
    return this.#source;
  }
  get hasTransfer(): boolean {
    return this.#source?.transfer !== undefined;
  }
  get boundAt(): Date {
    return new Date(this.#boundAtMs);
  }
  get idleMs(): number {
    return Math.max(0, this.#clock.nowMs() - this.#connection.lastActivityMs);
  }
  /** The clock of the connection has no date: counted back from now. To the second, or it would tremble. */
  get lastActivityAt(): Date {
    return new Date(Math.floor((Date.now() - this.idleMs) / 1000) * 1000);
  }

  bind(source: ClientSource): void {
    this.#source = source;
    this.#boundAtMs = Date.now();
  }

  sample(): void {
    const { receivedBytes, sentBytes } = this.#connection;
    this.#receiveRate = smoothed(this.#receiveRate, receivedBytes - this.#receivedAtSample);
    this.#sendRate = smoothed(this.#sendRate, sentBytes - this.#sentAtSample);
    this.#receivedAtSample = receivedBytes;
    this.#sentAtSample = sentBytes;
  }

  record(): ClientRecord {
    const connection = this.#connection;
    const user = this.#source?.userName;
    const transfer = this.#source?.transfer;
    return {
      id: connection.id,
      localAddress: addressText(connection.localAddress, connection.localPort),
      remoteAddress: addressText(connection.remoteAddress, connection.remotePort),
      protocol: this.protocol,
      isEncrypted: connection.isEncrypted,
      ...(user !== undefined && { user }),
      connectedAt: new Date(this.#acceptedAtMs).toISOString(),
      lastActivityAt: this.lastActivityAt.toISOString(),
      receivedBytes: connection.receivedBytes,
      sentBytes: connection.sentBytes,
      receivedFrames: this.#source?.receivedFrames ?? 0,
      sentFrames: this.#source?.sentFrames ?? 0,
      queuedBytes: connection.queuedBytes,
      receiveRate: Math.round(this.#receiveRate),
      sendRate: Math.round(this.#sendRate),
      ...(transfer && { transfer: { ...transfer, name: endOf(transfer.name) } }),
    };
  }

  destroy(reason: string): void {
    this.#connection.destroy(reason);
  }
}

function explanationOf(
  connection: ClientRecord & Partial<ConnectionEnd>,
  recorder: FlightRecorder,
): ConnectionExplanation {
  return { connection, lostEvents: recorder.lost, events: [...recorder.entries()] };
}

/** Of an error its code only: what the system says of it may name paths. */
function endOfConnection({ openedAtMs, closeReason, closeError }: Connection, nowMs: number): ConnectionEnd {
  const { code } = (closeError ?? {}) as { code?: unknown };
  return {
    closedAt: new Date().toISOString(),
    durationMs: Math.round(nowMs - openedAtMs),
    reason: closeReason ?? 'peer-closed',
    ...(typeof code === 'string' && { cause: code }),
  };
}

function smoothed(rate: number, bytes: number): number {
  const next = rate + (bytes / (SAMPLE_PERIOD_MS / 1000) - rate) * SAMPLE_WEIGHT;
  return next < 1 ? 0 : next;
}

/** `127.0.0.1:9999`, `[::1]:9999`. */
function addressText(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function endOf(name: string): string {
  return name.length <= MAX_NAME_CHARACTERS ? name : `…${name.slice(1 - MAX_NAME_CHARACTERS)}`;
}
