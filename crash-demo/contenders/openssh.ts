import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { findProgram, versionOf } from '../program.js';
import { sftpServer, sshd, sshKeygen, sshOptions, sshUser, startSshd } from '../servers/sshd.js';
import { type Attempt, type ClientCommand, CONTENT_NAME, type Contender, missingOf } from './contender.js';

const sftp = findProgram('sftp');
const about = {
  version: versionOf(findProgram('ssh'), ['-V'], /(OpenSSH_[^\s,]+)/),
  missing: missingOf({ sshd, 'sftp-server': sftpServer, 'ssh-keygen': sshKeygen, sftp }),
  startServer: startSshd,
} as const;

export const sftpPut: Contender = {
  ...about,
  name: 'sftp put',
  direction: 'upload',
  description: 'OpenSSH sshd; sftp: put, and put -a (reput) to resume',
  client: (attempt) =>
    runBatch(attempt, (remote) => `put ${attempt.isResume ? '-a ' : ''}${attempt.localFile} ${remote}`),
};

export const sftpGet: Contender = {
  ...about,
  name: 'sftp get',
  direction: 'download',
  description: 'OpenSSH sshd; sftp: get, and get -a (reget) to resume',
  client: (attempt) =>
    runBatch(attempt, (remote) => `get ${attempt.isResume ? '-a ' : ''}${remote} ${attempt.localFile}`),
};

function runBatch({ place, port, localFile }: Attempt, line: (remote: string) => string): ClientCommand {
  const batch = path.join(path.dirname(localFile), 'batch');
  writeFileSync(batch, `${line(path.join(place.root, CONTENT_NAME))}\n`);
  return {
    command: sftp!,
    args: ['-q', ...sshOptions(place), '-b', batch, '-P', String(port), `${sshUser}@127.0.0.1`],
  };
}
