import {
  type AdmissionOptions,
  type Clock,
  DEFAULT_LISTENER_OPTIONS,
  DescriptorBudget,
  type DescriptorPlan,
  descriptorLimit,
  fitToDescriptors,
  Listener,
  type ListenerOptions,
  planDescriptors,
  systemClock,
  type TlsListenerOptions,
} from '@sluice/core';
import type { Durability } from '@sluice/wire';
import { isLoopback } from './address-network.js';
import { ClientRegistry } from './client-registry.js';
import type { Coordinator } from './coordination/coordinator.js';
import { sharedControls } from './coordination/shared-controls.js';
import { SharedLoginGate } from './coordination/shared-logins.js';
import { SharedQuotas } from './coordination/shared-quotas.js';
import { SINGLE_PROCESS } from './coordination/single-process.js';
import { FlagReader } from './flag-reader.js';
import { openWebhooks, type WebhookTarget } from './hooks/open-webhooks.js';
import { UploadHookRunner } from './hooks/upload-hook-runner.js';
import type { UploadHooks } from './hooks/upload-hooks.js';
import { adopterOf } from './http/gateway/adopt-streams.js';
import { gatewayRoute } from './http/gateway/gateway-route.js';
import { WebSocketStream } from './http/gateway/websocket-stream.js';
import type { HttpServerOptions } from './http/http-options.js';
import type { UpgradeRoute } from './http/http-route.js';
import { ServerHttp } from './http/server-http.js';
import { type LeveledLog, LOG_LEVELS, type Log, type LogLevel } from './log.js';
import type { LogStream } from './log-stream.js';
import { Logins, type QuotaMaker } from './logins.js';
import { LoopLag } from './metrics/loop-lag.js';
import type { MetricFamily } from './metrics/metric-family.js';
import { openTelemetry } from './metrics/open-telemetry.js';
import { ServerMetrics } from './metrics/server-metrics.js';
import { timingFigures } from './metrics/timing-figures.js';
import { Traffic } from './metrics/traffic.js';
import type { Protocol } from './protocol.js';
import { controlProtocol } from './protocols/control-protocol.js';
import { downloadProtocol } from './protocols/download-protocol.js';
import { KeptFiles } from './protocols/kept-files.js';
import { logOutputProtocol } from './protocols/log-output-protocol.js';
import { LogReaders } from './protocols/log-readers.js';
import { remoteStreamProtocol } from './protocols/remote-stream-protocol.js';
import { throughputProtocol } from './protocols/throughput-protocol.js';
import { uploadProtocol } from './protocols/upload-protocol.js';
import { VerifyQueue } from './protocols/verify-queue.js';
import { refusalAnswerFor } from './refusal-answer.js';
import { requireNetwork } from './required-network.js';
import type { ReloadResult, ServerControls } from './server-controls.js';
import { ceilingOf, type ServerMemoryOptions, withinPlan } from './server-memory.js';
import type { ServerMode } from './server-mode.js';
import { ServerStats } from './server-stats.js';
import type { SessionContext } from './session.js';
import { DEFAULT_SPEED_LIMITS, type SpeedLimits } from './speed-limits.js';
import { FileBatches } from './storage/batches/file-batches.js';
import { ContentDigests } from './storage/content-digests.js';
import { DescriptorAccount } from './storage/descriptor-account.js';
import { DirectoryTree } from './storage/directory-tree.js';
import { ListingQueue } from './storage/listing-queue.js';
import { OpenFiles } from './storage/open-files.js';
import { StagingArea } from './storage/staging/staging-area.js';
import { StorageQuota } from './storage/storage-quota.js';
import { UserChanges } from './user-changes.js';
import { LoginGuard } from './users/login-guard.js';
import { UserAdministration } from './users/user-administration.js';
import type { UserStore } from './users/user-store.js';

/** A protocol that can be opened to anybody. */
export type OpenProtocol = 'remote-stream' | 'log-output';

export const DEFAULT_KEEP_FILES_MS = 60_000;

