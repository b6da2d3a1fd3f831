import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { RunningServer } from '../contenders/contender.js';
import type { Place } from '../place.js';
import { findProgram, Program } from '../program.js';
import { freePort } from './free-port.js';
import { READY_DEADLINE_MS, runningServer } from './server-program.js';

export const sshd = findProgram('sshd');
export const sshKeygen = findProgram('ssh-keygen');
export const sftpServer = ['/usr/lib/openssh', '/usr/libexec/openssh', '/usr/lib/ssh', '/usr/libexec']
  .map((folder) => path.join(folder, 'sftp-server'))
  .find((file) => existsSync(file));
/** Where sshd, run as root, confines the part that talks to a peer before login. */
const PRIVILEGE_SEPARATION = '/run/sshd';

export const sshUser = os.userInfo().username;

/** What every client of it needs: no questions, no files of the user's. */
export function sshOptions(place: Place): readonly string[] {
  const options = {
    IdentityFile: keyFile(place, 'user-key'),
    IdentitiesOnly: 'yes',
    UserKnownHostsFile: '/dev/null',
    StrictHostKeyChecking: 'no',
    LogLevel: 'ERROR',
  };
  return ['-F', '/dev/null', ...Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`])];
}

/** OpenSSH as installed, with keys made for the trial. */
export async function startSshd(place: Place): Promise<RunningServer> {
  for (const name of ['host-key', 'user-key']) {
    if (existsSync(keyFile(place, name))) continue;
    execFileSync(sshKeygen!, ['-q', '-t', 'ed25519', '-N', '', '-C', 'sluice-crash-demo', '-f', keyFile(place, name)]);
  }
  makePrivilegeSeparation();
  const port = await freePort();
  const config = path.join(place.other, 'sshd-config');
  writeFileSync(
    config,
    `Port ${port}
ListenAddress 127.0.0.1
HostKey ${keyFile(place, 'host-key')}
AuthorizedKeysFile ${keyFile(place, 'user-key')}.pub
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
UsePAM no
StrictModes no
PidFile none
Subsystem sftp ${sftpServer}
`,
  );
  const program = new Program(sshd!, ['-D', '-e', '-f', config]);
  await program.says(/Server listening on/, READY_DEADLINE_MS);
  return runningServer(program, port);
}

function keyFile(place: Place, name: string): string {
  return path.join(place.other, name);
}

/** Only root needs it. It is removed again on the way out if it was not there. */
function makePrivilegeSeparation(): void {
  if (process.getuid?.() !== 0 || existsSync(PRIVILEGE_SEPARATION)) return;
  mkdirSync(PRIVILEGE_SEPARATION, { mode: 0o755 });
  process.once('exit', () => rmdirSync(PRIVILEGE_SEPARATION));
}
