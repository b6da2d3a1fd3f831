import { buildCProgram, hasCompiler } from '../c-programs.js';
import { MAX_CONNECTIONS } from '../scenarios.js';
import type { Contender } from './contender.js';
import { startListeningServer } from './listening-server.js';
import { runLoad } from './load-client.js';

/** The original's clients send 32 KiB; what has no packets is compared with this one as well. */
export const DEFAULT_LIMIT_NAME = limitName(32);

export function limitName(packetKib: number): string {
  return `limit-${packetKib}k`;
}

/** What the kernel allows: the same protocol from a lean C server. */
export function limitWithLoad(packetKib: number): Contender {
  return {
    name: limitName(packetKib),
    description: `C epoll server with read and write; load program, ${packetKib} KiB packets`,
    maxConnections: MAX_CONNECTIONS,
    limitName: limitName(packetKib),
    ...(hasCompiler ? {} : { unavailable: 'no C compiler (cc)' }),
    start: (_scratch, root) => startListeningServer(buildCProgram('limit-server'), ['--root', root]),
    transfer: (server, transfer, onStart) => {
      const anyone = { user: 'anyone', digest: '0'.repeat(32) }; // it accepts every login
      return runLoad(server, transfer, { kind: 'sluice', packetBytes: packetKib * 1024, ...anyone }, onStart);
    },
  };
}
