import type { ClientRecord, ClosedConnection, ConnectionExplanation } from '@sluice/wire';
import type { ConnectedClient, Flights, ManagedUsers, ReloadResult, ServerControls } from '../server-controls.js';
import type { Coordinator } from './coordinator.js';

/** A connection, as its process tells others of it. */
export type SentClient = Omit<ConnectedClient, 'record' | 'destroy'> & { readonly told: ClientRecord };

/** What operators see and do in a server of several processes: what they ask one for, all of them answer. */
export function sharedControls(own: ServerControls, coordinator: Coordinator): ServerControls {
  listen(own, coordinator);
  return {
    async clients() {
      const others = await coordinator.gather<readonly SentClient[]>('clients.list', undefined);
      const elsewhere = others.flat().map((client) => new ClientElsewhere(client, coordinator));
      return [...(await own.clients()), ...elsewhere].sort((a, b) => a.id - b.id);
    },
    flights: sharedFlights(own.flights, coordinator),
    every: (intervalMs, tick) => own.every(intervalMs, tick),
    stats: () => coordinator.ask<object>('server.stats', undefined),
    drain: (graceMs) => coordinator.report('server.drain', graceMs),
    get isReadOnly() {
      return own.isReadOnly;
    },
    setReadOnly: (value) => coordinator.ask('server.read-only', value),
    logLevels: own.logLevels,
    get logLevel() {
      return own.logLevel;
    },
    setLogLevel: (level) => coordinator.ask('server.log-level', level),
    reload: () => coordinator.ask<readonly ReloadResult[]>('server.reload', undefined),
    users: sharedUsers(own.users, coordinator),
  };
}

/** Whichever process has had a connection remembers it; a worker that has ended has taken what it remembered with it. */
function sharedFlights(own: Flights, coordinator: Coordinator): Flights {
  coordinator.on('flights.closed', () => own.closed());
  coordinator.on('flights.explain', (id: number) => own.explain(id));
  return {
    async closed() {
      const others = await coordinator.gather<ClosedConnection[]>('flights.closed', undefined);
      return [...(await own.closed()), ...others.flat()].sort((a, b) => (a.closedAt < b.closedAt ? -1 : 1));
    },
    async explain(id) {
      const here = await own.explain(id);
      if (here) return here;
      const others = await coordinator.gather<ConnectionExplanation | undefined>('flights.explain', id);
      return others.find((told) => told !== undefined);
    },
    get remembered() {
      return own.remembered;
    },
  };
}

/** Each process can change the file; all read it anew. */
function sharedUsers(own: ManagedUsers, coordinator: Coordinator): ManagedUsers {
  coordinator.on('process.apply-users', () => own.apply());
  return {
    source: own.source,
    list: () => own.list(),
    set: (actor, change) => own.set(actor, change),
    remove: (actor, name) => own.remove(actor, name),
    apply: () => coordinator.ask('server.apply-users', undefined),
  };
}

/** Answers for this process what the supervisor, or another process, asks of all. */
function listen(own: ServerControls, coordinator: Coordinator): void {
  coordinator.on('clients.list', async () => (await own.clients()).map(sentClient));
  coordinator.on('clients.destroy', async ({ id, reason }: { id: number; reason: string }) => {
    for (const client of await own.clients()) if (client.id === id) client.destroy(reason);
  });
  coordinator.on('process.stats', () => own.stats());
  coordinator.on('process.read-only', (value: boolean) => own.setReadOnly(value));
  coordinator.on('process.log-level', (level: string) => own.setLogLevel(level));
  coordinator.on('process.reload', () => own.reload());
}

function sentClient(client: ConnectedClient): SentClient {
  const { id, protocol, userName, remoteAddress, hasTransfer, boundAt, lastActivityAt, idleMs } = client;
  return { id, protocol, userName, remoteAddress, hasTransfer, boundAt, lastActivityAt, idleMs, told: client.record() };
}

class ClientElsewhere implements ConnectedClient {
  readonly id: number;
  readonly protocol: string;
  readonly userName: string | undefined;
  readonly remoteAddress: string;
  readonly hasTransfer: boolean;
  readonly boundAt: Date;
  readonly lastActivityAt: Date;
  readonly idleMs: number;
  readonly #record: ClientRecord;
  readonly #coordinator: Coordinator;

  constructor(sent: SentClient, coordinator: Coordinator) {
    this.id = sent.id;
    this.protocol = sent.protocol;
    this.userName = sent.userName;
    this.remoteAddress = sent.remoteAddress;
    this.hasTransfer = sent.hasTransfer;
    this.boundAt = sent.boundAt;
    this.lastActivityAt = sent.lastActivityAt;
    this.idleMs = sent.idleMs;
    this.#record = sent.told;
    this.#coordinator = coordinator;
  }

  record(): ClientRecord {
    return this.#record;
  }

  destroy(reason: string): void {
    this.#coordinator.tell('clients.destroy', { id: this.id, reason });
  }
}
