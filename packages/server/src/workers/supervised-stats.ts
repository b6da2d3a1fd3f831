import type { Listener } from '@sluice/core';
import type { Hub } from '../coordination/hub.js';
import { mergedStats } from './merged-stats.js';
import type { SupervisedWorker } from './supervised-worker.js';

type Figures = Readonly<Record<string, unknown>>;

/** What all workers have done and hold, and each of them; as `ServerStats`. */
export class SupervisedStats {
  /** Workers that were started in place of one that had died. */
  restarts = 0;
  readonly #startedAt = new Date();
  readonly #hub: Hub;
  readonly #workers: () => readonly SupervisedWorker[];

  constructor(hub: Hub, workers: () => readonly SupervisedWorker[]) {
    this.#hub = hub;
    this.#workers = workers;
  }

  async read(listener: Listener, isReadOnly: boolean): Promise<object> {
    const byWorker = await this.#hub.gatherBy<Figures>('process.stats', undefined);
    const merged = mergedStats([...byWorker.values(), ownFigures()]);
    const { counters } = listener;
    let [receivedBytes, sentBytes] = [counters.receivedBytes, counters.sentBytes];
    const workers: Record<string, object> = {};
    for (const worker of this.#workers()) {
      const figures = byWorker.get(worker.number);
      if (!figures) continue;
      receivedBytes += Math.max(0, numberOf(figures['receivedBytes']) - worker.receivedBytes);
      sentBytes += Math.max(0, numberOf(figures['sentBytes']) - worker.sentBytes);
      const { cpuSeconds, memory, eventLoopDelayMs, uptimeMs } = figures;
      const rss = numberOf((memory as Figures)['rss']);
      const what = { pid: worker.child.pid, state: worker.state, connections: worker.connections.size };
      workers[worker.number] = { ...what, uptimeMs, memory: { rss }, cpuSeconds, eventLoopDelayMs };
    }
    const connections = merged['connections'] as Figures;
    const staging = merged['staging'] as Figures;
    const held = [...byWorker.values()].map((figures) => figures['staging'] as Figures);
    const live = held.reduce((sum, one) => sum + numberOf(one['partials']) - numberOf(one['parked']), 0);
    return {
      ...merged,
      startedAt: this.#startedAt.toISOString(),
      uptimeMs: Math.round(process.uptime() * 1000),
      connections: {
        ...connections,
        now: listener.handedOver,
        waiting: listener.waiting,
        max: listener.maxConnections,
        maxWaiting: listener.maxWaiting,
        unestablished: listener.unestablished,
        maxUnestablished: listener.maxUnestablished,
        accepted: counters.accepted,
        refused: counters.refused,
        refusedBy: Object.fromEntries(counters.refusedBy),
        told: listener.toldRefusals,
        closed: Object.fromEntries(counters.closed),
      },
      receivedBytes,
      sentBytes,
      staging: { ...staging, partials: live + numberOf(staging['parked']) },
      isReadOnly,
      restarts: this.restarts,
      workers,
    };
  }
}

/** The supervisor's part of what is added. */
function ownFigures(): Figures {
  const cpu = process.cpuUsage();
  const { rss, heapUsed, external } = process.memoryUsage();
  return { memory: { rss, heapUsed, external }, cpuSeconds: { user: cpu.user / 1e6, system: cpu.system / 1e6 } };
}

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}
