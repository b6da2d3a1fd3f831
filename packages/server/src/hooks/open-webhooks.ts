import type { Clock } from '@sluice/core';
import type { Log } from '../log.js';
import type { DirectoryTree } from '../storage/directory-tree.js';
import { PendingEvents } from './pending-events.js';
import type { UploadEventKind } from './upload-hooks.js';
import { Webhook } from './webhook.js';

/** An address that is told of uploads. @see Webhook */
export interface WebhookTarget {
  readonly url: string;
  /** What requests are signed with. */
  readonly secret: Uint8Array;
  readonly kinds: ReadonlySet<UploadEventKind>;
}

/** What is not told yet is kept below the root, so that a restart forgets none. */
export async function openWebhooks(
  tree: DirectoryTree,
  targets: readonly WebhookTarget[],
  clock: Clock,
  log: Log,
): Promise<{ readonly hooks: readonly Webhook[]; close(): Promise<void> }> {
  if (targets.length === 0) return { hooks: [], close: async () => {} };
  await using directory = await tree.openOwn('hooks', true);
  const pending = await PendingEvents.open(directory);
  const hooks = targets.map((target) => new Webhook({ ...target, pending, clock, log }));
  return {
    hooks,
    close: async () => {
      for (const hook of hooks) hook.close();
      await pending.close();
    },
  };
}
