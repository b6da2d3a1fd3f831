import type { ChildProcess } from 'node:child_process';
import {
  type AcceptedConnection,
  type AdmissionOptions,
  type Clock,
  Listener,
  type ListenerOptions,
  systemClock,
} from '@sluice/core';
import { Hub } from '../coordination/hub.js';
import { serveFloods } from '../coordination/shared-floods.js';
import { serveLogins } from '../coordination/shared-logins.js';
import { serveQuotas } from '../coordination/shared-quotas.js';
import { serveSpace } from '../coordination/shared-space.js';
import { openWebhooks, type WebhookTarget } from '../hooks/open-webhooks.js';
import { LOG_LEVELS, type LogLevel } from '../log.js';
import type { ServerLog } from '../logging/server-log.js';
import type { MetricFamily } from '../metrics/metric-family.js';
import { openTelemetry } from '../metrics/open-telemetry.js';
import { refusalAnswerForClients } from '../refusal-answer.js';
import { requireNetwork } from '../required-network.js';
import type { ReloadResult } from '../server-controls.js';
import { DEFAULT_SPEED_LIMITS, type SpeedLimits } from '../speed-limits.js';
import { FileBatches } from '../storage/batches/file-batches.js';
import { DirectoryTree } from '../storage/directory-tree.js';
import { StagingArea } from '../storage/staging/staging-area.js';
import type { UserStore } from '../users/user-store.js';
import { type EndedReport, listenToConnections } from './connection-reports.js';
import { RestartDelay } from './restart-delay.js';
import { SupervisedHttp, type SupervisedHttpOptions } from './supervised-http.js';
import { serveLog } from './supervised-log.js';
import { SupervisedMetrics } from './supervised-metrics.js';
import { SupervisedStats } from './supervised-stats.js';
import { SupervisedWorker } from './supervised-worker.js';
import { serveWebhooks } from './worker-hooks.js';

export interface SupervisorOptions extends AdmissionOptions, Pick<ListenerOptions, 'host' | 'port' | 'backlog'> {
  /** How many. */
  readonly workers: number;
  /** Starts a process that calls `Worker.begin`, with an IPC channel of the serialization `advanced`. */
  readonly fork: () => ChildProcess;
  /** Plain data for the workers, as `WorkerStart.settings`. */
  readonly settings: unknown;
  readonly root: string;
  readonly users: UserStore;
  readonly log: ServerLog;
  readonly proxyFrom?: readonly string[];
  /** For all workers together. */
  readonly speed?: Partial<SpeedLimits>;
  readonly webhooks?: readonly WebhookTarget[];
  readonly http?: SupervisedHttpOptions;
  /** How long a worker that is replaced may go on with what is begun, in milliseconds. */
  readonly replacedGraceMs: number;
  /** Called when an operator asks for a drain, with the grace in milliseconds if one was given. */
  readonly onDrainRequested: (graceMs: number | undefined) => void;
  /** @default the machine's */
  readonly clock?: Clock;
}

/**
 * Workers that are replaced get no more connections, and so much later are told to end, in milliseconds: draining closes what is idle, and a client
 * that has just connected is that between its requests. The answer to the operator comes from one of them, too.
 */
const LAST_REQUESTS_MS = 2000;

