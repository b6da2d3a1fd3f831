import type net from 'node:net';
import type { Clock } from './clock.js';

/**
 * What a refused client is told.
 *
 * @param first the first bytes it has sent, one at least
 * @returns what to send; `undefined` for nothing
 */
export type RefusalAnswer = (first: Uint8Array) => Uint8Array | undefined;

/** Time for the first bytes, and again for the client to take the answer and end, in milliseconds. */
const PATIENCE_MS = 1000;

/** Longest answer. */
const MAX_ANSWER_BYTES = 4096;

interface Visitor {
  readonly answer: RefusalAnswer;
  deadlineMs: number;
}

/**
 * Tells refused clients why, in their own protocol: it takes their first bytes, answers, and waits a moment for them to end, because a connection
 * that is closed with bytes unread is reset and the answer lost. So many at once; further ones are closed without a word.
 */
export class RefusalDesk {
  readonly #maxVisitors: number;
  readonly #clock: Clock;
  readonly #visitors = new Map<net.Socket, Visitor>();
  #told = 0;

  constructor(maxVisitors: number, clock: Clock) {
    this.#maxVisitors = maxVisitors;
    this.#clock = clock;
  }

  /** Clients that are being told. */
  get size(): number {
    return this.#visitors.size;
  }

  /** Clients that were answered. */
  get told(): number {
    return this.#told;
  }

  /** Takes over an accepted socket that nobody has read from. */
  receive(socket: net.Socket, answer: RefusalAnswer | undefined): void {
    if (!answer || this.#visitors.size >= this.#maxVisitors) {
      socket.destroy();
      return;
    }
    this.#visitors.set(socket, { answer, deadlineMs: this.#clock.nowMs() + PATIENCE_MS });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#visitors.delete(socket));
    socket.on('end', () => socket.destroy());
    socket.once('data', (first: Buffer) => {
      this.#tell(socket, first);
      socket.resume(); // the rest is dropped
    });
    socket.resume();
  }

  /** Closes those that have taken too long. */
  expire(): void {
    const nowMs = this.#clock.nowMs();
    for (const [socket, { deadlineMs }] of this.#visitors) if (nowMs >= deadlineMs) socket.destroy();
  }

  close(): void {
    for (const socket of this.#visitors.keys()) socket.destroy();
  }

  #tell(socket: net.Socket, first: Uint8Array): void {
    const visitor = this.#visitors.get(socket)!;
    const said = visitor.answer(first);
    if (!said || said.length > MAX_ANSWER_BYTES) {
      socket.destroy();
      return;
    }
    this.#told += 1;
    visitor.deadlineMs = this.#clock.nowMs() + PATIENCE_MS;
    socket.end(said);
  }
}
