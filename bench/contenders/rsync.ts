import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { type Child, endChild, startChild } from '../child-processes.js';
import { CONTENT_DIRECTORY, type Scratch } from '../scratch.js';
import { runCommandClient } from './command-client.js';
import type { RunningServer } from './contender.js';
import { freePort } from './free-port.js';
import type { TreeMover } from './tree-mover.js';

const READY_DEADLINE_MS = 10_000;
const help = spawnSync('rsync', ['--help'], { encoding: 'utf8' });
const version = /version v?(\d+\.\d+\.\d+)/.exec(help.stdout ?? '')?.[1];

/** rsync as it is used: what it has written may be lost with the power. */
export const rsync = rsyncWith({ name: 'rsync', synced: 'nothing', options: [] });

/** With a sync of each file; of the directories it syncs none. */
export const rsyncFsync = rsyncWith({ name: 'rsync-fsync', synced: 'all', options: ['--fsync'] });

function rsyncWith({
  name,
  synced,
  options,
}: Pick<TreeMover, 'name' | 'synced'> & { readonly options: readonly string[] }): TreeMover {
  const hasOptions = options.every((option) => help.stdout?.includes(option));
  const without = help.status === 0 ? `rsync ${version} has no ${options.join(' ')}` : 'not installed: rsync';
  return {
    name,
    description: `rsync ${version ?? ''}, daemon; rsync ${['-a', ...options].join(' ')}, whole command, not encrypted`,
    synced,
    ...(help.status === 0 && hasOptions ? {} : { unavailable: without }),
    start: startDaemon,
    move: ({ port }, { direction, source, name: tree, fetchedDirectory, deadlineMs }, onStart) => {
      const url = `rsync://127.0.0.1:${port}/root/${CONTENT_DIRECTORY}/`;
      const operands = direction === 'upload' ? [source, url] : [`${url}${tree}`, `${fetchedDirectory}/`];
      return runCommandClient('rsync', ['-a', ...options, ...operands], deadlineMs, onStart);
    },
  };
}

async function startDaemon(scratch: Scratch, root: string): Promise<RunningServer> {
  const directory = mkdtempSync(path.join(scratch.directory, 'rsync-'));
  const configFile = path.join(directory, 'rsyncd.conf');
  const port = await freePort();
  writeFileSync(configFile, daemonConfig(root, port));
  // With a socket as its standard input it would take that for its one client.
  const command = 'exec rsync --daemon --no-detach --config="$1" < /dev/null';
  const child = await startChild('sh', ['-c', command, 'sh', configFile]);
  const dispose = async () => {
    await endChild(child);
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await listening(child, port);
  } catch (error) {
    await dispose();
    throw error;
  }
  return { pid: child.pid, port, [Symbol.asyncDispose]: dispose };
}

function daemonConfig(root: string, port: number): string {
  const { username } = os.userInfo();
  const ids = process.getuid?.() === 0 ? `uid = ${username}\ngid = *\n` : '';
  return `port = ${port}
address = 127.0.0.1
use chroot = no
log file = /dev/null
${ids}[root]
path = ${root}
read only = no
`;
}

async function listening(child: Child, port: number): Promise<void> {
  const deadlineMs = performance.now() + READY_DEADLINE_MS;
  while (!(await accepts(port))) {
    if (child.process.exitCode !== null || performance.now() > deadlineMs) {
      throw new Error(`rsync does not listen: ${child.errorText()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
