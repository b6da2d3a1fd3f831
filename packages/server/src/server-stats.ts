import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import type { DescriptorBudget, Listener } from '@sluice/core';
import type { ClientRegistry } from './client-registry.js';
import type { OpenFiles } from './storage/open-files.js';

/** The event loop is looked at this often. */
const LOOP_RESOLUTION_MS = 20;

/** Without the limit where the system has none. */
function descriptorFigures({ limit, reserve, used, connections, files, own }: DescriptorBudget): object {
  return { ...(Number.isFinite(limit) && { limit }), reserve, used, connections, files, own };
}

/** What a server has done and holds, for operators. Bytes and milliseconds, unless a name says otherwise. docs/protocol.md, section 17. */
export class ServerStats {
  readonly #startedAt = new Date();
  readonly #startedMs = performance.now();
  readonly #cpuAtStart = process.cpuUsage();
  readonly #loop: IntervalHistogram = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  readonly #clients: ClientRegistry;
  readonly #openFiles: OpenFiles;

  constructor(clients: ClientRegistry, openFiles: OpenFiles) {
    this.#clients = clients;
    this.#openFiles = openFiles;
    this.#loop.enable();
  }

  read(listener: Listener): object {
    const ceiling = listener.memory?.read();
    const { counters, connections } = listener;
    const cpu = process.cpuUsage(this.#cpuAtStart);
    const memory = process.memoryUsage();
    let [receivedBytes, sentBytes] = [counters.receivedBytes, counters.sentBytes];
    for (const connection of connections) {
      receivedBytes += connection.receivedBytes;
      sentBytes += connection.sentBytes;
    }
    const protocols: Record<string, number> = {};
    let transfers = 0;
    for (const client of this.#clients) {
      protocols[client.protocol] = (protocols[client.protocol] ?? 0) + 1;
      if (client.hasTransfer) transfers += 1;
    }
    return {
      startedAt: this.#startedAt.toISOString(),
      uptimeMs: Math.round(performance.now() - this.#startedMs),
      node: process.version,
      connections: {
        now: connections.size,
        waiting: listener.waiting,
        max: listener.maxConnections,
        maxWaiting: listener.maxWaiting,
        unestablished: listener.unestablished,
        maxUnestablished: listener.maxUnestablished,
        accepted: counters.accepted,
        refused: counters.refused,
        refusedBy: Object.fromEntries(counters.refusedBy),
        told: listener.toldRefusals,
        protocols,
        closed: Object.fromEntries(counters.closed),
      },
      remembered: this.#clients.remembered,
      messages: { dropped: counters.messages.droppedMessages, superseded: counters.messages.supersededMessages },
      descriptors: descriptorFigures(listener.descriptors),
      transfers,
      /** Those of the process that would keep it alive. */
      timers: process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length,
      openFiles: this.#openFiles.size,
      receivedBytes,
      sentBytes,
      memory: { rss: memory.rss, heapUsed: memory.heapUsed, external: memory.external, ...(ceiling && { ceiling }) },
      cpuSeconds: { user: cpu.user / 1e6, system: cpu.system / 1e6 },
      /** Since the server started; what is beyond the resolution of the timer that measures it. */
      eventLoopDelayMs: {
        p50: this.#delay(this.#loop.percentile(50)),
        p99: this.#delay(this.#loop.percentile(99)),
        max: this.#delay(this.#loop.max),
      },
    };
  }

  close(): void {
    this.#loop.disable();
  }

  #delay(nanoseconds: number): number {
    return Math.max(0, Math.round(nanoseconds / 1e5) / 10 - LOOP_RESOLUTION_MS);
  }
}
