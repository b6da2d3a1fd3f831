import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { runReadsInNode } from './read-load.js';
import type { Reader } from './reader.js';
import { type SftpServer, startSshd, unavailable } from './sftp.js';

/** What a program in Node does with OpenSSH. */
export const ssh2Reader: Reader = {
  name: 'sftp-ssh2',
  description: 'OpenSSH sshd and sftp-server, encrypted; sftp client of the npm package ssh2, in Node',
  ...(isInstalled('ssh2') ? unavailable(['ssh-keygen']) : { unavailable: 'not installed: the npm package ssh2' }),
  start: startSshd,
  read: (server, job, onStart) => {
    const { root, keyFile } = server as SftpServer;
    const options = { kind: 'sftp', user: os.userInfo().username, key: keyFile, path: path.join(root, job.path) };
    return runReadsInNode(server, job, options, onStart);
  },
};

function isInstalled(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch {
    return false;
  }
}
