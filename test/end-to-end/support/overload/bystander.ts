import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

/** What somebody saw who did nothing bad. */
export interface BystanderFigures {
  readonly visits: number;
  /** Visits that did not end well, with what was said. */
  readonly failures: readonly string[];
  /** Times of visits, in milliseconds. */
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** What the thread tells of one visit. */
export interface Visit {
  readonly ms: number;
  readonly failure: string | undefined;
}

/** Logs in on a new connection and lists a directory, again and again; in a thread of its own, which the attackers do not hold up. */
export class Bystander {
  readonly #worker: Worker;
  readonly #visits: Visit[] = [];
  #onVisit: (() => void) | undefined;

  constructor(port: number, directory: string) {
    this.#worker = new Worker(new URL('./bystander-thread.js', import.meta.url), { workerData: { port, directory } });
    this.#worker.on('message', (visit: Visit) => {
      this.#visits.push(visit);
      this.#onVisit?.();
    });
  }

  /** Settles when so many visits have ended. */
  async visited(count: number): Promise<void> {
    while (this.#visits.length < count) {
      await new Promise<void>((resolve) => {
        this.#onVisit = resolve;
      });
    }
  }

  /** Forgets what it has seen: what is looked at begins now. */
  reset(): void {
    this.#visits.length = 0;
  }

  /** Waits for the visit that goes on. */
  async stop(): Promise<BystanderFigures> {
    if (this.#worker.threadId > 0) {
      const ended = once(this.#worker, 'exit');
      this.#worker.postMessage('stop');
      await ended;
    }
    const sorted = this.#visits.map(({ ms }) => ms).sort((a, b) => a - b);
    const at = (share: number): number =>
      sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? 0;
    const failures = this.#visits.flatMap(({ failure }) => failure ?? []);
    return { visits: sorted.length, failures, medianMs: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
  }
}