/** A week. */
export const DEFAULT_KEEP_PARTIALS_MS = 7 * 86_400_000;

export interface SluiceServerOptions
  extends AdmissionOptions,
    Pick<
      ListenerOptions,
      | 'host'
      | 'port'
      | 'backlog'
      | 'firstByteTimeoutMs'
      | 'loginTimeoutMs'
      | 'frameTimeoutMs'
      | 'minFrameBytesPerSecond'
      | 'idleTimeoutMs'
      | 'writeStallTimeoutMs'
      | 'receiveMode'
      | 'createServer'
      | 'random'
      | 'idOf'
      | 'onGone'
      | 'onEstablished'
      | 'onRelocated'
    > {
  /** Directory whose files are served; it must exist. One server at a time may have it: see `RootLock`. */
  readonly root: string;
  readonly users: UserStore;
  readonly log: LeveledLog;
  /** What LogOutput and the Control protocol read; without it neither does. */
  readonly logStream?: LogStream;
  /**
   * Called when an operator asks over the Control protocol for a drain, with the grace in milliseconds if one was given.
   *
   * @default drains
   */
  readonly onDrainRequested?: (graceMs: number | undefined) => void;
  /** How far an upload has come when it is acknowledged. @default 'durable' */
  readonly durability?: Durability;
  /** Protocols that need no login although they have one. @default none */
  readonly openProtocols?: readonly OpenProtocol[];
  /**
   * Whether users may log in by the MD5 digest of the password, as old clients do, also from other machines without TLS: whoever reads it there
   * can log in with it.
   *
   * @default false: over TLS, and from the same machine
   */
  readonly allowDigestLogin?: boolean;
  /** How long a file of RemoteStream may stay open when its connection breaks, in milliseconds; 0 for not at all. @default 60_000 */
  readonly keepFilesMs?: number;
  /** What measurements of the speed may take. @default DEFAULT_SPEED_LIMITS */
  readonly speed?: Partial<SpeedLimits>;
  /** Age after which an upload that was broken off is removed, in milliseconds; 0 for never. @default a week */
  readonly keepPartialsMs?: number;
  /** What uploads leave free on the disk, in bytes. @default a hundredth of the file system, at most 1 GiB */
  readonly keepFreeBytes?: number;
  /** Functions that are told of uploads. @default none */
  readonly hooks?: readonly UploadHooks[];
  /** Addresses that are told of uploads. @default none */
  readonly webhooks?: readonly WebhookTarget[];
  /** Connections whose first byte begins a TLS handshake become TLS connections. @default no TLS */
  readonly tls?: ServerTlsOptions;
  /**
   * Networks of balancers, `10.0.0.0/8` or `::1`: their connections must begin with a header of the PROXY protocol, which tells the real
   * peer. @default none
   */
  readonly proxyFrom?: readonly string[];
  /** Where the server is seen and used by browsers, and by programs that speak HTTP. @default nowhere */
  readonly http?: HttpServerOptions;
  /** What connections and requests may hold in memory, beside what the process takes at its start. @default no limit */
  readonly memory?: ServerMemoryOptions;
  /** @default the machine's */
  readonly clock?: Clock;
  /** Whether nobody may change files, until an operator says otherwise. @default false */
  readonly isReadOnly?: boolean;
  /** What this process agrees on with others that serve the same root, each its own connections. @default there are none */
  readonly coordinator?: Coordinator;
}

export interface ServerTlsOptions extends TlsListenerOptions {
  /** Whether plain connections are refused. @default false */
  readonly isRequired?: boolean;
}

/** Reads a part of the server anew. What it throws is told to operators; the part stays as it was. */
type Reloader = () => Promise<void>;

/** Time a drain that an operator asks for gives to what is begun, unless told otherwise. */
const DRAIN_GRACE_MS = 10_000;

