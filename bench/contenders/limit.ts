import { buildCProgram, hasCompiler } from '../c-programs.js';
import { MAX_CONNECTIONS } from '../scenarios.js';
import type { Contender } from './contender.js';
import { startListeningServer } from './listening-server.js';
import { runLoad } from './load-client.js';

/** What the kernel allows: the same protocol from a lean C server. */
export const limit: Contender = {
  name: 'limit',
  description: 'C epoll server with read and write; load program, 32 KiB packets',
  maxConnections: MAX_CONNECTIONS,
  ...(hasCompiler ? {} : { unavailable: 'no C compiler (cc)' }),
  start: (_scratch, root) => startListeningServer(buildCProgram('limit-server'), ['--root', root]),
  transfer: (server, transfer, onStart) =>
    runLoad(
      server,
      transfer,
      { kind: 'sluice', packetBytes: 32 * 1024, user: 'anyone', digest: '0'.repeat(32) }, // it accepts every login
      onStart,
    ),
};
