import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Address } from '../../options/option-table.js';
import { type AttackTally, emptyTally, type FinalTally } from './attack-tally.js';
import type { Dialect } from './dialects/dialect.js';
import { liveSockets } from './live-sockets.js';

/** Connections that are being made at once. */
const MAX_CONNECTING = 128;
const CONNECT_TIMEOUT_MS = 10_000;
/** What the server has done to the connections that were made last shows a moment later: it is counted when so many looks find the same. */
const SAME_LOOKS = 3;
const LOOK_EVERY_MS = 100;
const MAX_LOOKS = 30;
/** After an attempt that was refused. */
const PAUSE_MS = 20;

export interface FieldOptions {
  readonly target: Address;
  /** Connections at once. */
  readonly connections: number;
  /** Local addresses to come from, in turn; empty for what the system chooses. */
  readonly sources: readonly string[];
  readonly dialect: Dialect;
  readonly signal: AbortSignal;
}

/** Where one attack is played: makes its connections, and counts what becomes of them. */
export class AttackField {
  readonly target: Address;
  readonly connections: number;
  readonly dialect: Dialect;
  readonly signal: AbortSignal;
  readonly tally: AttackTally = emptyTally();
  readonly #sources: readonly string[];
  readonly #open = new Set<Socket>();
  #dialled = 0;

  constructor({ target, connections, sources, dialect, signal }: FieldOptions) {
    this.target = target;
    this.connections = connections;
    this.dialect = dialect;
    this.signal = signal;
    this.#sources = sources;
  }

  /**
   * Opens all connections and keeps them, until the attack is over.
   *
   * @param begin is called with each one that is there
   * @param again whether a connection that the server ends or refuses is replaced
   */
  async hold(begin: (socket: Socket, index: number) => void, again: boolean): Promise<void> {
    let next = 0;
    const lane = async () => {
      while (!this.signal.aborted && next < this.connections) await keep(next++);
    };
    const keep = async (index: number): Promise<void> => {
      const socket = await this.dial();
      if (socket) begin(socket, index);
      if (!again) return;
      // not awaited: the lane goes on with the next one
      if (socket) socket.once('close', () => void replace(index));
      else setTimeout(() => void replace(index), PAUSE_MS);
    };
    const replace = (index: number) => (this.signal.aborted ? Promise.resolve() : keep(index));
    await Promise.race([this.#lanes(lane), this.#over()]);
    await this.#over();
  }

  /** Opens connections and has them left again, over and over, as many at once as there may be. @param leave ends the connection */
  async churn(leave: (socket: Socket) => void): Promise<void> {
    const lane = async () => {
      while (!this.signal.aborted) {
        const socket = await this.dial();
        if (!socket) {
          await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
          continue;
        }
        const closed = new Promise((resolve) => socket.once('close', resolve));
        leave(socket);
        await closed;
      }
    };
    await Promise.race([this.#lanes(lane), this.#over()]);
  }

  #lanes(lane: () => Promise<void>): Promise<unknown> {
    return Promise.all(Array.from({ length: Math.min(MAX_CONNECTING, this.connections) }, lane));
  }

  /** A connection, or none if it was refused, or not made in time. */
  dial(): Promise<Socket | undefined> {
    const localAddress = this.#sources[this.#dialled++ % this.#sources.length];
    return new Promise((resolve) => {
      const socket = connect({
        ...this.target,
        noDelay: true,
        allowHalfOpen: true,
        ...(localAddress !== undefined && { localAddress }),
      });
      const timer = setTimeout(() => socket.destroy(), CONNECT_TIMEOUT_MS);
      let isOpen = false;
      socket.on('error', () => {}); // what the server does to it is counted when it closes
      socket.once('connect', () => {
        clearTimeout(timer);
        isOpen = true;
        this.tally.opened += 1;
        this.#open.add(socket);
        resolve(socket);
      });
      socket.on('end', () => socket.destroy());
      socket.on('data', (chunk: Buffer) => {
        this.tally.bytesReceived += chunk.length;
      });
      socket.once('close', () => {
        clearTimeout(timer);
        if (isOpen && this.#open.delete(socket)) this.tally.ended += 1;
        else if (!isOpen) this.tally.refused += 1;
        resolve(undefined);
      });
    });
  }

  send(socket: Socket, bytes: Buffer): void {
    if (socket.destroyed || bytes.length === 0) return;
    this.tally.bytesSent += bytes.length;
    socket.write(bytes);
  }

  /** Ends a connection from this side. */
  leave(socket: Socket, how: 'fin' | 'reset'): void {
    if (this.#open.delete(socket)) this.tally.left += 1;
    if (how === 'reset' && !socket.writableEnded) socket.resetAndDestroy();
    else socket.destroy();
  }

  /** The connections that are open, as far as they know. */
  get open(): ReadonlySet<Socket> {
    return this.#open;
  }

  #over(): Promise<void> {
    return new Promise((resolve) => {
      if (this.signal.aborted) resolve();
      else this.signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  /** Counts what is left, and ends it. Takes a moment. */
  async finish(): Promise<FinalTally> {
    let stillOpen = liveSockets(this.#open).size;
    for (let looks = 1, same = 1; same < SAME_LOOKS && looks < MAX_LOOKS; looks++) {
      await pause(LOOK_EVERY_MS);
      const found = liveSockets(this.#open).size;
      same = found === stillOpen ? same + 1 : 1;
      stillOpen = found;
    }
    // a socket that does not read has not noticed its end
    this.tally.ended += this.#open.size - stillOpen;
    for (const socket of this.#open) socket.destroy();
    this.#open.clear();
    return { ...this.tally, stillOpen };
  }
}
