import path from 'node:path';
import { findProgram, versionOf } from '../program.js';
import { nginx, nginxHasDav, nginxVersion, startNginx } from '../servers/nginx.js';
import { type Attempt, CONTENT_NAME, type Contender, missingOf } from './contender.js';

const curl = findProgram('curl');
const aria2c = findProgram('aria2c');
const curlVersion = versionOf(curl, ['--version'], /^curl (\S+)/);
const aria2Version = versionOf(aria2c, ['--version'], /aria2 version (\S+)/);

export const nginxDav: Contender = {
  name: 'curl -T',
  direction: 'upload',
  description: 'nginx with dav_methods PUT; curl -T, the same command again: HTTP has no resume for PUT',
  version: `nginx ${nginxVersion}, curl ${curlVersion}`,
  missing: missingOf({ nginx, "nginx's http_dav_module": nginxHasDav, curl }),
  startServer: startNginx,
  client: (attempt) => ({ command: curl!, args: ['-fsS', '-T', attempt.localFile, urlOf(attempt)] }),
};

export const curlContinue: Contender = {
  name: 'curl -C -',
  direction: 'download',
  description: 'nginx; curl -C - -o, the same command again to resume',
  version: `nginx ${nginxVersion}, curl ${curlVersion}`,
  missing: missingOf({ nginx, curl }),
  startServer: startNginx,
  client: (attempt) => ({ command: curl!, args: ['-fsS', '-C', '-', '-o', attempt.localFile, urlOf(attempt)] }),
};

export const aria2: Contender = {
  name: 'aria2c -c',
  direction: 'download',
  description: 'nginx; aria2c -c with its control file, the same command again to resume',
  version: `nginx ${nginxVersion}, aria2 ${aria2Version}`,
  missing: missingOf({ nginx, aria2c }),
  startServer: startNginx,
  client: (attempt) => ({
    command: aria2c!,
    args: [
      '--no-conf',
      '-c',
      '-q',
      ...(attempt.isToBreak ? ['-m', '1'] : []),
      '-d',
      path.dirname(attempt.localFile),
      '-o',
      path.basename(attempt.localFile),
      urlOf(attempt),
    ],
  }),
};

export function urlOf({ port }: Attempt): string {
  return `http://127.0.0.1:${port}/${CONTENT_NAME}`;
}
