import path from 'node:path';
import { buildDirectory } from '../repository.js';
import { MAX_CONNECTIONS } from '../scenarios.js';
import type { Contender } from './contender.js';
import { DEFAULT_LIMIT_NAME } from './limit.js';
import { startListeningServer } from './listening-server.js';
import { runLoad } from './load-client.js';

/** What the same Node does without us. */
export const plainHttp: Contender = {
  name: 'plain-http',
  description: 'Node http server with stream pipelines (rivals/plain-http.ts); load program',
  maxConnections: MAX_CONNECTIONS,
  limitName: DEFAULT_LIMIT_NAME,
  start: (_scratch, root) =>
    startListeningServer(process.execPath, [path.join(buildDirectory, 'rivals', 'plain-http.js'), '--root', root]),
  transfer: (server, transfer, onStart) => runLoad(server, transfer, { kind: 'http' }, onStart),
};
