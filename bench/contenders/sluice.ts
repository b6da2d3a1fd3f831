import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import path from 'node:path';
import { buildDirectory, repositoryRoot } from '../repository.js';
import { MAX_CONNECTIONS } from '../scenarios.js';
import { CONTENT_DIRECTORY, type Scratch } from '../scratch.js';
import { runCommandClient } from './command-client.js';
import type { ClientRun, Contender, RunningServer, Transfer } from './contender.js';
import { DEFAULT_LIMIT_NAME, limitName } from './limit.js';
import { startListeningServer } from './listening-server.js';
import { runGated, runLoad } from './load-client.js';

export const command = path.join(repositoryRoot, 'node_modules', '.bin', 'sluice');
export const user = 'bench';
export const password = randomBytes(12).toString('hex');
export const digest = createHash('md5').update(password).digest('hex');
const help = spawnSync(command, ['--help'], { stdio: 'ignore', timeout: 20_000 });
/** Why Sluice cannot run; empty when it can. */
export const unavailable =
  help.status === 0 ? {} : { unavailable: `${path.relative(repositoryRoot, command)} does not run` };

/** Sluice as its users start it, loaded with packets of the given size by the load program. */
export function sluiceWithLoad(packetKib: number): Contender {
  return {
    name: `sluice-${packetKib}k`,
    description: `sluice serve; load program, ${packetKib} KiB packets`,
    maxConnections: MAX_CONNECTIONS,
    limitName: limitName(packetKib),
    ...unavailable,
    start: startSluice,
    transfer: (server, transfer, onStart) =>
      runLoad(server, transfer, { kind: 'sluice', packetBytes: packetKib * 1024, user, digest }, onStart),
  };
}

/** Sluice at both ends. */
export const sluiceCommand: Contender = {
  name: 'sluice-command',
  description: 'sluice serve; sluice put and sluice get, whole command',
  maxConnections: 1,
  limitName: DEFAULT_LIMIT_NAME,
  ...unavailable,
  start: startSluice,
  transfer: runSluiceCommand,
};

/** Sluice as a program that uses its SDK sees it: connected before the clock starts. */
export const sluiceSdk: Contender = {
  name: 'sluice-sdk',
  description: 'sluice serve; upload of the SDK, with digests on both sides',
  maxConnections: 1,
  directions: ['upload'],
  limitName: DEFAULT_LIMIT_NAME,
  ...unavailable,
  start: startSluice,
  transfer: ({ port }, { direction, bytes, name, sourceFile, deadlineMs }, onStart) => {
    const options = {
      what: 'file',
      url: `sluice://${user}:${password}@127.0.0.1:${port}/`,
      direction,
      remote: `${CONTENT_DIRECTORY}/${name}`,
      local: sourceFile,
      'warm-up-remote': `${CONTENT_DIRECTORY}/warm-up`,
      'warm-up-local': path.join(repositoryRoot, 'package-lock.json'),
      'deadline-seconds': String(Math.ceil(deadlineMs / 1000)),
    };
    return runGated(sdkLoad(options), bytes, deadlineMs, onStart);
  },
};

/** The command line of a program that moves something with the SDK; see there for the options. */
export function sdkLoad(options: Readonly<Record<string, string>>): string[] {
  const args = Object.entries(options).flatMap(([key, value]) => [`--${key}`, value]);
  return [process.execPath, path.join(buildDirectory, 'load', 'sdk-load.js'), ...args];
}

export function startSluice(_scratch: Scratch, root: string): Promise<RunningServer> {
  return startListeningServer(command, serveArguments(root));
}

/**
 * Arguments of a server that differs from the defaults in its root, its user and its ports alone.
 *
 * @param http where it speaks HTTP. @default nowhere
 */
export function serveArguments(root: string, http = 'off'): string[] {
  return ['serve', '--listen', '127.0.0.1:0', '--http', http, '--root', root, '--user', `${user}:${password}`];
}

function runSluiceCommand(server: RunningServer, transfer: Transfer, onStart: () => void): Promise<ClientRun> {
  const url = `sluice://${user}:${password}@127.0.0.1:${server.port}/${CONTENT_DIRECTORY}/`;
  const args =
    transfer.direction === 'upload'
      ? ['put', transfer.sourceFile, url]
      : ['get', `${url}${transfer.name}`, `${transfer.fetchedDirectory}/`];
  return runCommandClient(command, args, transfer.deadlineMs, onStart);
}
