import { ownUsersFile, UserStore, Worker } from '@sluice/server';
import { serverOptionsOf, type WorkerSettings } from './running-server.js';

/** A worker process of `sluice serve`: what it serves, and how, its supervisor tells. */
process.title = 'sluice serve: worker';
const worker = await Worker.begin();
process.title = `sluice serve: worker ${worker.start.number}`;
try {
  const { workers, ticketKeys, ...invocation } = worker.start.settings as WorkerSettings;
  const { options } = invocation;
  const { webhooks, memory, ...shared } = await serverOptionsOf(await import('@sluice/server'), invocation, ticketKeys);
  const { users: given } = worker.start;
  await worker.serve({
    ...shared,
    users: given ? UserStore.fromContent(given) : await UserStore.load(options.users ?? ownUsersFile(options.root)),
    // Of the one number for all; what then is too much waits for its turn in the worker.
    memory: { limitBytes: Math.floor(memory.limitBytes / workers), lowersConnections: true },
  });
} catch (error) {
  await worker.fail(error);
}
