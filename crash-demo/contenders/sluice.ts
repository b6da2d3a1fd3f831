import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Place } from '../place.js';
import { Program } from '../program.js';
import { repositoryRoot } from '../repository.js';
import { READY_DEADLINE_MS, runningServer } from '../servers/server-program.js';
import { type Attempt, CONTENT_NAME, type Contender } from './contender.js';

const command = path.join(repositoryRoot, 'node_modules', '.bin', 'sluice');
const { version } = JSON.parse(readFileSync(path.join(repositoryRoot, 'packages/cli/package.json'), 'utf8')) as {
  version: string;
};
const about = { version, missing: undefined, startServer } as const;

export const sluicePut: Contender = {
  ...about,
  name: 'sluice put',
  direction: 'upload',
  description: 'sluice serve; sluice put, the same command again to resume',
  client: (attempt) => ({ command, args: ['put', ...retries(attempt), attempt.localFile, urlOf(attempt)] }),
};

export const sluiceGet: Contender = {
  ...about,
  name: 'sluice get',
  direction: 'download',
  description: 'sluice serve; sluice get, the same command again to resume',
  client: (attempt) => ({ command, args: ['get', ...retries(attempt), urlOf(attempt), attempt.localFile] }),
};

async function startServer({ root }: Place) {
  const args = ['serve', '--listen', '127.0.0.1:0', '--http', 'off', '--root', root, '--user', 'demo:demo'];
  const environment = Object.entries(process.env).filter(([name]) => !name.startsWith('SLUICE_'));
  const program = new Program(command, args, { env: Object.fromEntries(environment) });
  const [, port] = await program.says(/^listening on 127\.0\.0\.1:(\d+)$/m, READY_DEADLINE_MS);
  return runningServer(program, Number(port));
}

function retries({ isToBreak }: Attempt): readonly string[] {
  return isToBreak ? ['--retries', '0'] : [];
}

function urlOf({ port }: Attempt): string {
  return `sluice://demo:demo@127.0.0.1:${port}/${CONTENT_NAME}`;
}
