// The thread of a Bystander.
import { setTimeout as pause } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { connect } from '@sluice/client';
import type { Visit } from './bystander.js';

const PAUSE_MS = 20;
const LONGEST_MS = 20_000;

const { port, directory } = workerData as { readonly port: number; readonly directory: string };
let isStopped = false;
parentPort?.once('message', () => {
  isStopped = true;
});

while (!isStopped) {
  const startedMs = performance.now();
  let failure: string | undefined;
  try {
    await visit();
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error);
  }
  const told: Visit = { ms: performance.now() - startedMs, failure };
  parentPort?.postMessage(told);
  await pause(PAUSE_MS);
}

async function visit(): Promise<void> {
  const endpoint = { host: '127.0.0.1', port, userName: 'admin', password: 'admin' };
  // Not by SCRAM, which costs this side a sixth of a second of CPU: the server is what is looked at.
  const client = await connect(endpoint, { retries: 0, responseTimeoutMs: LONGEST_MS, login: 'digest' });
  try {
    await client.list(directory);
  } finally {
    await client.close();
  }
}
