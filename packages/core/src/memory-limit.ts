import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { OptionsError } from '@sluice/framing';

const MIB = 2 ** 20;

/** What a connection takes at least, in bytes. Of 3,000 that do nothing each took 25 KiB after its login, and 32 KiB with TLS, before it. */
export const LEAST_CONNECTION_BYTES = 26 << 10;
export const LEAST_TLS_CONNECTION_BYTES = 40 << 10;

/** Part of the memory of the machine, or of its control group, that is the limit where none is given. */
export const DEFAULT_MEMORY_SHARE = 0.5;

/** What follows from one number: bytes, unless a name says otherwise. */
export interface MemoryPlan {
  readonly limitBytes: number;
  /** Packets that are not complete, and bytes that wait for their handler. */
  readonly receiveBytes: number;
  /** What waits for peers to read. */
  readonly sendBytes: number;
  /** Requests and transfers that are being worked on. */
  readonly workBytes: number;
  /** Lines of the log that wait for the disk. */
  readonly logBytes: number;
  /** Buffers that are kept for reuse, and what is free but not given back to the system yet. */
  readonly spareBytes: number;
  readonly connections: number;
  /** What each of these takes at least. */
  readonly connectionBytes: number;
}

export interface MemoryPlanOptions {
  readonly limitBytes: number;
  readonly connections: number;
  /** Whether connections may be of TLS. */
  readonly hasTls: boolean;
  /** Whether the number of connections was given, and is not lowered. */
  readonly isGiven: boolean;
}

/**
 * Divides the memory of a server.
 *
 * @throws {OptionsError} when so many connections do not fit beside the budgets, or nothing does; with the sum
 */
export function planMemory({ limitBytes, connections, hasTls, isGiven }: MemoryPlanOptions): MemoryPlan {
  const connectionBytes = hasTls ? LEAST_TLS_CONNECTION_BYTES : LEAST_CONNECTION_BYTES;
  const plan = {
    limitBytes,
    // Each budget has room for two of the largest packets, or nobody could send, ask for, or read one.
    receiveBytes: Math.max(24 * MIB, Math.floor(limitBytes / 8)),
    sendBytes: Math.max(32 * MIB, Math.floor(limitBytes / 8)),
    workBytes: Math.max(24 * MIB, Math.floor(limitBytes / 8)),
    logBytes: logBytesOf(limitBytes),
    spareBytes: Math.floor(limitBytes / 4),
    connectionBytes,
  };
  const { receiveBytes, sendBytes, workBytes, logBytes, spareBytes } = plan;
  const left = limitBytes - receiveBytes - sendBytes - workBytes - logBytes - spareBytes;
  const fitting = Math.floor(left / connectionBytes);
  if (fitting < 1 || (isGiven && fitting < connections)) {
    const shown = isGiven ? connections : 1;
    const sum = limitBytes - left + shown * connectionBytes;
    throw new OptionsError(
      `the memory limit of ${mebibytes(limitBytes)} does not hold ${shown} connections x ${connectionBytes >> 10} KiB + ` +
        `${mebibytes(receiveBytes)} for receiving + ${mebibytes(sendBytes)} for sending + ${mebibytes(workBytes)} for requests + ` +
        `${mebibytes(logBytes)} for the log + ${mebibytes(spareBytes)} to spare = ${mebibytes(sum)}`,
    );
  }
  return { ...plan, connections: Math.min(connections, fitting) };
}

/** The share of the log, which is opened before the server is. */
export function logBytesOf(limitBytes: number): number {
  return Math.min(8 * MIB, Math.max(MIB, Math.floor(limitBytes / 64)));
}

/** In MiB, rounded up: a sum that does not fit must not look as if it did. */
function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / MIB)} MiB`;
}

/** Where control groups say what their processes may have: version 2, and version 1. */
const CGROUP_2 = '/sys/fs/cgroup';
const CGROUP_1 = '/sys/fs/cgroup/memory';

/**
 * The memory that the process may have: that of the machine, or less where a control group of it, or one above that, says so.
 *
 * @param read the content of a file; `undefined` when there is none
 */
export function availableMemory(
  read: (path: string) => string | undefined = readIfThere,
  machine = totalmem(),
): number {
  const groups = read('/proc/self/cgroup') ?? '';
  const unified = /^0::(.*)$/m.exec(groups)?.[1];
  const memory = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m.exec(groups)?.[1];
  const limits = [
    ...(unified === undefined ? [] : limitsAbove(CGROUP_2, unified, 'memory.max', read)),
    ...(memory === undefined ? [] : limitsAbove(CGROUP_1, memory, 'memory.limit_in_bytes', read)),
  ];
  return Math.min(machine, ...limits);
}

/** Those of a group and of all above it. A container often sees its own group as the topmost, whatever its path says. */
function limitsAbove(mount: string, group: string, name: string, read: (path: string) => string | undefined): number[] {
  const parts = group.split('/').filter((part) => part !== '' && part !== '..');
  const limits: number[] = [];
  for (let depth = parts.length; depth >= 0; depth--) {
    const limit = Number.parseInt(read([mount, ...parts.slice(0, depth), name].join('/')) ?? '', 10);
    if (limit > 0) limits.push(limit);
  }
  return limits;
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}
