import { connect } from '@sluice/client';

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

const PAUSE_MS = 50;

/** Logs in on a new connection and lists a directory, again and again. */
export class Bystander {
  readonly #port: number;
  readonly #directory: string;
  readonly #times: number[] = [];
  readonly #failures: string[] = [];
  readonly #done: Promise<void>;
  #isStopped = false;

  constructor(port: number, directory: string) {
    this.#port = port;
    this.#directory = directory;
    this.#done = this.#run();
  }

  async stop(): Promise<BystanderFigures> {
    this.#isStopped = true;
    await this.#done;
    const sorted = this.#times.toSorted((a, b) => a - b);
    const at = (share: number): number =>
      sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? 0;
    return {
      visits: sorted.length,
      failures: this.#failures,
      medianMs: at(0.5),
      p99Ms: at(0.99),
      maxMs: at(1),
    };
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const startedMs = performance.now();
      try {
        await this.#visit();
      } catch (error) {
        this.#failures.push(error instanceof Error ? error.message : String(error));
      }
      this.#times.push(performance.now() - startedMs);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  async #visit(): Promise<void> {
    const endpoint = { host: '127.0.0.1', port: this.#port, userName: 'admin', password: 'admin' };
    const client = await connect(endpoint, { retries: 0, responseTimeoutMs: 20_000 });
    try {
      await client.list(this.#directory);
    } finally {
      await client.close();
    }
  }
}