/** The server: one listener, the protocols, the files and the users. */
export class SluiceServer {
  readonly listener: Listener;
  /** What serves WebSockets as connections, for HTTP servers of others too; the server's own has it at `/gateway`. */
  readonly gateway: UpgradeRoute;
  /** `undefined` without HTTP. */
  readonly http: ServerHttp | undefined;
  /** What is measured of this process. docs/http.md, "Metrics" */
  readonly readMetrics: () => MetricFamily[];
  readonly #reloaders: ReadonlyMap<string, Reloader>;
  readonly #log: Log;
  /** Ends what goes on beside the connections, when they are gone. */
  readonly #release: () => Promise<void>;

  private constructor(
    listener: Listener,
    gateway: UpgradeRoute,
    http: ServerHttp | undefined,
    readMetrics: () => MetricFamily[],
    reloaders: ReadonlyMap<string, Reloader>,
    log: Log,
    release: () => Promise<void>,
  ) {
    this.listener = listener;
    this.gateway = gateway;
    this.http = http;
    this.readMetrics = readMetrics;
    this.#reloaders = reloaders;
    this.#log = log;
    this.#release = release;
  }

  /**
   * Opens the root and listens.
   *
   * @throws {OptionsError} for a network that is none, and for a number that makes no sense
   * @throws {StorageError} when the root is missing or no directory
   * @throws the system's error when the address cannot be used
   */
  static async start(options: SluiceServerOptions): Promise<SluiceServer> {
    const { root, users, log, durability = 'durable', clock = systemClock, onDrainRequested, ...others } = options;
    const {
      openProtocols = [],
      allowDigestLogin = false,
      keepFilesMs = DEFAULT_KEEP_FILES_MS,
      speed = {},
      keepPartialsMs = DEFAULT_KEEP_PARTIALS_MS,
      keepFreeBytes,
      hooks: hookFunctions = [],
      webhooks: webhookTargets = [],
      logStream,
      tls,
      proxyFrom = [],
      memory,
      coordinator = SINGLE_PROCESS,
      http: httpOptions,
      isReadOnly = false,
      ...listenAsked
    } = others;
    const ceiling = memory && ceilingOf(memory, options, clock);
    const listen = { ...listenAsked, ...(ceiling && withinPlan(ceiling, listenAsked, log)) };
    const proxies = proxyFrom.map(requireNetwork);
    const closings: (() => void | Promise<void>)[] = [];
    /** Closes what was opened, the last first. */
    const release = async (): Promise<void> => {
      for (const close of closings.splice(0).reverse()) await close();
    };
    const opened = <T extends { close(): void | Promise<void> }>(part: T): T => {
      closings.push(() => part.close());
      return part;
    };
    try {
      const tree = opened(await DirectoryTree.open(root));
      const digests = opened(await openDigests(tree, log, coordinator));
      const webhooks = opened(await openWebhooks(tree, webhookTargets, clock, log));
      const batches = opened(
        await FileBatches.open(tree, {
          ...(ceiling && { maxPendingBytes: ceiling.plan.workBytes / 2 }),
          isAlone: coordinator.isAlone,
        }),
      );
      const staging = opened(
        await StagingArea.open((isMade) => tree.openOwn('staging', isMade), {
          keepMs: keepPartialsMs,
          floorBytes: keepFreeBytes,
          clock,
          log,
          coordinator,
        }),
      );
      const clients = opened(new ClientRegistry(clock));
      const openFiles = new OpenFiles(coordinator);
      const plan = descriptorPlan(listen);
      const descriptors = new DescriptorBudget(plan);
      const stats = opened(new ServerStats(clients, openFiles));
      const logins = opened(
        new Logins(
          users,
          tree,
          coordinator.isAlone ? new LoginGuard({ clock }) : new SharedLoginGate(coordinator),
          quotaMaker(coordinator, clock, (user) => staging.keptBytes(user)),
        ),
      );
      const kept = new KeptFiles(clock, keepFilesMs, coordinator);
      closings.push(() => kept.closeAll());
      let server: SluiceServer;
      let listener: Listener | undefined;
      let http: ServerHttp | undefined;
      const userChanges = opened(new UserChanges(users, clients, clock, log, () => server.reload(['users'])));
      const files = {
        openFiles,
        descriptors: new DescriptorAccount(descriptors, plan.fileShare),
        listings: new ListingQueue(),
        verifications: new VerifyQueue(),
        digests,
        staging,
        batches,
        hooks: new UploadHookRunner([...hookFunctions, ...webhooks.hooks]),
      };
      const mode: ServerMode = { isReadOnly };
      const traffic = new Traffic();
      const telemetry = await openTelemetry();
      const lag = opened(new LoopLag(clock));
      const reloaders = new Map<string, Reloader>();
      if (users.file !== undefined) reloaders.set('users', () => userChanges.apply().then(() => http?.checkUsers()));
      if (tls) reloaders.set('certificates', () => tls.contexts.reload());
      const own: ServerControls = {
        clients: () => [...clients],
        flights: clients,
        every: (intervalMs, tick) => clock.every(intervalMs, tick),
        stats: () => ({
          ...stats.read(server.listener),
          timings: timingFigures(traffic, lag),
          staging: staging.totals,
          isReadOnly: mode.isReadOnly,
        }),
        drain: (graceMs) => {
          if (onDrainRequested) onDrainRequested(graceMs);
          else void server.drain(graceMs ?? DRAIN_GRACE_MS);
        },
        get isReadOnly() {
          return mode.isReadOnly;
        },
        setReadOnly: (value) => {
          mode.isReadOnly = value;
        },
        logLevels: LOG_LEVELS,
        get logLevel() {
          return log.level;
        },
        setLogLevel: (level) => {
          log.level = level as LogLevel;
        },
        reload: () => server.reload(),
        users: new UserAdministration(users, log, async () => {
          await server.reload(['users']);
        }),
      };
      const controls = coordinator.isAlone ? own : sharedControls(own, coordinator);
      const isLogReader = (address: string): boolean => openProtocols.includes('log-output') || isLoopback(address);
      const logReaders = new LogReaders();
      const protocols = new Map<number, Protocol>();
      for (const protocol of [
        uploadProtocol(files, durability),
        downloadProtocol(files),
        remoteStreamProtocol(files, { needsLogin: !openProtocols.includes('remote-stream'), kept }),
        throughputProtocol({ ...DEFAULT_SPEED_LIMITS, ...speed }, clock, coordinator),
        controlProtocol(controls, logStream?.journal && { journal: logStream.journal, readers: logReaders }),
        ...(logStream ? [logOutputProtocol(logStream, isLogReader, logReaders)] : []),
      ])
        protocols.set(protocol.flag, protocol);
      const context: SessionContext = {
        authenticator: logins,
        allowsPlainDigest: (address) => allowDigestLogin || isLoopback(address),
        anybody: { userName: undefined, role: 'user', tree, quota: undefined },
        mode,
        principalOf: ({ carrier }) => (carrier instanceof WebSocketStream ? carrier.visitor?.principal : undefined),
        refusesPlain: ({ carrier, remoteAddress }) =>
          tls?.isRequired === true && !(carrier && isLoopback(remoteAddress)),
        clients,
        traffic,
        telemetry,
        log,
      };
      const isProxy = proxies.length > 0 && ((address: string) => proxies.some((has) => has(address)));
      const opening = { ...(tls && { tls }), ...(isProxy && { isProxy }) };
      const gateway = gatewayRoute(
        adopterOf(() => listener, coordinator),
        clock,
      );
      const filesByHttp = {
        files,
        durability,
        mode,
        memory: ceiling,
        openTusDirectory: (isMade: boolean) => tree.openOwn('tus', isMade),
        keepPartialsMs,
      };
      const metrics = new ServerMetrics({
        number: coordinator.number,
        isAlone: coordinator.isAlone,
        clients,
        openFiles,
        staging,
        logins,
        traffic,
        mode,
        descriptors,
        certificates: tls?.contexts,
        logCounters: logStream?.counters,
        lag,
      });
      const readMetrics = (): MetricFamily[] => (listener ? metrics.read(listener, http?.listener) : []);
      if (!coordinator.isAlone) coordinator.on('process.metrics', readMetrics);
      const httpParts = {
        ...opening,
        logins,
        coordinator,
        descriptors,
        clock,
        log,
        gateway,
        files: filesByHttp,
        telemetry,
        metrics: () =>
          coordinator.isAlone ? readMetrics() : coordinator.ask<MetricFamily[]>('server.metrics', undefined),
      };
      http = httpOptions && (await ServerHttp.open({ ...httpParts, options: httpOptions }));
      if (http) opened(http);
      if (http && httpOptions?.dashboard !== undefined) reloaders.set('dashboard', () => http!.reload());
      listener = await Listener.listen({
        ...listen,
        ...opening,
        clock,
        descriptors,
        establishedBy: 'handler',
        refusalAnswer: refusalAnswerFor(protocols),
        onRefusals: ({ reason, count }) => log.warn('connections refused', { reason, count }),
        onWarning: (message) => log.warn(message),
        onConnection: (connection) => new FlagReader(connection, protocols, context),
      });
      if (telemetry) closings.push(telemetry.observe(readMetrics));
      server = new SluiceServer(listener, gateway, http, readMetrics, reloaders, log, release);
      return server;
    } catch (error) {
      await release();
      throw error;
    }
  }

