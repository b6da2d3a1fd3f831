import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { RunningServer } from '../contenders/contender.js';
import type { Place } from '../place.js';
import { findProgram, Program, versionOf } from '../program.js';
import { freePort, untilListening } from './free-port.js';
import { READY_DEADLINE_MS, runningServer } from './server-program.js';

export const nginx = findProgram('nginx');
export const nginxVersion = versionOf(nginx, ['-V'], /nginx\/(\S+)/);
export const nginxHasDav = versionOf(nginx, ['-V'], /(http_dav_module)/);

/** nginx with PUT into the root. What it receives lies beside it until it is complete, as its documentation recommends: on one file system. */
export async function startNginx(place: Place): Promise<RunningServer> {
  const port = await freePort();
  const file = path.join(place.other, 'nginx.conf');
  writeFileSync(
    file,
    `${process.getuid?.() === 0 ? 'user root;' : ''}
daemon off;
worker_processes 1;
pid ${place.other}/nginx.pid;
error_log ${place.other}/nginx.log;
events {}
http {
  access_log off;
  client_body_temp_path ${place.root}/.received;
  proxy_temp_path ${place.other}/proxy;
  fastcgi_temp_path ${place.other}/fastcgi;
  uwsgi_temp_path ${place.other}/uwsgi;
  scgi_temp_path ${place.other}/scgi;
  server {
    listen 127.0.0.1:${port};
    root ${place.root};
    client_max_body_size 0;
    ${nginxHasDav === undefined ? '' : 'dav_methods PUT DELETE;'}
  }
}
`,
  );
  const program = new Program(nginx!, ['-e', `${place.other}/nginx.log`, '-c', file]);
  await untilListening(port, program, READY_DEADLINE_MS);
  return runningServer(program, port);
}
