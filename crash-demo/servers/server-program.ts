import type { RunningServer } from '../contenders/contender.js';
import type { Program } from '../program.js';

export const READY_DEADLINE_MS = 20_000;

/** A program that listens on a port, as a server. */
export function runningServer(program: Program, port: number): RunningServer {
  return {
    port,
    async kill() {
      program.kill();
      await program.ended;
    },
  };
}
