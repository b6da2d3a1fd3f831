import type { ChildProcess } from 'node:child_process';
import type { AcceptedConnection } from '@sluice/core';

/** Connections on their way to a worker, one at a time: what waits here is not lost when the worker dies. */
export class SocketQueue {
  readonly #child: ChildProcess;
  readonly #onLost: (connection: AcceptedConnection) => void;
  readonly #waiting: AcceptedConnection[] = [];
  #isSending = false;
  #sent: Promise<void> = Promise.resolve();

  /** @param onLost called with one that has not arrived, and is closed */
  constructor(child: ChildProcess, onLost: (connection: AcceptedConnection) => void) {
    this.#child = child;
    this.#onLost = onLost;
  }

  push(connection: AcceptedConnection): void {
    this.#waiting.push(connection);
    if (!this.#isSending) this.#sent = this.#send();
  }

  /** Settles when nothing is on its way. */
  get sent(): Promise<void> {
    return this.#sent;
  }

  /** @returns what has not left, and can go elsewhere */
  takeBack(): AcceptedConnection[] {
    return this.#waiting.splice(0);
  }

  async #send(): Promise<void> {
    this.#isSending = true;
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      if (!(await next.handTo(this.#child))) this.#onLost(next);
    }
    this.#isSending = false;
  }
}
