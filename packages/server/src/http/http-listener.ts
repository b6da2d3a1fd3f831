import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  type AcceptedStream,
  type Clock,
  type DescriptorBudget,
  StreamListener,
  type StreamListenerOptions,
  type StreamRefusal,
} from '@sluice/core';
import { isLoopback } from '../address-network.js';
import type { Log } from '../log.js';
import { Histogram } from '../metrics/histogram.js';
import type { Telemetry } from '../metrics/telemetry.js';
import { StorageError } from '../storage/storage-error.js';
import { HEALTH_PATHS } from './health-routes.js';
import { bareAnswer, httpErrorOf, sendError, sendText } from './http-answers.js';
import { type HttpConnection, HttpConnections } from './http-connections.js';
import { HttpError } from './http-error.js';
import {
  DEFAULT_HTTP_OPTIONS,
  HTTP_TIMEOUTS,
  type HttpServerOptions,
  MAX_HTTP_HEAD_BYTES,
  MAX_HTTP_HEADERS,
} from './http-options.js';
import { connectionsWithin, refusalAnswer } from './http-places.js';
import type { HttpRoute, HttpVisitor, UpgradeRoute } from './http-route.js';
import { IncomingRequest, type UnidentifiedRequest } from './incoming-request.js';
import { METRICS_PATH } from './metrics-route.js';
import { RouteTable } from './route-table.js';
import { setSecurityHeaders } from './security-headers.js';

type Socket = AcceptedStream['socket'];

/** Knows who asks. */
export interface Visitors {
  /**
   * @throws {HttpError} for credentials that are wrong, and for a login that is used from a foreign origin
   */
  visitorOf(request: UnidentifiedRequest): HttpVisitor | undefined | Promise<HttpVisitor | undefined>;
  /** For an upgrade. @throws {HttpError} for an origin that is not allowed */
  requireOrigin(request: UnidentifiedRequest): void;
}

