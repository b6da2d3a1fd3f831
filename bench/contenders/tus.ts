import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { repositoryRoot } from '../repository.js';
import { CONTENT_DIRECTORY } from '../scratch.js';
import { runCommandClient } from './command-client.js';
import type { Contender, RunningServer } from './contender.js';
import { DEFAULT_LIMIT_NAME } from './limit.js';
import { startListeningServer } from './listening-server.js';

/** The programs of the crash demo: the same server and client, as their pages show them. */
const programs = path.join(repositoryRoot, 'build', 'crash-demo', 'tus');
const isInstalled = existsSync(path.join(repositoryRoot, 'rivals', 'node_modules', '@tus', 'server'));

interface TusServer extends RunningServer {
  readonly root: string;
}

/** A resumable upload over HTTP, both ends in Node. It has no downloads of its own. */
export const tus: Contender = {
  name: 'tus',
  description: '@tus/server with @tus/file-store; tus-js-client, whole command',
  maxConnections: 1,
  directions: ['upload'],
  limitName: DEFAULT_LIMIT_NAME,
  ...(isInstalled ? {} : { unavailable: 'not installed: npm run rivals' }),
  start: async (_scratch, root) => {
    const directory = path.join(root, CONTENT_DIRECTORY);
    const server = await startListeningServer(process.execPath, [path.join(programs, 'server.js'), directory]);
    return Object.assign(server, { root });
  },
  transfer: async (server, { name, sourceFile, fetchedDirectory, deadlineMs }, onStart) => {
    const directory = path.join((server as TusServer).root, CONTENT_DIRECTORY);
    const before = new Set(readdirSync(directory));
    const storage = mkdtempSync(path.join(fetchedDirectory, 'tus-'));
    try {
      const endpoint = `http://127.0.0.1:${server.port}/files/`;
      const args = [path.join(programs, 'client.js'), endpoint, sourceFile, path.join(storage, 'urls')];
      const run = await runCommandClient(process.execPath, args, deadlineMs, onStart);
      // The server chooses the name.
      const stored = readdirSync(directory).find((file) => !before.has(file) && !file.endsWith('.json'));
      if (stored === undefined) throw new Error('the tus server has stored nothing');
      renameSync(path.join(directory, stored), path.join(directory, name));
      return run;
    } finally {
      rmSync(storage, { recursive: true, force: true });
    }
  },
};
