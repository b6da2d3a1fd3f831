import type { Direction } from '../scenarios.js';
import type { Scratch } from '../scratch.js';
import type { ClientRun, RunningServer } from './contender.js';

/** Bytes of each file of a tree. */
export const TREE_FILE_BYTES = 4096;

/** A directory with many small files that is to be moved. */
export interface TreeJob {
  readonly direction: Direction;
  readonly files: number;
  /** Its name, here and on the server, where it is in `CONTENT_DIRECTORY`. */
  readonly name: string;
  /** An upload: where it is. */
  readonly source: string;
  /** Another tree, for a client to move before the clock starts. */
  readonly warmUpName: string;
  readonly warmUpSource: string;
  /** A download: the directory into which it goes. */
  readonly fetchedDirectory: string;
  readonly deadlineMs: number;
}

/** A server and the client that moves trees: one line of the table of small files. */
export interface TreeMover {
  readonly name: string;
  readonly description: string;
  /** What is on the disk when an upload counts as done. */
  readonly synced: 'all' | 'nothing';
  /** Why it cannot run on this machine; `undefined` when it can. */
  readonly unavailable?: string;
  start(scratch: Scratch, root: string): Promise<RunningServer>;
  /**
   * Moves the tree once.
   *
   * @param onStart called when the part that is measured begins
   * @throws {Error} when the client does not report complete success
   */
  move(server: RunningServer, job: TreeJob, onStart: () => void): Promise<ClientRun>;
}
