import type { IncomingMessage, ServerResponse } from 'node:http';
import { type AcceptedStream, type Cancel, type Clock, unwrittenBytes } from '@sluice/core';
import { HTTP_TIMEOUTS } from './http-options.js';

type Socket = AcceptedStream['socket'];

/** What a request has to come on by in the time for it, in bytes. */
const LEAST_PROGRESS_BYTES = 1024;

const SCAN_PERIOD_MS = 1000;

/** A connection of HTTP. */
export interface HttpConnection extends Omit<AcceptedStream, 'socket'> {
  readonly socket: Socket;
  /** Requests that are being answered: more than one where the peer does not wait for answers. */
  requests: number;
}

interface Watched extends HttpConnection {
  message: IncomingMessage | undefined;
  response: ServerResponse | undefined;
  /** When the time that runs began. */
  sinceMs: number;
  /** Whether the headers of a request are under way, as far as is known. */
  isHead: boolean;
  readBytes: number;
  sentBytes: number;
  unwritten: number;
}

/** All connections of HTTP, and the time they have. Off the path of the bytes: they are looked at once a second. */
export class HttpConnections {
  readonly #connections = new Map<Socket, Watched>();
  readonly #clock: Clock;
  readonly #onLate: (connection: HttpConnection) => void;
  readonly #stop: Cancel;
  #onIdle: (() => void) | undefined;
  #isDraining = false;

  /** @param onLate called with a connection whose headers have not come in time; it is to be answered and ended */
  constructor(clock: Clock, onLate: (connection: HttpConnection) => void) {
    this.#clock = clock;
    this.#onLate = onLate;
    this.#stop = clock.every(SCAN_PERIOD_MS, () => this.#scan());
  }

  get size(): number {
    return this.#connections.size;
  }

  /** Connections on which a request is being answered. */
  get active(): number {
    let active = 0;
    for (const { requests } of this.#connections.values()) if (requests > 0) active += 1;
    return active;
  }

  add(stream: AcceptedStream): void {
    const connection: Watched = {
      ...stream,
      requests: 0,
      message: undefined,
      response: undefined,
      sinceMs: this.#clock.nowMs(),
      isHead: true,
      readBytes: 0,
      sentBytes: 0,
      unwritten: 0,
    };
    this.#connections.set(stream.socket, connection);
    stream.socket.once('close', () => {
      this.#connections.delete(stream.socket);
      this.#tellIdle();
    });
  }

  get(socket: Socket): HttpConnection | undefined {
    return this.#connections.get(socket);
  }

  /** A request has come. */
  begin(message: IncomingMessage, response: ServerResponse): void {
    const connection = this.#connections.get(message.socket);
    if (!connection) return;
    connection.requests += 1;
    connection.message = message;
    connection.response = response;
    connection.isHead = false;
    connection.sinceMs = this.#clock.nowMs();
    response.once('close', () => this.#end(connection));
  }

  /** The connection is somebody else's from now on. */
  release(socket: Socket): void {
    this.#connections.delete(socket);
    this.#tellIdle();
  }

  /** Ends the connection that has waited longest for another request. @returns whether there was one */
  endOneIdle(): boolean {
    let oldest: Watched | undefined;
    for (const connection of this.#connections.values())
      if (isIdle(connection) && (!oldest || connection.sinceMs < oldest.sinceMs)) oldest = connection;
    if (!oldest) return false;
    this.#connections.delete(oldest.socket);
    oldest.socket.destroy();
    return true;
  }

  /** Ends those that wait for a request. @returns settles when no request is being answered any more */
  drain(): Promise<void> {
    this.#isDraining = true;
    for (const connection of this.#connections.values()) if (isIdle(connection)) connection.socket.destroy();
    return new Promise((resolve) => {
      this.#onIdle = resolve;
      this.#tellIdle();
    });
  }

  /** Ends what is there. */
  cut(): void {
    for (const { socket } of this.#connections.values()) socket.destroy();
  }

  close(): void {
    this.#stop();
    this.cut();
  }

  #end(connection: Watched): void {
    connection.requests -= 1;
    connection.sinceMs = this.#clock.nowMs();
    if (connection.requests > 0) return;
    connection.message = undefined;
    connection.response = undefined;
    connection.readBytes = connection.socket.bytesRead;
    this.#tellIdle();
    if (this.#isDraining) connection.socket.destroySoon();
  }

  #tellIdle(): void {
    if (this.#onIdle && this.active === 0) this.#onIdle();
  }

  #scan(): void {
    const nowMs = this.#clock.nowMs();
    for (const connection of this.#connections.values()) {
      if (connection.requests > 0) checkProgress(connection, nowMs);
      else this.#checkWaiting(connection, nowMs);
    }
  }

  #checkWaiting(connection: Watched, nowMs: number): void {
    const { socket } = connection;
    if (!connection.isHead && socket.bytesRead !== connection.readBytes) {
      connection.isHead = true;
      connection.sinceMs = nowMs;
    }
    const waitedMs = nowMs - connection.sinceMs;
    if (connection.isHead && waitedMs >= HTTP_TIMEOUTS.headersMs) this.#onLate(connection);
    else if (waitedMs >= HTTP_TIMEOUTS.keepAliveMs) socket.destroy();
  }
}

function isIdle({ requests, isHead }: Watched): boolean {
  return requests === 0 && !isHead;
}

function checkProgress(connection: Watched, nowMs: number): void {
  const { socket, message, response } = connection;
  const isOurTurn = message?.complete !== false && (response?.writableLength ?? 0) === 0 && socket.writableLength === 0;
  const unwritten = unwrittenBytes(socket);
  const hasTaken = unwritten !== connection.unwritten;
  const moved = socket.bytesRead - connection.readBytes + socket.bytesWritten - connection.sentBytes;
  if (isOurTurn || hasTaken || moved >= LEAST_PROGRESS_BYTES) {
    connection.readBytes = socket.bytesRead;
    connection.sentBytes = socket.bytesWritten;
    connection.unwritten = unwritten;
    connection.sinceMs = nowMs;
  } else if (nowMs - connection.sinceMs >= HTTP_TIMEOUTS.stallMs) socket.destroy();
}
