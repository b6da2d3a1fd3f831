import type { ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';
import type net from 'node:net';
import type { CreateServer } from './system-server.js';

/** How a process that accepts tells one that serves which connection a socket is. */
export interface HandedSocketMessage {
  readonly socket: number;
  readonly service: SocketService;
}

/** What a socket was accepted for. */
export type SocketService = 'sluice' | 'http';

interface StreamHandle {
  reading?: boolean;
  readStop?(): void;
}

/** The sockets that another process of this machine has accepted, in place of a server of the system. */
export class HandedSockets {
  readonly #ids = new WeakMap<net.Socket, number>();
  readonly #address: net.AddressInfo;
  #server: EventEmitter | undefined;

  /** @param address where the other process listens */
  constructor(address: { readonly host: string; readonly port: number }) {
    this.#address = { address: address.host, port: address.port, family: address.host.includes(':') ? 'IPv6' : 'IPv4' };
  }

  /** For `ListenerOptions.createServer`, once. */
  readonly createServer: CreateServer = () => {
    const server = new EventEmitter();
    this.#server = server;
    const asServer = {
      listen(_options: unknown, onListening: () => void) {
        queueMicrotask(onListening);
        return server;
      },
      address: () => this.#address,
      close: () => {
        this.#server = undefined;
        return server;
      },
    };
    return Object.assign(server, asServer) as unknown as net.Server;
  };

  /** For `ListenerOptions.idOf`. */
  readonly idOf = (socket: net.Socket): number | undefined => this.#ids.get(socket);

  /**
   * To be called in the tick in which a socket arrives: nothing has been read from it then.
   *
   * @param received what came with the message
   * @returns whether it is taken; when nobody listens any more it is closed
   */
  take({ socket: id, service }: HandedSocketMessage, received: unknown): boolean {
    const socket = received as net.Socket & { _handle?: StreamHandle | null };
    // As `net.Server` would have made it: paused, and open for writing when the peer has ended.
    socket.allowHalfOpen = true;
    // A `Connection` reads its handle by itself; whoever reads the stream needs the read that Node has begun.
    if (service === 'sluice' && socket._handle?.readStop) {
      socket._handle.reading = false;
      socket._handle.readStop();
    }
    socket.pause();
    if (!this.#server) {
      socket.destroy();
      return false;
    }
    this.#ids.set(socket, id);
    this.#server.emit('connection', socket);
    return true;
  }
}

/** A connection that was accepted and admitted here, to be served by another process. */
export class AcceptedConnection {
  /** Unique for this listener. */
  readonly id: number;
  readonly service: SocketService;
  /** Ends it, wherever it is, because somebody needs its place. To be set by who hands it over. */
  displace: (() => void) | undefined;
  /** `undefined` when this process has it no more: a connection costs it little then, and there may be very many. */
  #socket: net.Socket | undefined;
  readonly #onLeft: () => void;

  /** Made by listeners. @param onLeft called when this process has it no more */
  constructor(id: number, socket: net.Socket, onLeft: () => void, service: SocketService = 'sluice') {
    this.id = id;
    this.service = service;
    this.#socket = socket;
    this.#onLeft = onLeft;
  }

  /**
   * Gives the connection to a child process. Before this has ended no other one may be given to the same child: what is on its way when
   * that dies is closed with it.
   *
   * @returns whether it has arrived
   */
  handTo(child: ChildProcess): Promise<boolean> {
    const socket = this.#socket;
    if (!socket || !child.connected) {
      this.destroy();
      return Promise.resolve(false);
    }
    // Otherwise Node keeps a list of the server's sockets in all processes, and tells each other of every close.
    (socket as { server?: unknown }).server = null;
    return new Promise((resolve) => {
      const end = (hasArrived: boolean): void => {
        child.off('disconnect', onDisconnect);
        // An empty shell now: this takes it out of the server's count, and touches no descriptor. If it was not sent, it ends.
        this.destroy();
        resolve(hasArrived);
      };
      const onDisconnect = (): void => end(false);
      child.once('disconnect', onDisconnect);
      const message: HandedSocketMessage = { socket: this.id, service: this.service };
      child.send(message, socket, { keepOpen: false }, (error) => end(error === null));
    });
  }

  destroy(): void {
    const socket = this.#socket;
    if (!socket) return;
    this.#socket = undefined;
    socket.destroy();
    this.#onLeft();
  }
}
