import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Place } from '../place.js';
import { Program } from '../program.js';
import { buildDirectory, repositoryRoot } from '../repository.js';
import { READY_DEADLINE_MS, runningServer } from '../servers/server-program.js';
import { type Contender, missingOf } from './contender.js';

const server = versionIn('@tus/server');
const client = versionIn('tus-js-client');

export const tus: Contender = {
  name: 'tus-js-client',
  direction: 'upload',
  description: '@tus/server with its FileStore; tus-js-client with FileUrlStorage and findPreviousUploads to resume',
  version: `@tus/server ${server}, tus-js-client ${client}`,
  missing: missingOf({ '@tus/server (npm run rivals)': server, 'tus-js-client (npm run rivals)': client }),
  writersNeverMeet: 'every upload has a name of its own, made by the server',
  startServer,
  client: ({ place, port, localFile }) => ({
    command: process.execPath,
    args: [
      path.join(buildDirectory, 'tus', 'client.js'),
      `http://127.0.0.1:${port}/files`,
      localFile,
      `${place.other}/urls`,
    ],
  }),
};

async function startServer({ root }: Place) {
  const program = new Program(process.execPath, [path.join(buildDirectory, 'tus', 'server.js'), root]);
  const [, port] = await program.says(/^listening on 127\.0\.0\.1:(\d+)$/m, READY_DEADLINE_MS);
  return runningServer(program, Number(port));
}

/** Of a package in the folder of the rivals; `undefined` when it is not installed there. */
function versionIn(name: string): string | undefined {
  const file = path.join(repositoryRoot, 'rivals', 'node_modules', name, 'package.json');
  if (!existsSync(file)) return undefined;
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
