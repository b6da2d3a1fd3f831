import { setTimeout as pause } from 'node:timers/promises';
import type { Address } from '../../options/option-table.js';
import { type Probe, runProbe } from './probe.js';

/** What a well-behaved client has seen. */
export interface ProbeFigures {
  readonly probes: number;
  readonly answered: number;
  /** Milliseconds; of those that were answered, `undefined` if there were none. */
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
  readonly maxMs: number | undefined;
  /** How often each failure was seen. */
  readonly failures: Readonly<Record<string, number>>;
}

export interface ProbeClient {
  readonly target: Address;
  readonly probe: Probe;
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

/** Beyond this many at once, the next one waits: the figures then say how slow the server is, not how many probes there are. */
const MAX_AT_ONCE = 100;

/** Begins a probe in every interval, whether or not earlier ones are done, and waits for the last. At least one is made. */
export async function probeFor(client: ProbeClient, durationMs: number, signal: AbortSignal): Promise<ProbeFigures> {
  const { target, probe, intervalMs, timeoutMs } = client;
  const latencies: number[] = [];
  const failures: Record<string, number> = {};
  const running = new Set<Promise<void>>();
  const startedMs = performance.now();
  for (let count = 0; ; ) {
    if (running.size < MAX_AT_ONCE) {
      count += 1;
      const one = runProbe(target, probe, timeoutMs)
        .then(
          (latencyMs) => void latencies.push(latencyMs),
          ({ message }: Error) => {
            failures[message] = (failures[message] ?? 0) + 1;
          },
        )
        .finally(() => running.delete(one));
      running.add(one);
    }
    const waitMs = startedMs + count * intervalMs - performance.now();
    await pause(Math.max(1, waitMs), undefined, { signal });
    if (performance.now() - startedMs >= durationMs) break;
  }
  await Promise.all(running);
  return figuresOf(latencies, failures);
}

/** Probes until one is answered. @returns milliseconds that this took, or `undefined` if none was in time */
export async function firstAnswer(
  { target, probe, intervalMs, timeoutMs }: ProbeClient,
  withinMs: number,
  signal: AbortSignal,
): Promise<number | undefined> {
  const startedMs = performance.now();
  for (;;) {
    const leftMs = withinMs - (performance.now() - startedMs);
    if (leftMs <= 0) return undefined;
    try {
      await runProbe(target, probe, Math.min(timeoutMs, leftMs));
      return performance.now() - startedMs;
    } catch {
      await pause(intervalMs, undefined, { signal });
    }
  }
}

export function figuresOf(latencies: readonly number[], failures: Readonly<Record<string, number>>): ProbeFigures {
  const sorted = [...latencies].sort((one, other) => one - other);
  const failed = Object.values(failures).reduce((sum, count) => sum + count, 0);
  return {
    probes: sorted.length + failed,
    answered: sorted.length,
    p50Ms: percentile(sorted, 50),
    p99Ms: percentile(sorted, 99),
    maxMs: percentile(sorted, 100),
    failures,
  };
}

/** The smallest that so many percent do not exceed. */
function percentile(sorted: readonly number[], percent: number): number | undefined {
  const value = sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)];
  return value === undefined ? undefined : Math.round(value * 100) / 100;
}
