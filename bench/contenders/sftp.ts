import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type Child, endChild, startChild } from '../child-processes.js';
import { CONTENT_DIRECTORY, type Scratch } from '../scratch.js';
import { runCommandClient } from './command-client.js';
import type { ClientRun, Contender, RunningServer, Transfer } from './contender.js';
import { freePort } from './free-port.js';
import { DEFAULT_LIMIT_NAME } from './limit.js';
import type { TreeMover } from './tree-mover.js';

const READY_DEADLINE_MS = 10_000;
/** sshd insists on being started by an absolute path; distributions keep these two in different places. */
const sshd = firstExisting(['/usr/sbin/sshd', '/usr/local/sbin/sshd', '/sbin/sshd', '/usr/bin/sshd']);
const sftpServer = firstExisting([
  '/usr/lib/openssh/sftp-server',
  '/usr/libexec/openssh/sftp-server',
  '/usr/lib/ssh/sftp-server',
  '/usr/libexec/sftp-server',
]);
/** Where sshd, run as root, confines the part that talks to a peer before login. */
const privilegeSeparationDirectory = '/run/sshd';

export interface SftpServer extends RunningServer {
  readonly root: string;
  readonly keyFile: string;
  readonly knownHostsFile: string;
}

/** OpenSSH as installed, with its own defaults for the cipher; a private sshd with keys made for this run. */
export const sftp: Contender = {
  name: 'sftp',
  description: 'OpenSSH sshd and sftp-server, encrypted; sftp -b, whole command',
  maxConnections: 1,
  limitName: DEFAULT_LIMIT_NAME,
  ...unavailable(['sftp', 'ssh-keygen']),
  start: startSshd,
  transfer: (server, transfer, onStart) => runSftp(server as SftpServer, transfer, onStart),
};

/** @param commands what is needed beside the server */
export function unavailable(commands: readonly string[]): { unavailable?: string } {
  if (sshd === undefined || sftpServer === undefined) return { unavailable: 'not installed: sshd or sftp-server' };
  for (const command of commands) {
    if (spawnSync('which', [command]).status !== 0) return { unavailable: `not installed: ${command}` };
  }
  return {};
}

export async function startSshd(scratch: Scratch, root: string): Promise<SftpServer> {
  const directory = mkdtempSync(path.join(scratch.directory, 'sshd-'));
  const hostKeyFile = path.join(directory, 'host-key');
  const keyFile = path.join(directory, 'user-key');
  const knownHostsFile = path.join(directory, 'known-hosts');
  for (const file of [hostKeyFile, keyFile]) {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'sluice-bench', '-f', file]);
  }
  const port = await freePort();
  writeFileSync(knownHostsFile, `[127.0.0.1]:${port} ${readFileSync(`${hostKeyFile}.pub`, 'utf8')}`);
  const configFile = path.join(directory, 'sshd-config');
  writeFileSync(configFile, sshdConfig(port, hostKeyFile, `${keyFile}.pub`));

  const removePrivilegeSeparationDirectory = makePrivilegeSeparationDirectory();
  const child = await startChild(sshd!, ['-D', '-e', '-f', configFile]);
  const dispose = async () => {
    await endChild(child);
    rmSync(directory, { recursive: true, force: true });
    removePrivilegeSeparationDirectory();
  };
  try {
    await listening(child);
  } catch (error) {
    await dispose();
    throw error;
  }
  return { pid: child.pid, port, root, keyFile, knownHostsFile, [Symbol.asyncDispose]: dispose };
}

function sshdConfig(port: number, hostKeyFile: string, authorizedKeysFile: string): string {
  return `Port ${port}
ListenAddress 127.0.0.1
HostKey ${hostKeyFile}
AuthorizedKeysFile ${authorizedKeysFile}
PubkeyAuthentication yes
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
UsePAM no
StrictModes no
PidFile none
Subsystem sftp ${sftpServer}
`;
}

async function listening(child: Child): Promise<void> {
  const deadlineMs = performance.now() + READY_DEADLINE_MS;
  while (!child.errorText().includes('Server listening on')) {
    if (child.process.exitCode !== null || performance.now() > deadlineMs) {
      throw new Error(`sshd does not listen: ${child.errorText()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The same with directories of small files. */
export const sftpTree: TreeMover = {
  name: 'sftp-tree',
  description: 'OpenSSH sshd and sftp-server, encrypted; sftp -b with put -r and get -r, whole command',
  synced: 'nothing',
  ...unavailable(['sftp', 'ssh-keygen']),
  start: startSshd,
  move: (server, { direction, source, name, fetchedDirectory, deadlineMs }, onStart) => {
    const remote = path.join((server as SftpServer).root, CONTENT_DIRECTORY);
    const line =
      direction === 'upload' ? `put -r ${source} ${remote}/` : `get -r ${path.join(remote, name)} ${fetchedDirectory}/`;
    return runBatch(server as SftpServer, line, deadlineMs, onStart);
  },
};

function runSftp(server: SftpServer, transfer: Transfer, onStart: () => void): Promise<ClientRun> {
  const remoteFile = path.join(server.root, CONTENT_DIRECTORY, transfer.name);
  const line =
    transfer.direction === 'upload'
      ? `put ${transfer.sourceFile} ${remoteFile}`
      : `get ${remoteFile} ${path.join(transfer.fetchedDirectory, transfer.name)}`;
  return runBatch(server, line, transfer.deadlineMs, onStart);
}

/** Runs `sftp` with one line of commands. */
function runBatch(server: SftpServer, line: string, deadlineMs: number, onStart: () => void): Promise<ClientRun> {
  const batchFile = path.join(path.dirname(server.keyFile), 'batch');
  writeFileSync(batchFile, `${line}\n`);
  const ssh = {
    IdentityFile: server.keyFile,
    IdentitiesOnly: 'yes',
    UserKnownHostsFile: server.knownHostsFile,
    StrictHostKeyChecking: 'yes',
  };
  const options = Object.entries(ssh).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  return runCommandClient(
    'sftp',
    [
      '-q',
      '-F',
      '/dev/null',
      ...options,
      '-b',
      batchFile,
      '-P',
      String(server.port),
      `${os.userInfo().username}@127.0.0.1`,
    ],
    deadlineMs,
    onStart,
  );
}

/** Only root needs it. Returns how to remove it again, which also happens when the run is interrupted. */
function makePrivilegeSeparationDirectory(): () => void {
  if (process.getuid?.() !== 0 || existsSync(privilegeSeparationDirectory)) return () => {};
  mkdirSync(privilegeSeparationDirectory, { mode: 0o755 });
  const remove = () => {
    process.off('exit', remove);
    rmdirSync(privilegeSeparationDirectory);
  };
  process.once('exit', remove);
  return remove;
}

export function firstExisting(files: readonly string[]): string | undefined {
  return files.find((file) => existsSync(file));
}
