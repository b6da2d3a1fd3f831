import type { ProcessUse } from './speed-result.js';

/** Bytes that have moved one way, and in what time. */
export interface Moved {
  readonly bytes: number;
  readonly ms: number;
}

/** One connection that moves bytes. */
export interface SpeedStream {
  /** As far as it is known. */
  readonly up: Moved | undefined;
  readonly down: Moved | undefined;
  /** Of the server, as far as it has told. */
  readonly server: ProcessUse | undefined;
  /** What was granted; known once `start` has settled. */
  readonly durationMs: number;
  /** Bytes a second each way; 0 for no limit. */
  readonly serverCap: number;
  /** Begins. @throws what the server says against it */
  start(): Promise<void>;
  /** Settles at the end. @throws what has ended the connection before */
  readonly ended: Promise<void>;
}
