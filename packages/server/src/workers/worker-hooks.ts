import type { Coordinator } from '../coordination/coordinator.js';
import type { Hub } from '../coordination/hub.js';
import { type UploadEvent, type UploadEventKind, type UploadHooks, UploadRefused } from '../hooks/upload-hooks.js';

interface HookCall {
  /** Which webhook, in the order of the options. */
  readonly index: number;
  readonly event: UploadEvent;
}

/** Why an upload is refused; nothing where it is not. */
interface HookAnswer {
  readonly refusal: string | undefined;
}

/**
 * The webhooks of a worker: the supervisor calls them, because one process keeps what they have not been told yet.
 *
 * @param kinds what each of them is told
 */
export function workerWebhooks(
  coordinator: Coordinator,
  kinds: readonly ReadonlySet<UploadEventKind>[],
): UploadHooks[] {
  return kinds.map((wanted, index) => {
    const tell = (event: UploadEvent): Promise<void> =>
      coordinator.ask('hook.tell', { index, event } satisfies HookCall);
    return {
      ...(wanted.has('before-upload') && {
        async beforeUpload(event: UploadEvent, signal: AbortSignal) {
          const { refusal } = await coordinator.ask<HookAnswer>('hook.before', { index, event }, signal);
          if (refusal !== undefined) throw new UploadRefused(refusal);
        },
      }),
      ...(wanted.has('after-commit') && { afterCommit: tell }),
      ...(wanted.has('upload-failed') && { onFailure: tell }),
    };
  });
}

/** Calls the webhooks for all workers. */
export function serveWebhooks(hub: Hub, hooks: readonly UploadHooks[]): void {
  hub.on('hook.before', async ({ index, event }: HookCall, _worker, signal): Promise<HookAnswer> => {
    try {
      await hooks[index]?.beforeUpload?.(event, signal);
      return { refusal: undefined };
    } catch (error) {
      if (error instanceof UploadRefused) return { refusal: error.message };
      throw error;
    }
  });
  hub.on('hook.tell', async ({ index, event }: HookCall) => {
    const hook = hooks[index];
    await (event.kind === 'after-commit' ? hook?.afterCommit?.(event) : hook?.onFailure?.(event));
  });
}
