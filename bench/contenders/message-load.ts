import path from 'node:path';
import { buildCProgram, hasCompiler } from '../c-programs.js';
import { buildDirectory } from '../repository.js';
import type { ClientRun, RunningServer } from './contender.js';
import { runProgram } from './load-client.js';

/** Messages that are exchanged with one server. */
export interface MessageJob {
  readonly connections: number;
  readonly dataBytes: number;
  readonly messages: number;
  /** Messages on their way on each connection. @default 1 */
  readonly depth?: number;
  /** Messages on their way over all connections, which take turns; instead of `depth`. */
  readonly underWay?: number;
  /** Time the setup and `onStart` may take beside what is usual, in milliseconds. @default 0 */
  readonly extraMs?: number;
}

export interface MessageRun extends ClientRun {
  readonly setupSeconds: number;
  readonly setupCpuSeconds: number;
  /** Time from request to answer, in microseconds; 0 when several are on their way on a connection. */
  readonly p50Us: number;
  readonly p99Us: number;
}

/** Loopback addresses that the connections come from, so that no limit for one address is met, nor the number of its ports. */
const SOURCES = 250;
const BASE_DEADLINE_MS = 60_000;
const SLOWEST_MESSAGES_PER_MS = 1;

/**
 * Opens the connections, exchanges one message on each, waits for `onStart`, and exchanges the messages of the job.
 *
 * @throws {Error} when a byte of an answer is not as it has to be
 */
export async function runMessages(
  { port }: RunningServer,
  { connections, dataBytes, messages, depth = 1, underWay, extraMs = 0 }: MessageJob,
  onStart: () => void | Promise<void>,
): Promise<MessageRun> {
  const deadlineMs = BASE_DEADLINE_MS + extraMs + messages / SLOWEST_MESSAGES_PER_MS;
  const options = {
    port,
    connections,
    data: dataBytes,
    messages,
    ...(underWay === undefined ? { depth } : { 'under-way': underWay }),
    sources: SOURCES,
    'deadline-seconds': Math.ceil(deadlineMs / 1000),
  };
  const args = Object.entries(options).flatMap(([key, value]) => [`--${key}`, String(value)]);
  const report = await runProgram([...loadCommand(), '--gate', ...args], deadlineMs, onStart);
  if (!isMessageRun(report)) throw new Error(`the load program printed ${JSON.stringify(report)}`);
  return report;
}

function loadCommand(): string[] {
  if (hasCompiler) return [buildCProgram('message-load')];
  return [process.execPath, path.join(buildDirectory, 'load', 'message-load.js')];
}

function isMessageRun(report: unknown): report is MessageRun {
  const fields = report as Record<string, unknown> | null;
  const names = ['seconds', 'cpuSeconds', 'setupSeconds', 'setupCpuSeconds', 'p50Us', 'p99Us'];
  return names.every((name) => typeof fields?.[name] === 'number');
}
