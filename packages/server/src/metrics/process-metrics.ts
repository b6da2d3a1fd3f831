import type { DescriptorBudget } from '@sluice/core';
import type { LoopLag } from './loop-lag.js';
import { type MetricList, PROCESS_LABEL } from './metric-family.js';

/** What a process uses. @param name of it, among those of the server */
export function addProcessMetrics(list: MetricList, name: string, lag: LoopLag, descriptors: DescriptorBudget): void {
  const process = { [PROCESS_LABEL]: name };
  const memory = globalThis.process.memoryUsage();
  const cpu = globalThis.process.cpuUsage();
  list.gauge('sluice_process_start_time_seconds', 'When the process began, in seconds since 1970.', [
    [process, Math.round(performance.timeOrigin) / 1000],
  ]);
  list.gauge('sluice_process_resident_memory_bytes', 'Resident memory.', [[process, memory.rss]]);
  list.gauge('sluice_process_heap_bytes', 'JavaScript objects.', [[process, memory.heapUsed]]);
  list.gauge('sluice_process_external_memory_bytes', 'Buffers, outside the heap.', [[process, memory.external]]);
  list.counter('sluice_process_cpu_seconds_total', 'Processor time.', [
    [{ ...process, mode: 'user' }, cpu.user / 1e6],
    [{ ...process, mode: 'system' }, cpu.system / 1e6],
  ]);
  list.histogram('sluice_event_loop_lag_seconds', 'How late the event loop is, looked at ten times a second.', [
    [process, lag.times],
  ]);
  list.gauge('sluice_descriptors', 'Descriptors in use.', [
    [{ ...process, use: 'connections' }, descriptors.connections],
    [{ ...process, use: 'files' }, descriptors.files],
    [{ ...process, use: 'own' }, descriptors.own],
  ]);
  if (Number.isFinite(descriptors.limit))
    list.gauge('sluice_descriptors_limit', 'Descriptors that the process may hold, the reserve included.', [
      [process, descriptors.limit],
    ]);
}
