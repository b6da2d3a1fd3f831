import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { hasCompiler } from '../c-programs.js';
import { type Child, endChild, startChild } from '../child-processes.js';
import type { Scratch } from '../scratch.js';
import type { RunningServer } from './contender.js';
import { freePort } from './free-port.js';
import { runReadsInC } from './read-load.js';
import type { Reader } from './reader.js';
import { firstExisting } from './sftp.js';

const READY_DEADLINE_MS = 10_000;
const nginx = firstExisting([
  '/usr/sbin/nginx',
  '/usr/local/sbin/nginx',
  '/usr/bin/nginx',
  '/usr/local/nginx/sbin/nginx',
]);

/** The aim: range requests over one connection, which do not wait for one another. */
export const nginxReader: Reader = {
  name: 'nginx-range',
  description: 'nginx, one worker, sendfile, no access log; pipelined range requests, load program in C',
  ...unavailable(),
  start: startNginx,
  read: (server, job, onStart) => runReadsInC(server, job, { kind: 'http' }, onStart),
};

function unavailable(): { unavailable?: string } {
  if (nginx === undefined) return { unavailable: 'not installed: nginx' };
  return hasCompiler ? {} : { unavailable: 'no C compiler (cc)' };
}

async function startNginx(scratch: Scratch, root: string): Promise<RunningServer> {
  const directory = mkdtempSync(path.join(scratch.directory, 'nginx-'));
  const port = await freePort();
  const configFile = path.join(directory, 'nginx.conf');
  writeFileSync(configFile, nginxConfig(directory, root, port));
  const child = await startChild(nginx!, ['-p', directory, '-e', 'stderr', '-c', configFile]);
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

function nginxConfig(directory: string, root: string, port: number): string {
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `  ${name}_temp_path ${directory}/${name};`,
  );
  // The scratch directory is the user's alone.
  const user = process.getuid?.() === 0 ? `user ${os.userInfo().username};` : '';
  return `daemon off;
${user}
worker_processes 1;
pid ${directory}/pid;
error_log stderr;
events {}
http {
${paths.join('\n')}
  access_log off;
  sendfile on;
  keepalive_requests 1000000000;
  server {
    listen 127.0.0.1:${port};
    root ${root};
  }
}
`;
}

/** It says nothing when it is ready. */
async function listening(child: Child, port: number): Promise<void> {
  const deadlineMs = performance.now() + READY_DEADLINE_MS;
  while (!(await answers(port))) {
    if (child.process.exitCode !== null || performance.now() > deadlineMs) {
      throw new Error(`nginx does not listen: ${child.errorText()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
