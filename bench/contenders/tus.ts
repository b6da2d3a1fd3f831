import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { repositoryRoot } from '../repository.js';
import { CONTENT_DIRECTORY } from '../scratch.js';
import { runCommandClient } from './command-client.js';
import type { ClientRun, Contender, RunningServer, Transfer } from './contender.js';
import { freePort } from './free-port.js';
import { DEFAULT_LIMIT_NAME } from './limit.js';
import { startListeningServer } from './listening-server.js';
import { command, password, serveArguments, unavailable, user } from './sluice.js';

/** The programs of the crash demo: the same server and client, as their pages show them. */
const programs = path.join(repositoryRoot, 'build', 'crash-demo', 'tus');
const isInstalled = existsSync(path.join(repositoryRoot, 'rivals', 'node_modules', '@tus', 'server'));

interface TusServer extends RunningServer {
  /** Where uploads go. */
  readonly directory: string;
  readonly endpoint: string;
  /** What a login needs. */
  readonly authorization: readonly string[];
}

const shared = {
  maxConnections: 1,
  directions: ['upload'],
  limitName: DEFAULT_LIMIT_NAME,
  transfer: uploadByTus,
} as const;

/** A resumable upload over HTTP, both ends in Node. It has no downloads of its own. */
export const tus: Contender = {
  ...shared,
  name: 'tus',
  description: '@tus/server with @tus/file-store; tus-js-client, whole command',
  ...(isInstalled ? {} : { unavailable: 'not installed: npm run rivals' }),
  start: async (_scratch, root) => {
    const directory = path.join(root, CONTENT_DIRECTORY);
    const server = await startListeningServer(process.execPath, [path.join(programs, 'server.js'), directory]);
    return Object.assign(server, { directory, endpoint: `http://127.0.0.1:${server.port}/files/`, authorization: [] });
  },
};

/** The same client, and Sluice. */
export const sluiceTus: Contender = {
  ...shared,
  name: 'sluice-tus',
  description: 'sluice serve --http; tus-js-client, whole command',
  ...(isInstalled ? unavailable : { unavailable: 'not installed: npm run rivals' }),
  start: async (_scratch, root) => {
    const http = `127.0.0.1:${await freePort()}`;
    const server = await startListeningServer(command, serveArguments(root, http));
    const endpoint = `http://${http}/files/${CONTENT_DIRECTORY}/`;
    const authorization = [`Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`];
    return Object.assign(server, { directory: path.join(root, CONTENT_DIRECTORY), endpoint, authorization });
  },
};

async function uploadByTus(
  server: RunningServer,
  { name, sourceFile, fetchedDirectory, deadlineMs }: Transfer,
  onStart: () => void,
): Promise<ClientRun> {
  const { directory, endpoint, authorization } = server as TusServer;
  const before = new Set(readdirSync(directory));
  const storage = mkdtempSync(path.join(fetchedDirectory, 'tus-'));
  try {
    const args = [path.join(programs, 'client.js'), endpoint, sourceFile, path.join(storage, 'urls'), ...authorization];
    const run = await runCommandClient(process.execPath, args, deadlineMs, onStart);
    // The server chooses the name.
    const stored = readdirSync(directory).find((file) => !before.has(file) && !file.endsWith('.json'));
    if (stored === undefined) throw new Error('the server has stored nothing');
    renameSync(path.join(directory, stored), path.join(directory, name));
    return run;
  } finally {
    rmSync(storage, { recursive: true, force: true });
  }
}
