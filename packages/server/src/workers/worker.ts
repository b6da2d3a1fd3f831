import { type HandedSocketMessage, HandedSockets } from '@sluice/core';
import { WorkerCoordinator } from '../coordination/worker-coordinator.js';
import type { UploadEventKind } from '../hooks/upload-hooks.js';
import type { HttpServerOptions } from '../http/http-options.js';
import type { LogLevel } from '../log.js';
import type { JournalState } from '../logging/log-journal.js';
import { SluiceServer, type SluiceServerOptions } from '../sluice-server.js';
import type { UsersFileContent } from '../users/users-file.js';
import type { EndedReport, RelocatedReport } from './connection-reports.js';
import type { ChannelMessage } from './process-channel.js';
import type { HttpStart } from './supervised-http.js';
import { workerWebhooks } from './worker-hooks.js';
import { WorkerLog } from './worker-log.js';

/** What the supervisor tells a worker when it begins. Plain data. */
export interface WorkerStart {
  readonly number: number;
  /** Where the supervisor listens. */
  readonly address: { readonly host: string; readonly port: number };
  readonly http: HttpStart | undefined;
  readonly logLevel: LogLevel;
  readonly journal: JournalState | undefined;
  readonly isReadOnly: boolean;
  /** The users, where they come from no file. */
  readonly users: UsersFileContent | undefined;
  /** Of each webhook. */
  readonly webhookKinds: readonly ReadonlySet<UploadEventKind>[];
  /** What whoever has started the supervisor wants its workers to know. */
  readonly settings: unknown;
}

/** The supervisor has admitted what comes: the limits are its. */
const ADMITTED = {
  maxUnestablished: 0,
  connectionRate: 0,
  maxPerAddress: 0,
  connectionRatePerAddress: 0,
  slowStart: false,
} as const;

/** What a worker is started with, beside what it gets from the supervisor. */
export type WorkerOptions = Omit<
  SluiceServerOptions,
  | 'host'
  | 'port'
  | 'log'
  | 'logStream'
  | 'coordinator'
  | 'createServer'
  | 'idOf'
  | 'onGone'
  | 'webhooks'
  | 'onDrainRequested'
  | 'onEstablished'
  | 'onRelocated'
  | 'isReadOnly'
  | keyof typeof ADMITTED
>;

/** This process as one of the workers of a server. It ends when the supervisor does. */
export class Worker {
  readonly start: WorkerStart;
  readonly log: WorkerLog;
  readonly #coordinator: WorkerCoordinator;
  readonly #sockets: HandedSockets;
  readonly #httpSockets: HandedSockets | undefined;

  /** Waits until the supervisor has told what is to be done. */
  static begin(): Promise<Worker> {
    // The supervisor hears the signals of a terminal, and of an operator, and says what follows.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
    process.on('disconnect', () => process.exit(1)); // nobody is there any more
    return new Promise((resolve) => {
      process.once('message', (message: { readonly start: WorkerStart }) => resolve(new Worker(message.start)));
    });
  }

  private constructor(start: WorkerStart) {
    this.start = start;
    this.#coordinator = new WorkerCoordinator(start.number, (link) =>
      process.send?.({ link } satisfies ChannelMessage, undefined, undefined, () => {}),
    );
    this.log = new WorkerLog(this.#coordinator, start.logLevel, start.journal);
    this.#sockets = new HandedSockets(start.address);
    this.#httpSockets = start.http && new HandedSockets(start.http);
    process.on('message', (message: ChannelMessage, received: unknown) => {
      if ('link' in message) this.#coordinator.receive(message.link);
      else if ('socket' in message && received) this.#take(message, received);
    });
  }

  /** Serves what the supervisor hands over, until it says that this is the end. @throws as `SluiceServer.start` */
  async serve(options: WorkerOptions): Promise<void> {
    const coordinator = this.#coordinator;
    const { http, ...others } = options;
    const server = await SluiceServer.start({
      ...others,
      ...(http && this.#httpSockets && { http: this.#httpOf(http, this.#httpSockets) }),
      ...this.start.address,
      ...ADMITTED,
      hooks: [...(options.hooks ?? []), ...workerWebhooks(coordinator, this.start.webhookKinds)],
      isReadOnly: this.start.isReadOnly,
      log: this.log,
      logStream: this.log,
      coordinator,
      createServer: this.#sockets.createServer,
      idOf: this.#sockets.idOf,
      onEstablished: ({ id }) => coordinator.report('connection.established', id),
      onRelocated: ({ id, remoteAddress }) => {
        coordinator.report('connection.relocated', { id, address: remoteAddress } satisfies RelocatedReport);
      },
      onGone: ({ id, closeReason, receivedBytes, sentBytes }) => {
        const reason = closeReason ?? 'peer-closed';
        coordinator.report('connection.ended', { id, reason, receivedBytes, sentBytes } satisfies EndedReport);
      },
    });
    coordinator.on('connection.destroy', ({ id, reason }: { readonly id: number; readonly reason: string }) => {
      for (const connection of server.listener.connections) {
        if (connection.id !== id) continue;
        if (reason === 'displaced') connection.displace();
        else connection.destroy(reason);
      }
    });
    coordinator.on('process.drain', async (graceMs: number) => {
      const cut = await server.drain(graceMs);
      coordinator.report('metrics.last', server.readMetrics());
      await coordinator.ask('worker.drained', cut);
      process.exit(0);
    });
    await coordinator.ask('worker.ready', undefined);
  }

  /** Says why it cannot serve, and ends. */
  async fail(error: unknown): Promise<never> {
    const { message } = error instanceof Error ? error : { message: String(error) };
    await this.#coordinator.ask('worker.failed', message).catch(() => {});
    process.exit(1);
  }

  #httpOf(options: HttpServerOptions, sockets: HandedSockets): HttpServerOptions {
    return {
      ...options,
      ...this.start.http,
      // The supervisor has counted them.
      maxConnections: Number.MAX_SAFE_INTEGER,
      maxPerAddress: 0,
      createServer: sockets.createServer,
      onLeft: (socket) => this.#coordinator.report('http.ended', sockets.idOf(socket)),
    };
  }

  #take(message: HandedSocketMessage, received: unknown): void {
    if (message.service === 'http') {
      if (!this.#httpSockets?.take(message, received)) this.#coordinator.report('http.ended', message.socket);
      return;
    }
    if (this.#sockets.take(message, received)) return;
    this.#coordinator.report('connection.ended', {
      id: message.socket,
      reason: 'shutdown',
      receivedBytes: 0,
      sentBytes: 0,
    });
  }
}
