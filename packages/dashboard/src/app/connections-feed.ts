import { signal } from '@preact/signals';
import { watchIntervalMs } from '../model/retry-delay.js';
import type { ConnectionRecord, ServerApi } from '../server-api.js';
import { Feed } from './feed.js';
import type { LinkKeeper } from './link-keeper.js';

/** Who is connected, as long as a page shows it. */
export class ConnectionsFeed extends Feed {
  /** As told last; `undefined` before that. */
  readonly connections = signal<readonly ConnectionRecord[] | undefined>(undefined);
  readonly #api: ServerApi;

  constructor(api: ServerApi, link: LinkKeeper) {
    super(link);
    this.#api = api;
  }

  /** Watches at an interval that fits to how many there are, and anew when another one fits. */
  protected override async listen(signal: AbortSignal): Promise<void> {
    for (;;) {
      const intervalMs = watchIntervalMs(this.connections.value?.length ?? 0);
      for await (const connections of this.#api.watchConnections(intervalMs, signal)) {
        this.connections.value = connections;
        if (watchIntervalMs(connections.length) !== intervalMs && !isNear(connections.length)) break;
      }
      signal.throwIfAborted();
    }
  }
}

/** Near the borders of the intervals nothing is begun anew: the first round tells everything. */
function isNear(connections: number): boolean {
  return [1000, 5000].some((border) => Math.abs(connections - border) < border / 10);
}
