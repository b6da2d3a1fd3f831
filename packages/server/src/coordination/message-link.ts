import { RequestError } from '@sluice/wire';
import { StorageError, type StorageErrorCode } from '../storage/storage-error.js';

/** The other process is gone. */
export class LinkClosedError extends Error {
  override readonly name = 'LinkClosedError';
}

/** This process has nobody for a topic. */
export class UnknownTopicError extends Error {
  override readonly name = 'UnknownTopicError';

  constructor(topic: string) {
    super(`nobody answers ${topic}`);
  }
}

type Message =
  | { readonly kind: 'news'; readonly topic: string; readonly body: unknown }
  | { readonly kind: 'question'; readonly id: number; readonly topic: string; readonly body: unknown }
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'failure'; readonly id: number; readonly error: SentError }
  | { readonly kind: 'called-off'; readonly id: number };

interface SentError {
  readonly type: string;
  readonly code: string | number;
  readonly message: string;
}

type Handler = (topic: string, body: never, signal: AbortSignal) => unknown;

interface Question {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/**
 * Questions and news between two processes, over a channel that keeps the order of what is sent and takes what structured clones can hold. What
 * is sent in one tick goes as one message: a message costs more than what is in it.
 */
export class MessageLink {
  readonly #transmit: (messages: readonly Message[]) => void;
  readonly #handle: Handler;
  readonly #questions = new Map<number, Question>();
  /** Questions of the other side that are being answered. */
  readonly #answering = new Map<number, AbortController>();
  #outgoing: Message[] = [];
  #nextId = 1;
  #isClosed = false;

  /** @param transmit sends one message; it may be lost only when the channel ends, and then `close` is to be called */
  constructor(transmit: (message: unknown) => void, handle: Handler) {
    this.#transmit = transmit;
    this.#handle = handle;
  }

  tell(topic: string, body: unknown): void {
    this.#send({ kind: 'news', topic, body });
  }

  /**
   * @param onAnswer called in the tick in which the answer comes, before whatever came behind it: what the promise tells comes later
   * @throws what the other side's handler throws; {@link LinkClosedError}; the signal's reason
   */
  ask<T>(topic: string, body: unknown, signal?: AbortSignal, onAnswer?: (value: T) => void): Promise<T> {
    if (this.#isClosed) return Promise.reject(new LinkClosedError('the other process is gone'));
    if (signal?.aborted) return Promise.reject(signal.reason);
    const id = this.#nextId++;
    return new Promise<T>((resolve, reject) => {
      const onAbort = (): void => {
        this.#questions.delete(id);
        this.#send({ kind: 'called-off', id });
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      const done = (): void => signal?.removeEventListener('abort', onAbort);
      this.#questions.set(id, {
        resolve: (value) => {
          done();
          onAnswer?.(value as T);
          resolve(value as T);
        },
        reject: (error) => {
          done();
          reject(error);
        },
      });
      this.#send({ kind: 'question', id, topic, body });
    });
  }

  /** @param messages what `transmit` of the other side was given */
  receive(messages: unknown): void {
    for (const message of messages as readonly Message[]) this.#receiveOne(message);
  }

  /** Nobody answers any more. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const error = new LinkClosedError('the other process is gone');
    for (const { reject } of this.#questions.values()) reject(error);
    this.#questions.clear();
    for (const controller of this.#answering.values()) controller.abort(error);
    this.#answering.clear();
  }

  #receiveOne(message: Message): void {
    switch (message.kind) {
      case 'news':
        void this.#hear(message.topic, message.body);
        break;
      case 'question':
        void this.#answer(message.id, message.topic, message.body);
        break;
      case 'answer':
        this.#take(message.id)?.resolve(message.value);
        break;
      case 'failure':
        this.#take(message.id)?.reject(receivedError(message.error));
        break;
      case 'called-off':
        this.#answering.get(message.id)?.abort();
    }
  }

  /** Whom it does not concern yet, or not any more, does not hear it. */
  async #hear(topic: string, body: unknown): Promise<void> {
    try {
      await this.#handle(topic, body as never, NEVER);
    } catch (error) {
      if (!(error instanceof UnknownTopicError)) throw error;
    }
  }

  async #answer(id: number, topic: string, body: unknown): Promise<void> {
    const controller = new AbortController();
    this.#answering.set(id, controller);
    try {
      const answer = this.#handle(topic, body as never, controller.signal);
      const value = answer instanceof Promise ? await answer : answer;
      this.#send({ kind: 'answer', id, value });
    } catch (error) {
      this.#send({ kind: 'failure', id, error: sentError(error) });
    } finally {
      this.#answering.delete(id);
    }
  }

  #take(id: number): Question | undefined {
    const question = this.#questions.get(id);
    this.#questions.delete(id);
    return question;
  }

  #send(message: Message): void {
    if (this.#isClosed) return;
    this.#outgoing.push(message);
    if (this.#outgoing.length === 1) queueMicrotask(() => this.flush());
  }

  /** Sends now what would go at the end of the tick. */
  flush(): void {
    if (this.#outgoing.length === 0) return;
    const messages = this.#outgoing;
    this.#outgoing = [];
    this.#transmit(messages);
  }
}

const NEVER = new AbortController().signal;

function sentError(error: unknown): SentError {
  if (error instanceof StorageError) return { type: 'storage', code: error.code, message: error.message };
  if (error instanceof RequestError) return { type: 'request', code: error.resultCode, message: error.message };
  const { name, message } = error instanceof Error ? error : { name: '', message: String(error) };
  return { type: 'other', code: name, message };
}

function receivedError({ type, code, message }: SentError): Error {
  if (type === 'storage') return new StorageError(code as StorageErrorCode, message);
  if (type === 'request') return new RequestError(code as ConstructorParameters<typeof RequestError>[0], message);
  return Object.assign(new Error(message), { name: String(code) });
}
