import { randomUUID } from 'node:crypto';
import { RequestError, ResultCode } from '@sluice/wire';
import type { Session } from '../protocol.js';
import {
  type HookedFile,
  type UploadEvent,
  type UploadEventKind,
  type UploadHooks,
  UploadRefused,
} from './upload-hooks.js';

/** Whose upload it is. */
type Uploader = Pick<Session, 'id' | 'remoteAddress' | 'principal' | 'log' | 'gone'>;

/** Tells all hooks of a server what becomes of uploads. */
export class UploadHookRunner {
  readonly #hooks: readonly UploadHooks[];

  constructor(hooks: readonly UploadHooks[]) {
    this.#hooks = hooks;
  }

  /** Whether there is nobody to be told. */
  get isNobody(): boolean {
    return this.#hooks.length === 0;
  }

  /** @returns nothing when nobody has to be asked. @throws {RequestError} code 13 when a hook refuses the upload, code 4 when one fails */
  before(uploader: Uploader, files: readonly HookedFile[]): void | Promise<void> {
    if (this.#hooks.some((hooks) => hooks.beforeUpload)) return this.#ask(uploader, files);
  }

  /** Files have their names. */
  committed(uploader: Uploader, files: readonly HookedFile[], durability: 'durable' | 'memory'): void {
    this.#tell(uploader, 'after-commit', { files, durability }, (hooks, event) => hooks.afterCommit?.(event));
  }

  /** An upload has ended without. */
  failed(uploader: Uploader, files: readonly HookedFile[], reason: string): void {
    this.#tell(uploader, 'upload-failed', { files, reason }, (hooks, event) => hooks.onFailure?.(event));
  }

  async #ask(uploader: Uploader, files: readonly HookedFile[]): Promise<void> {
    const event = eventOf(uploader, 'before-upload', { files });
    for (const hooks of this.#hooks) {
      try {
        await hooks.beforeUpload?.(event, uploader.gone);
      } catch (error) {
        if (error instanceof UploadRefused) {
          throw new RequestError(ResultCode.NotPermitted, error.message, { cause: error });
        }
        uploader.log.error('a hook failed', { event: event.kind, detail: String(error) });
        throw new RequestError(ResultCode.UnknownError, 'the server could not ask whether this may be uploaded');
      }
    }
  }

  #tell(
    uploader: Uploader,
    kind: UploadEventKind,
    what: Pick<UploadEvent, 'files' | 'durability' | 'reason'>,
    call: (hooks: UploadHooks, event: UploadEvent) => void | Promise<void>,
  ): void {
    if (this.isNobody || what.files.length === 0) return;
    const event = eventOf(uploader, kind, what);
    for (const hooks of this.#hooks) {
      void (async () => {
        try {
          await call(hooks, event);
        } catch (error) {
          uploader.log.error('a hook failed', { event: kind, detail: String(error) });
        }
      })();
    }
  }
}

function eventOf(
  { id, remoteAddress, principal }: Uploader,
  kind: UploadEventKind,
  what: Pick<UploadEvent, 'files' | 'durability' | 'reason'>,
): UploadEvent {
  return {
    id: randomUUID(),
    kind,
    time: new Date().toISOString(),
    connection: id,
    user: principal.userName ?? '',
    remoteAddress,
    ...what,
  };
}
