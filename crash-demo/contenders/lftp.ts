import path from 'node:path';
import { findProgram, versionOf } from '../program.js';
import { nginx, nginxVersion, startNginx } from '../servers/nginx.js';
import { sftpServer, sshd, sshKeygen, sshOptions, sshUser, startSshd } from '../servers/sshd.js';
import { type Attempt, type ClientCommand, CONTENT_NAME, type Contender, missingOf } from './contender.js';
import { urlOf } from './http.js';

const lftp = findProgram('lftp');
const version = versionOf(lftp, ['--version'], /Version (\S+)/);

export const lftpPut: Contender = {
  name: 'lftp put -c',
  direction: 'upload',
  description: 'OpenSSH sshd; lftp, sftp://: put -c, the same command again to resume',
  version: `lftp ${version}`,
  missing: missingOf({ lftp, sshd, 'sftp-server': sftpServer, 'ssh-keygen': sshKeygen }),
  startServer: startSshd,
  client: (attempt) =>
    script(attempt, [
      `set sftp:connect-program "ssh -a -x ${sshOptions(attempt.place).join(' ')}"`,
      `open -u ${sshUser}, sftp://127.0.0.1:${attempt.port}`,
      `put -c ${attempt.localFile} -o ${path.join(attempt.place.root, CONTENT_NAME)}`,
    ]),
};

export const lftpGet: Contender = {
  name: 'lftp get -c',
  direction: 'download',
  description: 'nginx; lftp, http://: get -c, the same command again to resume',
  version: `lftp ${version}, nginx ${nginxVersion}`,
  missing: missingOf({ lftp, nginx }),
  startServer: startNginx,
  client: (attempt) => script(attempt, [`get -c ${urlOf(attempt)} -o ${attempt.localFile}`]),
};

function script({ isToBreak, place }: Attempt, lines: readonly string[]): ClientCommand {
  // By itself it would try a thousand times, and wait 30 s in between.
  const settings = [
    'set cmd:fail-exit yes',
    `set net:max-retries ${isToBreak ? 1 : 3}`,
    'set net:reconnect-interval-base 1',
    'set xfer:disk-full-fatal yes',
  ];
  const home = { LFTP_HOME: place.other, HOME: place.other };
  return { command: lftp!, args: ['--norc', '-c', [...settings, ...lines].join('; ')], env: home };
}