export interface HttpListenerOptions
  extends Pick<HttpServerOptions, 'host' | 'port' | 'maxConnections' | 'maxPerAddress' | 'createServer'>,
    Pick<StreamListenerOptions, 'tls' | 'isProxy' | 'onLeft'> {
  readonly routes: readonly HttpRoute[];
  readonly upgrades: readonly UpgradeRoute[];
  readonly visitors: Visitors;
  /** Whether nothing is served without TLS but to this machine, and to who asks how the server is. @default false */
  readonly needsTls?: boolean;
  readonly descriptors: DescriptorBudget;
  /** @default nobody traces */
  readonly telemetry?: Telemetry | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** What an HTTP listener has done since it was opened. */
export interface HttpCounters {
  /** By the first digit of the status. */
  readonly answers: Map<string, number>;
  /** Times of requests, by the path of the route. */
  readonly times: Map<string, Histogram>;
  upgrades: number;
}

/** Serves HTTP, beside the protocols and off their path: whatever happens here, they go on. */
export class HttpListener {
  readonly counters: HttpCounters = { answers: new Map(), times: new Map(), upgrades: 0 };
  readonly #options: HttpListenerOptions;
  readonly #routes: RouteTable<HttpRoute>;
  readonly #upgrades: RouteTable<UpgradeRoute>;
  readonly #connections: HttpConnections;
  readonly #server: http.Server;
  #streams!: StreamListener;
  #isDraining = false;

  /** Listens. @throws the system's error when the address cannot be used */
  static async listen(options: HttpListenerOptions): Promise<HttpListener> {
    const listener = new HttpListener(options);
    try {
      await listener.#listen();
    } catch (error) {
      listener.#connections.close();
      throw error;
    }
    return listener;
  }

  private constructor(options: HttpListenerOptions) {
    this.#options = options;
    this.#routes = new RouteTable(options.routes);
    this.#upgrades = new RouteTable(options.upgrades);
    this.#connections = new HttpConnections(options.clock, (connection) => this.#endLate(connection));
    // It never listens: it is given the connections that are accepted, and has no time limits of its own.
    this.#server = http.createServer({
      maxHeaderSize: MAX_HTTP_HEAD_BYTES,
      headersTimeout: 0,
      requestTimeout: 0,
      keepAliveTimeout: 0,
      noDelay: true,
    });
    this.#server.maxHeadersCount = MAX_HTTP_HEADERS + 1;
    this.#server.on('request', (message, response) => void this.#answer(message, response, false));
    this.#server.on('checkContinue', (message, response) => void this.#answer(message, response, true));
    this.#server.on('upgrade', (message: IncomingMessage, socket: Duplex, head: Buffer) => {
      void this.#upgrade(message, socket, head);
    });
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => this.#refuseBad(error, socket as Socket));
  }

  get address(): { readonly host: string; readonly port: number } {
    return this.#streams.address;
  }

  /** Open connections, without those of upgrades. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Whether the server ends, and takes no more work. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  get accepted(): number {
    return this.#streams.accepted;
  }

  get refused(): ReadonlyMap<StreamRefusal, number> {
    return this.#streams.refused;
  }

  /**
   * From now on only those are answered who ask how the server is, or what it has measured. What is begun may be finished; what still goes on after `graceMs`
   * milliseconds is cut.
   *
   * @returns settles when nothing is under way. `close` is to follow
   */
  async drain(graceMs: number): Promise<void> {
    this.#isDraining = true;
    const cancel = this.#options.clock.after(graceMs, () => this.#connections.cut());
    await this.#connections.drain();
    cancel();
  }

  /** Ends everything at once. */
  close(): void {
    this.#streams.close();
    this.#connections.close();
  }

  async #listen(): Promise<void> {
    const { host, port, descriptors, clock, log, tls, isProxy, createServer, onLeft } = this.#options;
    const { maxConnections = DEFAULT_HTTP_OPTIONS.maxConnections } = this.#options;
    const { maxPerAddress = DEFAULT_HTTP_OPTIONS.maxPerAddress } = this.#options;
    this.#streams = await StreamListener.listen({
      host,
      port,
      clock,
      descriptors,
      maxConnections: connectionsWithin(maxConnections, descriptors),
      maxPerAddress,
      openingTimeoutMs: HTTP_TIMEOUTS.headersMs,
      ...(tls && { tls }),
      ...(isProxy && { isProxy }),
      ...(createServer && { createServer }),
      ...(onLeft && { onLeft }),
      onStream: (stream) => this.#take(stream),
      makeRoom: () => this.#connections.endOneIdle(),
      refusalAnswer,
      onRefused: (reason, remote) => log.debug('http connection refused', { reason, remote }),
      onWarning: (message) => log.warn(message),
    });
  }

  #take(stream: AcceptedStream): void {
    this.#connections.add(stream);
    this.#server.emit('connection', stream.socket);
    stream.socket.resume();
  }

  async #answer(message: IncomingMessage, response: ServerResponse, awaitsContinue: boolean): Promise<void> {
    const connection = this.#connections.get(message.socket);
    if (!connection) {
      message.socket.destroy();
      return;
    }
    this.#connections.begin(message, response);
    setSecurityHeaders(response, connection.isSecure);
    if (this.#isDraining) response.setHeader('Connection', 'close');
    response.once('finish', () => this.#count(response.statusCode));
    try {
      const request = new IncomingRequest(message, response, connection);
      const route = this.#routes.find(request.url.pathname);
      if (!route) throw new HttpError(404, 'there is nothing here');
      this.#follow(route, message, response);
      if (!takesMethod(route, message.method)) {
        answerMethod(route, message.method, response);
        return;
      }
      const isHealth = HEALTH_PATHS.includes(route.path);
      if (this.#lacksTls(connection) && !isHealth) {
        refusePlain(message, request.url, response);
        return;
      }
      if (this.#isDraining && !isHealth && route.path !== METRICS_PATH) throw endingError();
      requireFewHeaders(message);
      request.visitor = await this.#options.visitors.visitorOf(request);
      requireAccess(route, request);
      if (response.destroyed) return;
      if (awaitsContinue) response.writeContinue();
      await route.handle(request, response);
    } catch (error) {
      this.#tellFailure(message, error);
      sendError(message, response, withChallenge(httpErrorOf(error), message));
    }
  }

  async #upgrade(message: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const connection = this.#connections.get(message.socket);
    if (!connection) {
      socket.destroy();
      return;
    }
    const onEarlyEnd = (): void => void socket.destroy();
    socket.once('error', onEarlyEnd).once('end', onEarlyEnd);
    connection.requests += 1; // nobody takes it for idle
    try {
      const request = new IncomingRequest(message, socket, connection);
      const route = this.#upgrades.find(request.url.pathname);
      if (!route) throw new HttpError(404, 'there is nothing here that takes connections over');
      if (this.#lacksTls(connection)) throw new HttpError(403, 'use HTTPS');
      if (this.#isDraining) throw endingError();
      requireFewHeaders(message);
      this.#options.visitors.requireOrigin(request);
      request.visitor = await this.#options.visitors.visitorOf(request);
      requireAccess(route, request);
      if (socket.destroyed) return;
      socket.off('error', onEarlyEnd).off('end', onEarlyEnd);
      this.counters.upgrades += 1;
      this.#connections.release(connection.socket);
      this.#streams.release(connection.socket);
      route.upgrade(request, socket, head);
    } catch (error) {
      this.#tellFailure(message, error);
      const { status, message: text, headers } = withChallenge(httpErrorOf(error), message);
      this.#count(status);
      if (socket.writable) socket.end(bareAnswer(status, text, connection.isSecure, headers));
      socket.once('finish', () => socket.destroy());
    }
  }

  #lacksTls({ isSecure, remoteAddress }: HttpConnection): boolean {
    return this.#options.needsTls === true && !isSecure && !isLoopback(remoteAddress);
  }

  /** What the parser cannot read. */
  #refuseBad(error: NodeJS.ErrnoException, socket: Socket): void {
    const connection = this.#connections.get(socket);
    if (error.code === 'ECONNRESET' || !socket.writable || !connection || connection.requests > 0) {
      socket.destroy();
      return;
    }
    const isTooLarge = error.code === 'HPE_HEADER_OVERFLOW';
    this.#endWith(connection, isTooLarge ? 431 : 400, isTooLarge ? 'the headers are too large' : 'this is not HTTP');
  }

  #endLate(connection: HttpConnection): void {
    this.#endWith(connection, 408, 'the headers took too long');
  }

  #endWith({ socket, isSecure }: HttpConnection, status: number, text: string): void {
    if (socket.writableEnded) {
      socket.destroy(); // it has been told already, and stays
      return;
    }
    this.#count(status);
    socket.end(bareAnswer(status, text, isSecure));
    socket.once('finish', () => socket.destroySoon());
  }

  #count(status: number): void {
    const kind = `${Math.floor(status / 100)}xx`;
    const { answers } = this.counters;
    answers.set(kind, (answers.get(kind) ?? 0) + 1);
  }

  /** Notes how long a request takes, and tells who traces. */
  #follow({ path }: HttpRoute, { method = '', headers }: IncomingMessage, response: ServerResponse): void {
    const traced = this.#options.telemetry?.httpRequest(method, path, headers);
    const begunMs = this.#options.clock.nowMs();
    let times = this.counters.times.get(path);
    if (!times) {
      times = new Histogram();
      this.counters.times.set(path, times);
    }
    response.once('close', () => {
      times.observe(this.#options.clock.nowMs() - begunMs);
      traced?.end(response.statusCode, response.statusCode >= 500 || !response.writableFinished);
    });
  }

  #tellFailure({ method, socket }: IncomingMessage, error: unknown): void {
    const remote = this.#connections.get(socket)?.remoteAddress;
    const fields = { method, remote, detail: error instanceof Error ? error.message : String(error) };
    if (isExpected(error)) this.#options.log.debug('http request refused', fields);
    else this.#options.log.error('http request failed', { ...fields, cause: causeOf(error) });
  }
}