/**
 * A server whose connections are served by several processes. This one accepts, and admits: the limits hold for all workers together without
 * a word between them. Each connection goes to the worker that has the fewest. What the workers have to agree on, the hub decides. A worker
 * that dies takes its own connections with it, and is replaced.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #clock: Clock;
  readonly #hub = new Hub();
  readonly #workers = new Map<number, SupervisedWorker>();
  /** Connections for which there was no worker yet. */
  readonly #unserved: AcceptedConnection[] = [];
  readonly #release: (() => void | Promise<void>)[] = [];
  readonly #stats: SupervisedStats;
  readonly #metrics: SupervisedMetrics;
  #listener!: Listener;
  #http: SupervisedHttp | undefined;
  #nextNumber = 1;
  #isReadOnly = false;
  #isEnding = false;
  /** Connections that were cut, of those that workers had when they ended in order. */
  #cut = 0;
  #replacing: Promise<string> | undefined;
  readonly #delay = new RestartDelay();

  /**
   * Listens, and starts the workers.
   *
   * @throws as `SluiceServer.start`; an error with the message of a worker that cannot serve
   */
  static async start(options: SupervisorOptions): Promise<Supervisor> {
    const supervisor = new Supervisor(options);
    try {
      await supervisor.#start();
      return supervisor;
    } catch (error) {
      await supervisor.close();
      throw error;
    }
  }

  private constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#metrics = new SupervisedMetrics(this.#hub, this.#clock);
    this.#stats = new SupervisedStats(this.#hub, () => [...this.#workers.values()]);
  }

  get address(): { readonly host: string; readonly port: number } {
    return this.#listener.address;
  }

  /** Where it listens for HTTP; `undefined` for nowhere. */
  get httpAddress(): { readonly host: string; readonly port: number } | undefined {
    return this.#http?.address;
  }

  /** How many connections are served. */
  get connections(): number {
    return this.#listener.handedOver;
  }

  /** Reads anew, in all workers, what may have changed on the disk. */
  async reload(): Promise<readonly ReloadResult[]> {
    const all = (await this.#hub.gather<readonly ReloadResult[]>('process.reload', undefined)).flat();
    const names = [...new Set(all.map(({ name }) => name))];
    return names.map(
      (name) => all.find((result) => result.name === name && !result.isOk) ?? { name, isOk: true, message: '' },
    );
  }

  /**
   * Starts as many new workers as there are. When all of them serve, the old ones get no more connections, and end when theirs have.
   *
   * @returns settles when the new ones serve; rejects when one of them cannot, and then the old ones go on
   */
  async replaceWorkers(): Promise<string> {
    this.#replacing ??= this.#replace().finally(() => {
      this.#replacing = undefined;
    });
    return await this.#replacing;
  }

  /**
   * Stops accepting, has the workers end what is begun, and closes.
   *
   * @returns how many connections were cut
   */
  async drain(graceMs: number): Promise<number> {
    this.#isEnding = true;
    const isEmpty = this.#listener.drain(graceMs);
    for (const connection of this.#unserved.splice(0)) this.#lose(connection);
    const workers = [...this.#workers.values()];
    for (const worker of workers) void this.#retire(worker, graceMs);
    await Promise.all(workers.map(({ exited }) => exited));
    await isEmpty;
    await this.#close();
    return this.#cut;
  }

  /** Ends everything at once. */
  async close(): Promise<void> {
    this.#isEnding = true;
    const workers = [...this.#workers.values()];
    for (const worker of workers) worker.child.kill('SIGKILL');
    await Promise.all(workers.map(({ exited }) => exited));
    for (const connection of this.#unserved.splice(0)) this.#lose(connection);
    await this.#listener?.close();
    await this.#close();
  }

  async #close(): Promise<void> {
    this.#delay.cancel();
    this.#http?.close();
    this.#metrics.close();
    for (const release of this.#release.splice(0).reverse()) await release();
  }

  async #start(): Promise<void> {
    const { root, log, webhooks = [], speed = {}, workers, proxyFrom = [], http, ...options } = this.#options;
    const proxies = proxyFrom.map(requireNetwork);
    const isProxy = proxies.length > 0 && ((address: string) => proxies.some((has) => has(address)));
    const tree = await DirectoryTree.open(root);
    this.#release.push(() => tree.close());
    await tidy(tree, this.#clock, log);
    const hooks = await openWebhooks(tree, webhooks, this.#clock, log);
    this.#release.push(() => hooks.close());
    serveWebhooks(this.#hub, hooks.hooks);
    serveQuotas(this.#hub, this.#clock);
    serveSpace(this.#hub);
    serveLogins(this.#hub, this.#clock);
    serveFloods(this.#hub, { ...DEFAULT_SPEED_LIMITS, ...speed }, this.#clock);
    this.#release.push(serveLog(this.#hub, log));
    this.#serveOperators();
    this.#listener = await Listener.listen({
      ...pickListening(options),
      ...(isProxy && { isProxy }),
      clock: this.#clock,
      refusalAnswer: refusalAnswerForClients,
      onRefusals: ({ reason, count }) => log.warn('connections refused', { reason, count }),
      onWarning: (message) => log.warn(message),
      handOver: (connection) => this.#serve(connection),
    });
    this.#http =
      http &&
      (await SupervisedHttp.open({
        options: { ...http, ...(isProxy && { isProxy }) },
        hub: this.#hub,
        workers: this.#workers,
        descriptors: this.#listener.descriptors,
        clock: this.#clock,
        log,
      }));
    listenToConnections(this.#hub, this.#listener, {
      onEnded: (id, from, ended) => this.#onEnded(id, from, ended),
      onPlaced: (id, from) => this.#workers.get(from)?.connections.add(id) !== undefined,
      displace: (id, from) => this.#displace(id, from),
    });
    const telemetry = await openTelemetry();
    if (telemetry) this.#release.push(telemetry.observe(this.#readOwnMetrics));
    this.#hub.on('worker.ready', (_: undefined, from) => this.#onReady(from));
    this.#hub.on('worker.failed', (message: string, from) => this.#workers.get(from)?.fail(message));
    this.#hub.on('worker.drained', (cut: number) => {
      this.#cut += cut;
    });
    await Promise.all(Array.from({ length: workers }, () => this.#startWorker().ready));
  }

  #startWorker(): SupervisedWorker {
    const number = this.#nextNumber++;
    const child = this.#options.fork();
    const worker = new SupervisedWorker(number, child, this.#clock.nowMs(), (connection) =>
      this.#onLost(worker, connection),
    );
    this.#workers.set(number, worker);
    const receive = this.#hub.add(number, (link) => worker.send({ link }));
    child.on('message', (message: { readonly link: unknown }) => receive(message.link));
    void worker.exited.then((how) => this.#onExit(worker, how));
    const { users, log, webhooks = [], settings } = this.#options;
    worker.begin({
      number,
      address: this.#listener.address,
      http: this.#http?.start,
      logLevel: log.level,
      journal: log.journal?.state,
      isReadOnly: this.#isReadOnly,
      users: users.content,
      webhookKinds: webhooks.map(({ kinds }) => kinds),
      settings,
    });
    return worker;
  }

  /** What was switched while it began, it hears now. */
  async #onReady(number: number): Promise<void> {
    const worker = this.#workers.get(number);
    if (!worker) return;
    const { log } = this.#options;
    this.#hub.admit(number);
    if (log.journal) this.#hub.tellOne(number, 'log.written', log.journal.state);
    await this.#hub.ask(number, 'process.read-only', this.#isReadOnly);
    await this.#hub.ask(number, 'process.log-level', log.level);
    this.#http?.tellLogouts(number);
    log.info('worker started', { worker: number, pid: worker.child.pid });
    worker.serve();
    for (const connection of this.#unserved.splice(0)) this.#serve(connection);
  }

  /** To the worker with the fewest. */
  #serve(connection: AcceptedConnection): void {
    if (this.#isEnding) {
      this.#lose(connection);
      return;
    }
    let chosen: SupervisedWorker | undefined;
    for (const worker of this.#workers.values())
      if (worker.state === 'serving' && (!chosen || worker.isBefore(chosen))) chosen = worker;
    if (!chosen) {
      connection.displace = () => this.#lose(connection);
      this.#unserved.push(connection);
      return;
    }
    const { number } = chosen;
    connection.displace = () => this.#displace(connection.id, number);
    chosen.give(connection);
  }

  #displace(id: number, worker: number): void {
    this.#hub.tellOne(worker, 'connection.destroy', { id, reason: 'displaced' });
  }

  /** One that has not reached the worker it was for. */
  #serveAgain(connection: AcceptedConnection): void {
    if (connection.service === 'http') this.#http?.serve(connection);
    else this.#serve(connection);
  }

  /** Nobody will ever serve it. */
  #lose(connection: AcceptedConnection): void {
    const index = this.#unserved.indexOf(connection);
    if (index >= 0) this.#unserved.splice(index, 1);
    connection.destroy();
    this.#listener.ended(connection.id, { reason: 'shutdown', receivedBytes: 0, sentBytes: 0 });
  }

  #onLost(worker: SupervisedWorker, connection: AcceptedConnection): void {
    const { id, service } = connection;
    worker.connectionsOf(connection).delete(id);
    if (service === 'http') this.#http?.ended(id);
    else this.#listener.ended(id, { reason: 'worker-died', receivedBytes: 0, sentBytes: 0 });
  }

  #onEnded(id: number, from: number, ended: EndedReport): void {
    const worker = this.#workers.get(from);
    worker?.connections.delete(id);
    worker?.countEnded(ended);
  }

  #onExit(worker: SupervisedWorker, how: { readonly code: number | null; readonly signal: string | null }): void {
    const { log } = this.#options;
    const { number, connections, httpConnections, state } = worker;
    this.#workers.delete(number);
    const waiting = worker.takeBack();
    this.#hub.remove(number);
    for (const id of httpConnections) this.#http?.ended(id);
    for (const id of connections) this.#listener.ended(id, { reason: 'worker-died', receivedBytes: 0, sentBytes: 0 });
    const fields = { worker: number, code: how.code ?? undefined, signal: how.signal ?? undefined };
    if (state === 'ending') log.info('worker ended', fields);
    else log.error('a worker has died', { ...fields, connections: connections.size });
    for (const connection of waiting) this.#serveAgain(connection);
    if (this.#isEnding || state !== 'serving') return;
    const delayMs = this.#delay.after(this.#clock.nowMs() - worker.startedMs);
    this.#delay.start(this.#clock, delayMs, () => this.#restart());
  }

  /** In place of one that has died; again and again, with a growing delay, until there is one. */
  #restart(): void {
    if (this.#isEnding) return;
    this.#stats.restarts += 1;
    const worker = this.#startWorker();
    worker.ready.catch((error: unknown) => {
      this.#options.log.error('a worker cannot be started', { worker: worker.number, detail: String(error) });
      const delayMs = this.#delay.after(0);
      this.#delay.start(this.#clock, delayMs, () => this.#restart());
    });
  }

  async #replace(): Promise<string> {
    const former = [...this.#workers.values()].filter(({ state }) => state === 'serving');
    const fresh = former.map(() => this.#startWorker());
    try {
      await Promise.all(fresh.map(({ ready }) => ready));
    } catch (error) {
      for (const worker of fresh) worker.abandon();
      throw error;
    }
    for (const worker of former) worker.state = 'replaced';
    this.#clock.after(LAST_REQUESTS_MS, () => {
      for (const worker of former) void this.#retire(worker, this.#options.replacedGraceMs);
    });
    return `${fresh.length} new workers serve; the old ones end when their connections have`;
  }

  /** Has a worker end what is begun, and then itself. */
  async #retire(worker: SupervisedWorker, graceMs: number): Promise<void> {
    worker.state = 'ending';
    for (const connection of worker.takeBack()) this.#serveAgain(connection);
    await worker.sent;
    this.#hub.tellOne(worker.number, 'process.drain', graceMs);
  }

  readonly #readOwnMetrics = (): MetricFamily[] => {
    const { log } = this.#options;
    return this.#metrics.readOwn(this.#listener, this.#http, log.counters, this.#workers.size, this.#stats.restarts);
  };

  #serveOperators(): void {
    const { log } = this.#options;
    this.#hub.on('server.stats', () => this.#stats.read(this.#listener, this.#isReadOnly));
    this.#hub.on('server.metrics', () => this.#metrics.read(this.#readOwnMetrics()));
    this.#hub.on('server.drain', (graceMs: number | undefined) => this.#options.onDrainRequested(graceMs));
    this.#hub.on('server.read-only', async (value: boolean) => {
      this.#isReadOnly = value;
      await this.#hub.gather('process.read-only', value);
    });
    this.#hub.on('server.log-level', async (level: string) => {
      if (LOG_LEVELS.includes(level as LogLevel)) log.level = level as LogLevel;
      await this.#hub.gather('process.log-level', level);
    });
    this.#hub.on('server.apply-users', async () => {
      await this.#hub.gather('process.apply-users', undefined);
    });
    this.#hub.on('server.reload', async (): Promise<readonly ReloadResult[]> => {
      const results = await this.reload();
      if (results.some(({ isOk }) => !isOk)) return results; // new workers could not serve either
      try {
        return [...results, { name: 'workers', isOk: true, message: await this.replaceWorkers() }];
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        log.error('not reloaded', { name: 'workers', detail: message });
        return [...results, { name: 'workers', isOk: false, message }];
      }
    });
  }
}

/** Removes what an earlier run has left in the middle: later there are workers, of which none can know what another is at. */
async function tidy(tree: DirectoryTree, clock: Clock, log: ServerLog): Promise<void> {
  await (await FileBatches.open(tree)).close();
  const place = (isMade: boolean) => tree.openOwn('staging', isMade);
  await (await StagingArea.open(place, { keepMs: 0, floorBytes: undefined, clock, log })).close();
}

function pickListening(options: Omit<SupervisorOptions, 'root' | 'log' | 'workers'>) {
  const { fork, settings, users, replacedGraceMs, onDrainRequested, clock, http, ...listening } = options;
  return listening;
}
