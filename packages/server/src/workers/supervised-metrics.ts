import type { Clock, Listener } from '@sluice/core';
import type { Hub } from '../coordination/hub.js';
import type { LogCounters } from '../log-stream.js';
import { addHttpAdmission } from '../metrics/http-metrics.js';
import { addListenerMetrics } from '../metrics/listener-metrics.js';
import { LoopLag } from '../metrics/loop-lag.js';
import { lastingFamilies, type MetricFamily, MetricList, mergedFamilies } from '../metrics/metric-family.js';
import { addProcessMetrics } from '../metrics/process-metrics.js';
import { addLogMetrics } from '../metrics/server-metrics.js';
import type { SupervisedHttp } from './supervised-http.js';

/** A worker that does not say in this time what it has measured is left out, in milliseconds. */
const PATIENCE_MS = 3000;

/** What is measured of all workers together, and of this process. What a worker has counted stays when it ends. */
export class SupervisedMetrics {
  readonly #hub: Hub;
  readonly #lag: LoopLag;
  /** What each worker has said last. */
  readonly #last = new Map<number, readonly MetricFamily[]>();
  /** Of workers that have ended. */
  #ended: readonly MetricFamily[] = [];

  constructor(hub: Hub, clock: Clock) {
    this.#hub = hub;
    this.#lag = new LoopLag(clock);
    hub.onGone((worker) => {
      const last = this.#last.get(worker);
      this.#last.delete(worker);
      if (last) this.#ended = mergedFamilies([...this.#ended, ...lastingFamilies(last)]);
    });
    hub.on('metrics.last', (families: readonly MetricFamily[], worker) => void this.#last.set(worker, families));
  }

  /** @param own of this process, see `readOwn` */
  async read(own: readonly MetricFamily[]): Promise<MetricFamily[]> {
    await Promise.all(this.#hub.workers.map((worker) => this.#ask(worker)));
    const told = mergedFamilies([...this.#ended, ...[...this.#last.values()].flat(), ...own]);
    return told.map((family) => (family.name === 'sluice_info' ? { ...family, samples: asOne(family) } : family));
  }

  /** Of the process that accepts, and writes the log. */
  readOwn(
    listener: Listener,
    http: SupervisedHttp | undefined,
    log: LogCounters,
    workers: number,
    restarts: number,
  ): MetricFamily[] {
    const list = new MetricList();
    addListenerMetrics(list, listener, listener.handedOver);
    addLogMetrics(list, log);
    if (http) addHttpAdmission(list, http);
    addProcessMetrics(list, 'supervisor', this.#lag, listener.descriptors);
    list.gauge('sluice_workers', 'Worker processes.', workers);
    list.counter('sluice_worker_restarts_total', 'Workers that were started in place of one that had died.', restarts);
    return list.families;
  }

  close(): void {
    this.#lag.close();
  }

  async #ask(worker: number): Promise<void> {
    try {
      const signal = AbortSignal.timeout(PATIENCE_MS);
      this.#last.set(worker, await this.#hub.ask<MetricFamily[]>(worker, 'process.metrics', undefined, signal));
    } catch {
      // It ends, or begins, or does not answer: what it has said last counts.
    }
  }
}

/** What is 1 in each process is 1 in all of them. */
function asOne({ samples }: MetricFamily): MetricFamily['samples'] {
  return samples.map(({ labels }) => ({ labels, value: 1 }));
}
