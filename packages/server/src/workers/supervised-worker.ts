import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { AcceptedConnection } from '@sluice/core';
import type { ChannelMessage } from './process-channel.js';
import { SocketQueue } from './socket-queue.js';
import type { WorkerStart } from './worker.js';

/**
 * `starting`: gets no connections yet. `serving`. `replaced`: gets no more of them. `ending`: ends when it has none. `abandoned`: nobody needs
 * it.
 */
type WorkerState = 'starting' | 'serving' | 'replaced' | 'ending' | 'abandoned';

/** A worker, as the supervisor knows it. */
export class SupervisedWorker {
  readonly number: number;
  readonly child: ChildProcess;
  readonly startedMs: number;
  /** Ids of those that it serves, or will in a moment. */
  readonly connections = new Set<number>();
  /** The same, of HTTP: their numbers are others. */
  readonly httpConnections = new Set<number>();
  /** Settles when it serves. Rejects when it cannot. */
  readonly ready: Promise<void>;
  readonly exited: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  state: WorkerState = 'starting';
  /** Of connections that have ended. */
  receivedBytes = 0;
  sentBytes = 0;
  readonly #queue: SocketQueue;
  /** Ids rise. */
  #lastId = 0;
  #onReady!: () => void;
  #onFailed!: (error: Error) => void;

  /** @param onLost called with a connection that has not arrived */
  constructor(
    number: number,
    child: ChildProcess,
    startedMs: number,
    onLost: (connection: AcceptedConnection) => void,
  ) {
    this.number = number;
    this.child = child;
    this.startedMs = startedMs;
    this.#queue = new SocketQueue(child, onLost);
    this.ready = new Promise((resolve, reject) => {
      this.#onReady = resolve;
      this.#onFailed = reject;
    });
    this.ready.catch(() => {}); // whoever waits hears it
    child.on('error', (error) => this.fail(error.message)); // also of a message that cannot be sent any more
    this.exited = Promise.race([once(child, 'exit'), once(child, 'error').then(() => [null, null])]).then(
      ([code, signal]) => {
        this.fail(signal === null ? `it has ended with exit code ${code}` : `it has ended by ${signal}`);
        return { code: code as number | null, signal: signal as string | null };
      },
    );
  }

  /** Settles when what is on its way to it has left. */
  get sent(): Promise<void> {
    return this.#queue.sent;
  }

  begin(start: WorkerStart): void {
    this.send({ start });
  }

  send(message: ChannelMessage): void {
    if (this.child.connected) this.child.send(message, () => {}); // what is lost when it dies, nobody misses
  }

  serve(): void {
    if (this.state !== 'starting') return;
    this.state = 'serving';
    this.#onReady();
  }

  fail(message: string): void {
    this.#onFailed(new Error(message));
  }

  /** It is not needed after all. */
  abandon(): void {
    this.state = 'abandoned';
    this.child.kill('SIGKILL');
  }

  /** Whether a connection is rather for this worker: it has fewer, or as many, and has got its last one longer ago. */
  isBefore(other: SupervisedWorker): boolean {
    const difference = this.connections.size - other.connections.size;
    return difference < 0 || (difference === 0 && this.#lastId < other.#lastId);
  }

  give(connection: AcceptedConnection): void {
    this.connectionsOf(connection).add(connection.id);
    if (connection.service === 'sluice') this.#lastId = connection.id;
    this.#queue.push(connection);
  }

  /** Ids of those that have come for the same as this one. */
  connectionsOf({ service }: Pick<AcceptedConnection, 'service'>): Set<number> {
    return service === 'http' ? this.httpConnections : this.connections;
  }

  /** Those that have not left for it are not its any more. @returns them */
  takeBack(): AcceptedConnection[] {
    const waiting = this.#queue.takeBack();
    for (const connection of waiting) this.connectionsOf(connection).delete(connection.id);
    return waiting;
  }

  countEnded({ receivedBytes, sentBytes }: { readonly receivedBytes: number; readonly sentBytes: number }): void {
    this.receivedBytes += receivedBytes;
    this.sentBytes += sentBytes;
  }
}