/** Whether the peer has asked for what cannot be; otherwise the operator has to look. */
function isExpected(error: unknown): boolean {
  if (error instanceof StorageError) return httpErrorOf(error).status < 500;
  return error instanceof HttpError || (error instanceof Error && error.name === 'AbortError');
}

function causeOf(error: unknown): string | undefined {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause === undefined ? undefined : String(cause);
}

function endingError(): HttpError {
  return new HttpError(503, 'the server is ending', { 'Retry-After': '10' });
}

function takesMethod({ methods }: HttpRoute, method = ''): boolean {
  return methods.includes(method) || (method === 'HEAD' && methods.includes('GET'));
}

function answerMethod({ methods }: HttpRoute, method: string | undefined, response: ServerResponse): void {
  const allowed = [...methods, ...(methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS'];
  const Allow = [...new Set(allowed)].join(', ');
  if (method === 'OPTIONS') sendText(response, 204, '', { Allow });
  else throw new HttpError(405, `this takes ${Allow}`, { Allow });
}

/** TLS is spoken on the same port. @throws {HttpError} 403 where a browser could not be sent on */
function refusePlain({ method }: IncomingMessage, url: URL, response: ServerResponse): void {
  if (method !== 'GET' && method !== 'HEAD') throw new HttpError(403, 'use HTTPS');
  sendText(response, 308, 'use HTTPS', { Location: `https://${url.host}${url.pathname}${url.search}` });
}

/** Node leaves out what is above its number of headers, in silence. */
function requireFewHeaders({ rawHeaders }: IncomingMessage): void {
  if (rawHeaders.length / 2 > MAX_HTTP_HEADERS) throw new HttpError(431, 'too many headers');
}

/** @throws {HttpError} 401 for who is not known, 403 for who may not */
function requireAccess({ access = 'user' }: HttpRoute | UpgradeRoute, { visitor }: IncomingRequest): void {
  if (access === 'anybody') return;
  if (!visitor) throw new HttpError(401, 'log in first');
  if (access === 'admin' && visitor.principal.role !== 'admin') throw new HttpError(403, 'this is for admins');
}

/** Programs are told how to log in; a browser would show its own window instead of the page's. */
function withChallenge(error: HttpError, { headers }: IncomingMessage): HttpError {
  const isBrowser = headers['sec-fetch-mode'] !== undefined || headers.origin !== undefined;
  if (error.status !== 401 || isBrowser) return error;
  return new HttpError(401, error.message, {
    'WWW-Authenticate': 'Basic realm="sluice", charset="UTF-8"',
    ...error.headers,
  });
}
