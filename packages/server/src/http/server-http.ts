import { randomBytes } from 'node:crypto';
import type { Clock, DescriptorBudget, StreamListenerOptions, TlsListenerOptions } from '@sluice/core';
import type { Answer, Coordinator } from '../coordination/coordinator.js';
import type { Log } from '../log.js';
import type { Logins } from '../logins.js';
import type { MetricFamily } from '../metrics/metric-family.js';
import type { Telemetry } from '../metrics/telemetry.js';
import type { FilesParts } from './files/files-parts.js';
import { FilesRoutes } from './files/files-route.js';
import { HttpListener } from './http-listener.js';
import { DEFAULT_HTTP_OPTIONS, type HttpServerOptions } from './http-options.js';
import { listeningForHttp } from './http-places.js';
import type { UpgradeRoute } from './http-route.js';
import { HttpVisitors } from './login/http-visitors.js';
import { LoginSessions } from './login/login-sessions.js';
import { OwnOrigins } from './own-origins.js';
import { PageFiles } from './pages/page-files.js';
import { serverRoutes, serverUpgrades } from './server-routes.js';

/** What the HTTP of a server needs of it. */
export interface HttpParts extends Pick<StreamListenerOptions, 'isProxy'> {
  readonly tls?: TlsListenerOptions & { readonly isRequired?: boolean };
  readonly options: HttpServerOptions;
  readonly logins: Logins;
  readonly coordinator: Coordinator;
  readonly descriptors: DescriptorBudget;
  readonly clock: Clock;
  readonly gateway: UpgradeRoute;
  readonly files: Omit<FilesParts, 'clock' | 'log' | 'isAllowedOrigin'>;
  readonly telemetry: Telemetry | undefined;
  /** What is measured, of all processes of the server. */
  readonly metrics: () => Answer<readonly MetricFamily[]>;
  readonly log: Log;
}

const SESSION_KEY_BYTES = 32;

/** The HTTP of a server: its listener, who has logged in, and its pages. */
export class ServerHttp {
  readonly listener: HttpListener;
  readonly #sessions: LoginSessions;
  readonly #pages: PageFiles | undefined;
  readonly #files: FilesRoutes;

  private constructor(
    listener: HttpListener,
    sessions: LoginSessions,
    pages: PageFiles | undefined,
    files: FilesRoutes,
  ) {
    this.listener = listener;
    this.#sessions = sessions;
    this.#pages = pages;
    this.#files = files;
  }

  /**
   * Listens.
   *
   * @returns `undefined` when the server is to go on without HTTP
   * @throws {HttpAddressError} when the address cannot be used
   * @throws {OptionsError} for an origin that is none
   */
  static async open(parts: HttpParts): Promise<ServerHttp | undefined> {
    const { options, log, logins, clock, coordinator, descriptors, gateway, tls, isProxy } = parts;
    const { allowPlainLogin = false, sessionKey = randomBytes(SESSION_KEY_BYTES), dashboard } = options;
    const origins = new OwnOrigins(options.origins ?? []);
    const sessions = new LoginSessions({
      key: sessionKey,
      lastsMs: options.sessionMs ?? DEFAULT_HTTP_OPTIONS.sessionMs,
      stampOf: (userName) => logins.stampOf(userName),
      clock,
      coordinator,
    });
    const visitors = new HttpVisitors({ origins, sessions, logins, allowPlainLogin, clock, log });
    const pages = dashboard === undefined ? undefined : await PageFiles.read(dashboard);
    const isAllowedOrigin = (origin: string): boolean => origins.isNamed(origin);
    const files = await FilesRoutes.open({ ...parts.files, clock, log, isAllowedOrigin });
    const metrics = { read: parts.metrics, isOpen: options.openMetrics ?? false, origins };
    const isDraining = (): boolean => listener.isDraining;
    const routeParts = { options, visitors, metrics, pages, gateway, files, isDraining };
    const routes = serverRoutes(routeParts);
    const upgrades = serverUpgrades(routeParts);
    let listener: HttpListener;
    const release = async (): Promise<void> => {
      sessions.close();
      await files.close();
    };
    const listening = listeningForHttp(options, log, async () => {
      const needsTls = tls?.isRequired ?? false;
      const { telemetry } = parts;
      const all = { ...options, routes, upgrades, visitors, needsTls, descriptors, telemetry, clock, log };
      listener = await HttpListener.listen({ ...all, ...(tls && { tls }), ...(isProxy && { isProxy }) });
      return new ServerHttp(listener, sessions, pages, files);
    });
    const http = await listening.catch(async (error: unknown) => {
      await release();
      throw error;
    });
    if (!http) await release();
    return http;
  }

  get address(): { readonly host: string; readonly port: number } {
    return this.listener.address;
  }

  /** The users have changed: logins of those who are not as before end. */
  checkUsers(): void {
    this.#sessions.check();
  }

  /** Reads the pages anew. @throws the system's error, and everything stays as it was */
  async reload(): Promise<void> {
    await this.#pages?.reload();
  }

  /** As `HttpListener.drain`. */
  drain(graceMs: number): Promise<void> {
    return this.listener.drain(graceMs);
  }

  async close(): Promise<void> {
    this.#sessions.close();
    this.listener.close();
    await this.#files.close();
  }
}
