import type { Hub } from '../coordination/hub.js';
import type { ServerLog } from '../logging/server-log.js';
import type { SentLine } from './worker-log.js';

/** Writes the lines of all workers, with their numbers, and tells the workers what is written. */
export function serveLog(hub: Hub, log: ServerLog): () => void {
  const followers = new Map<number, () => void>();
  hub.on('log.line', ({ level, event, fields }: SentLine, worker) => log[level](event, { ...fields, worker }));
  hub.on('log.follow', (follows: boolean, worker) => {
    followers.get(worker)?.();
    followers.delete(worker);
    if (follows)
      followers.set(
        worker,
        log.subscribe((record) => hub.tellOne(worker, 'log.record', record)),
      );
  });
  hub.onGone((worker) => {
    followers.get(worker)?.();
    followers.delete(worker);
  });
  const { journal } = log;
  return journal?.subscribe(() => hub.tell('log.written', journal.state)) ?? (() => {});
}
