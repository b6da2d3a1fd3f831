import type { Direction } from '../scenarios.js';
import type { Scratch } from '../scratch.js';

/** A server that is ready for connections; disposing it ends the process. */
export interface RunningServer extends AsyncDisposable {
  readonly pid: number;
  readonly port: number;
}

export interface Transfer {
  readonly direction: Direction;
  /** With several, each moves an equal part of the content under its own name. */
  readonly connections: number;
  /** Of all connections together. */
  readonly bytes: number;
  readonly name: string;
  readonly sourceFile: string;
  readonly fetchedDirectory: string;
  readonly deadlineMs: number;
}

/** What the client saw of one transfer. */
export interface ClientRun {
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Connecting and logging in, where the client can tell it from the transfer; not part of `seconds`. */
  readonly setupSeconds?: number;
}

/** A server and the client that loads it: one line of the table. */
export interface Contender {
  readonly name: string;
  readonly description: string;
  readonly maxConnections: number;
  /** What it can do. @default both */
  readonly directions?: readonly Direction[];
  /** Name of the limit it is compared with: the one with packets of the same size, where packets have one. */
  readonly limitName: string;
  /** Why it cannot run on this machine; `undefined` when it can. */
  readonly unavailable?: string;
  start(scratch: Scratch, root: string): Promise<RunningServer>;
  /**
   * Moves the content once.
   *
   * @param onStart called when the part that is measured begins
   * @throws {Error} when the client does not report complete success
   */
  transfer(server: RunningServer, transfer: Transfer, onStart: () => void): Promise<ClientRun>;
}
