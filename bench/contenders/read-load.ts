import path from 'node:path';
import { buildCProgram } from '../c-programs.js';
import { buildDirectory } from '../repository.js';
import type { ClientRun, RunningServer } from './contender.js';
import { runGated } from './load-client.js';
import { READ_BYTES, type ReadJob } from './reader.js';

/** The load of random reads in C. */
export function runReadsInC(
  server: RunningServer,
  job: ReadJob,
  options: Readonly<Record<string, string>>,
  onStart: () => void,
): Promise<ClientRun> {
  return runReads([buildCProgram('random-reads')], server, job, options, onStart);
}

/** The load of random reads in Node. */
export function runReadsInNode(
  server: RunningServer,
  job: ReadJob,
  options: Readonly<Record<string, string>>,
  onStart: () => void,
): Promise<ClientRun> {
  const program = path.join(buildDirectory, 'load', 'random-reads.js');
  return runReads([process.execPath, program], server, job, options, onStart);
}

function runReads(
  command: readonly string[],
  { port }: RunningServer,
  { path: name, file, depth, reads, deadlineMs }: ReadJob,
  options: Readonly<Record<string, string>>,
  onStart: () => void,
): Promise<ClientRun> {
  const seconds = Math.ceil(deadlineMs / 1000);
  const all = { path: name, ...options, port, file, depth, reads, 'deadline-seconds': seconds };
  const args = Object.entries(all).flatMap(([key, value]) => [`--${key}`, String(value)]);
  return runGated([...command, ...args], reads * READ_BYTES, deadlineMs, onStart);
}
