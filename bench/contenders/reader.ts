import type { Scratch } from '../scratch.js';
import type { ClientRun, RunningServer } from './contender.js';

/** Bytes of one read. */
export const READ_BYTES = 4096;

/** Random reads of one file over one connection. */
export interface ReadJob {
  /** Below the root of the server. */
  readonly path: string;
  /** The same file, to compare with. */
  readonly file: string;
  /** Reads that are under way at a time. */
  readonly depth: number;
  readonly reads: number;
  readonly deadlineMs: number;
}

/** A server and the client that reads from it: one line of the table of random reads. */
export interface Reader {
  readonly name: string;
  readonly description: string;
  /** Why it cannot run on this machine; `undefined` when it can. */
  readonly unavailable?: string;
  start(scratch: Scratch, root: string): Promise<RunningServer>;
  /**
   * Makes the reads, and compares what comes with the file.
   *
   * @param onStart called when the part that is measured begins
   * @throws {Error} when a byte is wrong or missing
   */
  read(server: RunningServer, job: ReadJob, onStart: () => void): Promise<ClientRun>;
}
