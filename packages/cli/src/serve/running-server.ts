import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { ReloadResult, ServerLog, SluiceServerOptions, UserStore } from '@sluice/server';
import type { Invocation } from '../command.js';
import type { serve } from '../commands/serve.js';
import { admissionOf } from './admission-options.js';
import { deadlinesOf } from './deadline-options.js';
import { hooksOf } from './hook-options.js';
import { httpOf } from './http-options.js';
import { memoryOf } from './memory-options.js';
import { speedLimitsOf } from './protocol-options.js';
import { loadTls } from './tls-options.js';

type ServerPackage = typeof import('@sluice/server');

/** The command line of `sluice serve`. Plain data. */
export type ServeInvocation = Pick<Invocation<(typeof serve)['options']>, 'options' | 'given'>;

/** What a worker is told of it. */
export interface WorkerSettings extends ServeInvocation {
  readonly workers: number;
  /** Of all workers: a client goes on with a TLS session at any of them. */
  readonly ticketKeys: Uint8Array;
}

const TICKET_KEY_BYTES = 48;

/** Where a server is seen. */
interface HttpPlace {
  readonly host: string;
  readonly port: number;
  readonly scheme: 'http' | 'https';
}

/** A server, in this process or by others. */
export interface RunningServer {
  readonly address: { readonly host: string; readonly port: number };
  /** `undefined` without HTTP. */
  readonly http: HttpPlace | undefined;
  readonly connections: number;
  reload(): Promise<readonly ReloadResult[]>;
  drain(graceMs: number): Promise<number>;
  close(): Promise<void>;
}

/**
 * V8 lets the space for new objects grow to three times 16 MiB when very many connections come, and keeps it for long: 5 KiB for each of 10,000. Serving
 * them needs next to none of it.
 */
const SEMI_SPACE_MIB = 2;

type SharedOptions = Awaited<ReturnType<typeof serverOptionsOf>>;

type DrainListener = (graceMs: number | undefined) => void;

const WORKER = fileURLToPath(new URL('./worker-main.js', import.meta.url));

/** Serves in this process. @throws as `SluiceServer.start`; {CommandError} */
export async function serveHere(
  server: ServerPackage,
  invocation: ServeInvocation,
  shared: SharedOptions,
  users: UserStore,
  log: ServerLog,
  onDrainRequested: DrainListener,
): Promise<RunningServer> {
  const { host, port } = invocation.options.listen;
  const { webhooks, ...options } = shared;
  const all = { ...options, ...(webhooks && { webhooks }), host, port, users, log, logStream: log, onDrainRequested };
  const running = await server.SluiceServer.start(all);
  return {
    address: running.address,
    http: running.http && placeOf(running.http.address, invocation),
    get connections() {
      return running.listener.connections.size;
    },
    reload: () => running.reload(),
    drain: (graceMs) => running.drain(graceMs),
    close: () => running.close(),
  };
}

/** Serves by worker processes, with this one as their supervisor. @throws as `Supervisor.start`; {CommandError} */
export async function serveByWorkers(
  server: ServerPackage,
  invocation: ServeInvocation,
  { webhooks = [] }: SharedOptions,
  workers: number,
  users: UserStore,
  log: ServerLog,
  onDrainRequested: DrainListener,
): Promise<RunningServer> {
  const { options, given } = invocation;
  process.title = `sluice serve: supervisor of ${workers} workers`;
  const settings: WorkerSettings = { options, given, workers, ticketKeys: randomBytes(TICKET_KEY_BYTES) };
  const http = await httpOf(options, given);
  const supervisor = await server.Supervisor.start({
    host: options.listen.host,
    port: options.listen.port,
    root: options.root,
    users,
    log,
    workers,
    settings,
    fork: () =>
      fork(WORKER, [], {
        serialization: 'advanced',
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
        execArgv: [...youngGeneration(), ...process.execArgv],
      }),
    ...admissionOf(options, given),
    proxyFrom: options['proxy-from'],
    speed: speedLimitsOf(options),
    webhooks,
    replacedGraceMs: options['reload-timeout'],
    onDrainRequested,
    ...(http && { http }),
  });
  return {
    address: supervisor.address,
    http: supervisor.httpAddress && placeOf(supervisor.httpAddress, invocation),
    get connections() {
      return supervisor.connections;
    },
    reload: () => supervisor.reload(),
    drain: (graceMs) => supervisor.drain(graceMs),
    close: () => supervisor.close(),
  };
}

/** @param address where it listens */
function placeOf(address: { readonly host: string; readonly port: number }, { options }: ServeInvocation): HttpPlace {
  return { ...address, scheme: options['tls-cert'].length > 0 ? 'https' : 'http' };
}

/** What the operator has set in `NODE_OPTIONS` stays. */
function youngGeneration(): string[] {
  const isSet = process.env['NODE_OPTIONS']?.includes('semi-space') ?? false;
  return isSet ? [] : [`--max-semi-space-size=${SEMI_SPACE_MIB}`];
}

/** What is the same for a server in one process and for each worker. @throws {CommandError} */
export async function serverOptionsOf(
  server: ServerPackage,
  { options, given }: ServeInvocation,
  ticketKeys?: Uint8Array,
) {
  const tls = await loadTls(server, options, ticketKeys);
  const hooks = await hooksOf(server, options);
  const http = await httpOf(options, given);
  return {
    root: options.root,
    ...admissionOf(options, given),
    ...deadlinesOf(options),
    memory: memoryOf(server, options, given),
    durability: options.durability,
    openProtocols: options.open,
    allowDigestLogin: options['allow-digest-login'],
    keepFilesMs: options['keep-files'],
    speed: speedLimitsOf(options),
    keepPartialsMs: options['keep-partials'],
    ...(options['keep-free'] !== undefined && { keepFreeBytes: options['keep-free'] }),
    ...hooks,
    ...(http && { http }),
    proxyFrom: options['proxy-from'],
    ...(tls && { tls: { ...tls, handshakeTimeoutMs: options['tls-handshake-timeout'] } }),
  } satisfies Partial<SluiceServerOptions>;
}
