import {
  type CloseReason,
  type Connection,
  type ConnectionHandler,
  FramedConnection,
  type FrameHandler,
  Listener,
  type ListenerOptions,
  type ReceiveMode,
} from '@sluice/core';
import { ManualClock } from '@sluice/testkit';
import { eventually } from './eventually.js';
import { layout, Peer } from './peer.js';

export const RECEIVE_MODES: readonly ReceiveMode[] = ['reused', 'plain'];

/** How a connection ended. */
export interface Ending {
  readonly connection: Connection;
  readonly reason: CloseReason;
  readonly error: Error | undefined;
}

export type LoopbackOptions = Partial<Omit<ListenerOptions, 'onConnection' | 'clock'>>;

/** A listener on a free port, and clients of it; time moves by hand. */
export class Loopback implements AsyncDisposable {
  readonly listener: Listener;
  readonly clock: ManualClock;
  readonly warnings: string[];
  /** Every connection that was admitted. */
  readonly connections: Connection[];
  /** Every `onClosed`. */
  readonly endings: Ending[];
  readonly #peers: Peer[] = [];
  readonly #others: Loopback[] = [];

  private constructor(
    listener: Listener,
    clock: ManualClock,
    warnings: string[],
    connections: Connection[],
    endings: Ending[],
  ) {
    this.listener = listener;
    this.clock = clock;
    this.warnings = warnings;
    this.connections = connections;
    this.endings = endings;
  }

  static async open(options: LoopbackOptions, serve: (connection: Connection) => ConnectionHandler): Promise<Loopback> {
    const clock = new ManualClock();
    const warnings: string[] = [];
    const connections: Connection[] = [];
    const endings: Ending[] = [];
    const listener = await Listener.listen({
      host: '127.0.0.1',
      port: 0,
      onWarning: (message) => warnings.push(message),
      ...options,
      clock,
      onConnection(connection) {
        connections.push(connection);
        const handler = serve(connection);
        const onClosed = handler.onClosed?.bind(handler);
        handler.onClosed = (reason, error) => {
          endings.push({ connection, reason, error });
          onClosed?.(reason, error);
        };
        return handler;
      },
    });
    return new Loopback(listener, clock, warnings, connections, endings);
  }

  /** As `open`, for connections that are cut into frames. */
  static openFramed(options: LoopbackOptions, serve: (connection: Connection) => FrameHandler): Promise<Loopback> {
    return Loopback.open(options, (connection) => new FramedConnection(connection, layout, serve(connection)));
  }

  get port(): number {
    return this.listener.address.port;
  }

  /** A client; whether it is admitted is another matter. */
  async dial(): Promise<Peer> {
    const peer = await Peer.connect(this.port);
    this.#peers.push(peer);
    return peer;
  }

  /** A client that is served, and its connection. */
  async connect(): Promise<{ readonly peer: Peer; readonly connection: Connection }> {
    const before = this.connections.length;
    const peer = await this.dial();
    await eventually('a connection that is served', () => this.connections.length > before);
    return { peer, connection: this.connections[before]! };
  }

  /** The only ending there is, once there is one. */
  async ending(): Promise<Ending> {
    await eventually('the end of a connection', () => this.endings.length > 0);
    return this.endings[0]!;
  }

  alsoCloses(other: Loopback): void {
    this.#others.push(other);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const other of this.#others) await other[Symbol.asyncDispose]();
    for (const peer of this.#peers) peer[Symbol.dispose]();
    await this.listener.close();
  }
}

/** Sends back what comes. */
export function echo(connection: Connection): ConnectionHandler {
  return {
    onBytes(source, start, end) {
      connection.send(source.subarray(start, end));
    },
  };
}

/** Many turns of the event loop, in which everything that can happen on other connections does. */
export async function passTurns(peer: Peer, count = 20): Promise<void> {
  for (let i = 0; i < count; i++) {
    const before = peer.receivedBytes;
    peer.send('.');
    await eventually('an echo', () => peer.receivedBytes > before);
  }
}