  get address(): { readonly host: string; readonly port: number } {
    return this.listener.address;
  }

  /**
   * Reads anew what may have changed on the disk. What is bad leaves that part of the server as it was.
   *
   * @param names of the parts. @default all
   */
  async reload(names?: readonly string[]): Promise<readonly ReloadResult[]> {
    const results: ReloadResult[] = [];
    for (const [name, reload] of this.#reloaders) {
      if (names && !names.includes(name)) continue;
      try {
        await reload();
        this.#log.info('reloaded', { name });
        results.push({ name, isOk: true, message: '' });
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        this.#log.error('not reloaded', { name, detail: message });
        results.push({ name, isOk: false, message });
      }
    }
    return results;
  }

  /**
   * Stops accepting, ends what is begun, and closes.
   *
   * @param graceMs milliseconds after which what is not done is cut
   * @returns how many connections were cut
   */
  async drain(graceMs: number): Promise<number> {
    const finished = this.http?.drain(graceMs);
    const cut = await this.listener.drain(graceMs);
    await finished;
    await this.#release();
    return cut;
  }

  /** Ends everything at once. */
  async close(): Promise<void> {
    await this.listener.close();
    await this.#release();
  }
}

/** A root that cannot be written to has no digests; everything else goes on. */
function openDigests(tree: DirectoryTree, log: Log, coordinator: Coordinator): Promise<ContentDigests> {
  return ContentDigests.open((isMade) => tree.openOwn('digests', isMade), {
    onFailure: (code) => log.error('digests of files cannot be kept', { code }),
    coordinator,
  });
}

/** @param keptBytes what is kept for a user beside the files of its tree */
function quotaMaker(coordinator: Coordinator, clock: Clock, keptBytes: (userName: string) => number): QuotaMaker {
  const shared = coordinator.isAlone ? undefined : new SharedQuotas(coordinator, clock);
  return (limitBytes, userName, tree, rootKey = '') => {
    const measure = async (): Promise<number> => (await tree.measure()) + keptBytes(userName);
    if (shared) return shared.quota(`${userName}\0${rootKey}`, limitBytes, measure);
    return new StorageQuota(limitBytes, measure, clock);
  };
}

/** How connections and files share the descriptors of the process. */
function descriptorPlan(listen: Pick<ListenerOptions, 'maxConnections' | 'maxWaiting'>): DescriptorPlan {
  const limit = descriptorLimit();
  return planDescriptors(fitToDescriptors({ ...DEFAULT_LISTENER_OPTIONS, ...listen }, limit), limit);
}
