import {
  availableMemory,
  type Clock,
  DEFAULT_LISTENER_OPTIONS,
  DEFAULT_MEMORY_SHARE,
  type ListenerOptions,
  logBytesOf,
  MemoryCeiling,
  planMemory,
  processMemory,
} from '@sluice/core';
import type { Log } from './log.js';

export interface ServerMemoryOptions {
  /** In bytes; `defaultMemoryLimit()` is what the command takes. */
  readonly limitBytes: number;
  /** Whether `maxConnections` is lowered to what the limit holds; otherwise a larger one is refused. @default false */
  readonly lowersConnections?: boolean;
}

/** Half of the memory that the process may have, by the machine or its control group, in bytes. */
export function defaultMemoryLimit(): number {
  return Math.floor(availableMemory() * DEFAULT_MEMORY_SHARE);
}

/** Of each of the two places where lines of the log wait for the disk, in bytes. */
export function logWaitingBytes(limitBytes: number): number {
  return logBytesOf(limitBytes) / 2;
}

/** @throws {OptionsError} when the limit does not hold what is to be in it */
export function ceilingOf(
  memory: ServerMemoryOptions,
  { maxConnections, tls }: Pick<ListenerOptions, 'maxConnections' | 'tls'>,
  clock: Clock,
): MemoryCeiling {
  const plan = planMemory({
    limitBytes: memory.limitBytes,
    connections: maxConnections ?? DEFAULT_LISTENER_OPTIONS.maxConnections,
    hasTls: tls !== undefined,
    isGiven: memory.lowersConnections !== true,
  });
  return new MemoryCeiling(plan, clock, processMemory);
}

/** As many connections as the memory holds. */
export function withinPlan(
  ceiling: MemoryCeiling,
  { maxConnections = DEFAULT_LISTENER_OPTIONS.maxConnections }: Pick<ListenerOptions, 'maxConnections'>,
  log: Log,
): Pick<ListenerOptions, 'memory' | 'maxConnections'> {
  const { connections, limitBytes } = ceiling.plan;
  if (connections < maxConnections) {
    log.warn(
      `serving ${connections} connections at once, not ${maxConnections}: the memory limit of ${limitBytes >> 20} MiB holds no more (--memory-limit)`,
    );
  }
  return { memory: ceiling, maxConnections: connections };
}
