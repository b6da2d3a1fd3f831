import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Place } from '../place.js';
import { findProgram, Program, versionOf } from '../program.js';
import { freePort, untilListening } from '../servers/free-port.js';
import { READY_DEADLINE_MS, runningServer } from '../servers/server-program.js';
import { type Contender, missingOf } from './contender.js';

const rsync = findProgram('rsync');
const version = versionOf(rsync, ['--version'], /version (\S+)/);

export const rsyncPartial = rsyncWith('--partial');
export const rsyncAppend = rsyncWith('--append');
export const rsyncAppendVerify = rsyncWith('--append-verify');

function rsyncWith(option: string): Contender {
  return {
    name: `rsync ${option}`,
    direction: 'upload',
    description: `rsync --daemon; rsync -a ${option}, the same command again to resume`,
    version: version && `rsync ${version}`,
    missing: missingOf({ rsync }),
    startServer: startDaemon,
    client: ({ port, localFile }) => ({
      command: rsync!,
      args: ['-a', option, localFile, `rsync://127.0.0.1:${port}/files/`],
    }),
  };
}

async function startDaemon(place: Place) {
  const port = await freePort();
  const file = path.join(place.other, 'rsyncd.conf');
  const owner = process.getuid?.() === 0 ? 'uid = 0\ngid = 0\n' : '';
  writeFileSync(
    file,
    `address = 127.0.0.1
port = ${port}
use chroot = no
${owner}log file = ${place.other}/rsyncd.log
[files]
path = ${place.root}
read only = no
`,
  );
  const program = new Program(rsync!, ['--daemon', '--no-detach', `--config=${file}`]);
  await untilListening(port, program, READY_DEADLINE_MS);
  return runningServer(program, port);
}
