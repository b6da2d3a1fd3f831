import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Address } from '../../options/option-table.js';
import type { FinalTally } from './attack-tally.js';
import type { DialectName } from './dialects/dialect.js';
import type { SuiteName } from './suites.js';

export interface AttackOrder {
  readonly suite: SuiteName;
  readonly target: Address;
  readonly connections: number;
  readonly sources: readonly string[];
  readonly dialect: DialectName;
  /** For the dialect raw: what a client sends. */
  readonly request?: Uint8Array | undefined;
}

/** One attack, in a thread of its own. */
export class AttackThread implements AsyncDisposable {
  readonly #worker: Worker;

  private constructor(order: AttackOrder) {
    this.#worker = new Worker(new URL('./attack-worker.js', import.meta.url), { workerData: order });
  }

  /** Settles when the attack begins. */
  static async start(order: AttackOrder): Promise<AttackThread> {
    const thread = new AttackThread(order);
    await once(thread.#worker, 'message');
    return thread;
  }

  /** Ends the attack and its connections. */
  async stop(): Promise<FinalTally> {
    const tally = once(this.#worker, 'message');
    this.#worker.postMessage('stop');
    return (await tally)[0] as FinalTally;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }
}
