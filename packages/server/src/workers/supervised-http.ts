import { randomBytes } from 'node:crypto';
import {
  type AcceptedConnection,
  type Clock,
  type DescriptorBudget,
  StreamListener,
  type StreamRefusal,
} from '@sluice/core';
import type { Hub } from '../coordination/hub.js';
import { DEFAULT_HTTP_OPTIONS, HTTP_TIMEOUTS, type HttpServerOptions } from '../http/http-options.js';
import { connectionsWithin, listeningForHttp, refusalAnswer } from '../http/http-places.js';
import type { LoginSession } from '../http/login/session-token.js';
import type { Log } from '../log.js';
import type { SupervisedWorker } from './supervised-worker.js';

export interface SupervisedHttpOptions
  extends Pick<HttpServerOptions, 'host' | 'port' | 'isOptional' | 'maxConnections' | 'maxPerAddress'> {
  readonly isProxy?: (address: string) => boolean;
}

/** What a worker is told of HTTP. Plain data. */
export interface HttpStart {
  /** Where the supervisor listens. */
  readonly host: string;
  readonly port: number;
  /** What logins are signed with. */
  readonly sessionKey: Uint8Array;
}

interface Parts {
  readonly options: SupervisedHttpOptions;
  readonly hub: Hub;
  readonly workers: ReadonlyMap<number, SupervisedWorker>;
  readonly descriptors: DescriptorBudget;
  readonly clock: Clock;
  readonly log: Log;
}

const SESSION_KEY_BYTES = 32;

/** Logouts that are remembered for workers that begin later. */
const MAX_LOGOUTS = 20_000;

/**
 * HTTP of a server of several processes: accepted here, within limits that hold for all together, and served whole by a worker. A worker that
 * ends gets connections for as long as there is no other, so that whoever asks is told that the server ends.
 */
export class SupervisedHttp {
  readonly #workers: ReadonlyMap<number, SupervisedWorker>;
  readonly #hub: Hub;
  readonly #logouts = new Map<string, LoginSession>();
  readonly #sessionKey = randomBytes(SESSION_KEY_BYTES);
  #streams!: StreamListener;

  /** @returns `undefined` when the server is to go on without HTTP @throws {HttpAddressError} */
  static async open(parts: Parts): Promise<SupervisedHttp | undefined> {
    const http = new SupervisedHttp(parts.workers, parts.hub);
    return await listeningForHttp(parts.options, parts.log, async () => {
      http.#streams = await http.#listen(parts);
      parts.hub.on('http.ended', (id: number, from) => {
        parts.workers.get(from)?.httpConnections.delete(id);
        http.ended(id);
      });
      return http;
    });
  }

  private constructor(workers: ReadonlyMap<number, SupervisedWorker>, hub: Hub) {
    this.#workers = workers;
    this.#hub = hub;
    hub.on('http.logout', (session: LoginSession) => this.#logOut(session));
  }

  get address(): { readonly host: string; readonly port: number } {
    return this.#streams.address;
  }

  get accepted(): number {
    return this.#streams.accepted;
  }

  get refused(): ReadonlyMap<StreamRefusal, number> {
    return this.#streams.refused;
  }

  /** For a worker that begins. */
  get start(): HttpStart {
    return { ...this.address, sessionKey: this.#sessionKey };
  }

  serve(connection: AcceptedConnection): void {
    let chosen: SupervisedWorker | undefined;
    for (const worker of this.#workers.values())
      if (rankOf(worker) > 0 && (!chosen || isBefore(worker, chosen))) chosen = worker;
    if (chosen) chosen.give(connection);
    else {
      connection.destroy();
      this.ended(connection.id);
    }
  }

  /** May be called twice. */
  ended(id: number): void {
    this.#streams.ended(id);
  }

  /** For a worker that begins: those who have logged out before. */
  tellLogouts(worker: number): void {
    this.#hub.tellOne(worker, 'http.logged-out', [...this.#logouts.values()]);
  }

  close(): void {
    this.#streams.close();
  }

  /** Settles when no worker takes the login any more. */
  async #logOut(session: LoginSession): Promise<void> {
    for (const { id, expiresAtMs } of this.#logouts.values()) if (expiresAtMs <= Date.now()) this.#logouts.delete(id);
    this.#logouts.delete(session.id);
    this.#logouts.set(session.id, session);
    const [oldest] = this.#logouts.keys();
    if (this.#logouts.size > MAX_LOGOUTS) this.#logouts.delete(oldest!);
    await this.#hub.gather('http.logged-out', [session]);
  }

  #listen({ options, descriptors, clock, log }: Parts): Promise<StreamListener> {
    const { host, port, isProxy, maxConnections, maxPerAddress } = { ...DEFAULT_HTTP_OPTIONS, ...options };
    return StreamListener.listen({
      host,
      port,
      ...(isProxy && { isProxy }),
      descriptors,
      clock,
      maxConnections: connectionsWithin(maxConnections, descriptors),
      maxPerAddress,
      openingTimeoutMs: HTTP_TIMEOUTS.headersMs,
      handOver: (connection) => this.serve(connection),
      refusalAnswer,
      onRefused: (reason, remote) => log.debug('http connection refused', { reason, remote }),
      onWarning: (message) => log.warn(message),
    });
  }
}

/** 0: gets none. */
function rankOf({ state, child }: SupervisedWorker): number {
  if (!child.connected) return 0;
  return { starting: 0, abandoned: 0, ending: 1, replaced: 2, serving: 3 }[state];
}

function isBefore(worker: SupervisedWorker, other: SupervisedWorker): boolean {
  const ranks = rankOf(worker) - rankOf(other);
  return ranks > 0 || (ranks === 0 && worker.httpConnections.size < other.httpConnections.size);
}
