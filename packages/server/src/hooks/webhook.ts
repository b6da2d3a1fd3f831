import { createHmac } from 'node:crypto';
import type { Clock } from '@sluice/core';
import type { Log } from '../log.js';
import type { PendingEvents } from './pending-events.js';
import { type UploadEvent, type UploadEventKind, type UploadHooks, UploadRefused } from './upload-hooks.js';

/** How long one request may take, in milliseconds. */
const REQUEST_TIMEOUT_MS = 10_000;

/** Pause before the second attempt, doubled with each further one up to the longest; in milliseconds. */
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 300_000;

/** An event that nobody has taken after so many attempts, about a day, is given up. */
const MAX_ATTEMPTS = 296;

/** Events that one webhook is told at once. */
const MAX_AT_ONCE = 8;

/** What is read of an answer that refuses an upload, in characters. */
const MAX_MESSAGE_LENGTH = 300;

export interface WebhookOptions {
  readonly url: string;
  /** What requests are signed with. */
  readonly secret: Uint8Array;
  readonly kinds: ReadonlySet<UploadEventKind>;
  /** What is not told yet, over restarts of the server. */
  readonly pending: PendingEvents;
  readonly clock: Clock;
  /** @default Math.random */
  readonly random?: () => number;
  readonly log: Log;
}

/**
 * An address that is told of uploads, by POST with the event as JSON. Requests are signed as the Standard Webhooks specification has it:
 * `webhook-signature` is `v1,` and the base64 of the HMAC-SHA256 over `webhook-id`, `webhook-timestamp` and body, joined by dots.
 *
 * What happened is told at least once: again and again until an answer 2xx comes, also after a restart of the server; 410 ends it. For
 * `before-upload`, which the client waits for, there is one attempt: 2xx allows the upload, 403 refuses it with the text of the answer.
 */
export class Webhook implements UploadHooks {
  readonly beforeUpload?: (event: UploadEvent, signal: AbortSignal) => Promise<void>;
  readonly afterCommit?: (event: UploadEvent) => Promise<void>;
  readonly onFailure?: (event: UploadEvent) => Promise<void>;
  readonly #options: WebhookOptions;
  readonly #queue: { readonly event: UploadEvent; readonly attempt: number }[] = [];
  readonly #cancelTimers = new Set<() => void>();
  #active = 0;
  #isClosed = false;

  constructor(options: WebhookOptions) {
    this.#options = options;
    const { kinds, pending } = options;
    const tell = async (event: UploadEvent): Promise<void> => {
      const givenUp = await pending.add(options.url, event);
      if (givenUp)
        options.log.error('a webhook was given up', { event: givenUp.kind, id: givenUp.id, detail: 'too many wait' });
      this.#enqueue(event, 1);
    };
    if (kinds.has('before-upload')) this.beforeUpload = (event, signal) => this.#ask(event, signal);
    if (kinds.has('after-commit')) this.afterCommit = tell;
    if (kinds.has('upload-failed')) this.onFailure = tell;
    for (const event of pending.of(options.url)) this.#enqueue(event, 1);
  }

  /** Tells nobody any more; what is not told stays pending. */
  close(): void {
    this.#isClosed = true;
    for (const cancel of this.#cancelTimers) cancel();
  }

  async #ask(event: UploadEvent, signal: AbortSignal): Promise<void> {
    const answer = await this.#post(event, signal);
    if (answer.status >= 200 && answer.status < 300) return;
    if (answer.status !== 403) throw new Error(`the webhook answered ${answer.status}`);
    throw new UploadRefused(answer.text || 'this upload is not wanted');
  }

  #enqueue(event: UploadEvent, attempt: number): void {
    this.#queue.push({ event, attempt });
    this.#next();
  }

  #next(): void {
    while (this.#active < MAX_AT_ONCE && !this.#isClosed) {
      const entry = this.#queue.shift();
      if (!entry) return;
      this.#active += 1;
      void this.#deliver(entry.event, entry.attempt).finally(() => {
        this.#active -= 1;
        this.#next();
      });
    }
  }

  async #deliver(event: UploadEvent, attempt: number): Promise<void> {
    const { log, pending, url } = this.#options;
    const failure = await this.#post(event).then(
      ({ status }) => (status >= 200 && status < 300 ? undefined : `status ${status}`),
      (error: unknown) => String(error),
    );
    if (failure === undefined) {
      await pending.remove(url, event.id);
      return;
    }
    if (attempt >= MAX_ATTEMPTS || failure === 'status 410') {
      log.error('a webhook was given up', { event: event.kind, id: event.id, detail: failure });
      await pending.remove(url, event.id);
      return;
    }
    log.warn('a webhook did not take an event', { event: event.kind, attempt, detail: failure });
    this.#later(event, attempt);
  }

  #later(event: UploadEvent, attempt: number): void {
    if (this.#isClosed) return;
    const { clock, random = Math.random } = this.#options;
    const fullMs = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (attempt - 1));
    const cancel = clock.after(Math.round(fullMs * (1 - random() / 2)), () => {
      this.#cancelTimers.delete(cancel);
      this.#enqueue(event, attempt + 1);
    });
    this.#cancelTimers.add(cancel);
  }

  async #post(event: UploadEvent, signal?: AbortSignal): Promise<{ readonly status: number; readonly text: string }> {
    const { url, secret } = this.#options;
    const body = JSON.stringify(event);
    const timestamp = Math.floor(Date.now() / 1000);
    const signature = createHmac('sha256', secret).update(`${event.id}.${timestamp}.${body}`).digest('base64');
    const deadline = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    const response = await fetch(url, {
      method: 'POST',
      redirect: 'error',
      headers: {
        'content-type': 'application/json',
        'webhook-id': event.id,
        'webhook-timestamp': String(timestamp),
        'webhook-signature': `v1,${signature}`,
      },
      body,
      signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
    });
    return { status: response.status, text: await beginningOf(response) };
  }
}

/** The first line of an answer, and not more than is shown of it: an endless one is cut off. */
async function beginningOf(response: Response): Promise<string> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const piece of response.body ?? []) {
    text += decoder.decode(piece, { stream: true });
    if (text.length >= MAX_MESSAGE_LENGTH) break;
  }
  return (
    text
      .slice(0, MAX_MESSAGE_LENGTH)
      .split(/[\r\n]/)[0]
      ?.trim() ?? ''
  );
}
