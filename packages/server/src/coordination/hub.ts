import type { NameRequest, NameSpace, TopicHandler } from './coordinator.js';
import { LinkClosedError, MessageLink, UnknownTopicError } from './message-link.js';
import { NameTable } from './name-table.js';
import type { LeaseRequest, NamedIn, Passed, PassedToOne } from './process-messages.js';

/** What worker processes agree on, where it is decided: in the supervisor. One link to each, by the number of the worker. */
export class Hub {
  readonly #links = new Map<number, MessageLink>();
  /** Those that take part in what all are asked and told. */
  readonly #members = new Map<number, MessageLink>();
  readonly #handlers = new Map<string, TopicHandler>();
  readonly #names: NameTable;
  readonly #onGone: ((worker: number) => void)[] = [];

  constructor() {
    this.#names = new NameTable({
      askOthers: async (process, space, name, request) => {
        const asked = [...this.#members].filter(([worker]) => worker !== process);
        const answers = await Promise.all(asked.map(([, link]) => letsGo(link, { space, name, request })));
        return answers.every((lets) => lets);
      },
      tellFreed: (process, space, name) => this.tell('names.freed', { space, name }, process),
      settle: (process, space, name) => this.#settle(process, space, name),
    });
    this.on('names.acquire', ({ leaseId, space, name, request }: LeaseRequest, from) =>
      this.#names.acquire(from, leaseId, space, name, request),
    );
    this.on('names.release', ({ leaseId }: { leaseId: number }, from) => this.#names.release(from, leaseId));
    this.on('names.settled', ({ space, name }: NamedIn) => this.#names.settled(space, name));
    this.on('names.freed', ({ space, name }: NamedIn, _from, signal) => this.#names.freed(space, name, signal));
    this.on('others.ask', ({ to, topic, body }: PassedToOne, _sender, signal) => this.ask(to, topic, body, signal));
    this.on('others.gather', ({ topic, body }: Passed, from) => this.gather(topic, body, from));
    this.on('others.tell', ({ topic, body }: Passed, from) => this.tell(topic, body, from));
  }

  /** Numbers of the workers. */
  get workers(): readonly number[] {
    return [...this.#links.keys()];
  }

  /** Names that workers have, or wait for. */
  get names(): number {
    return this.#names.size;
  }

  on(topic: string, handler: TopicHandler): void {
    this.#handlers.set(topic, handler);
  }

  /** Calls back when a worker has ended. */
  onGone(callback: (worker: number) => void): void {
    this.#onGone.push(callback);
  }

  /**
   * A worker has begun: it may ask, and is asked nothing before it is ready.
   *
   * @param transmit sends it one message
   * @returns takes its messages
   */
  add(worker: number, transmit: (message: unknown) => void): (message: unknown) => void {
    const link = new MessageLink(transmit, (topic, body, signal) => {
      const handler = this.#handlers.get(topic);
      if (!handler) throw new UnknownTopicError(topic);
      return handler(body, worker, signal);
    });
    this.#links.set(worker, link);
    return (message) => link.receive(message);
  }

  /** A worker is ready: from now on it is asked and told what all are. It must get no connection before it has got what this sends. */
  admit(worker: number): void {
    const link = this.#links.get(worker);
    if (!link) return;
    this.#members.set(worker, link);
    link.tell('names.taken', this.#names.taken());
    link.tell('process.gone', worker); // what it has missed it finds as if somebody had ended
  }

  /** A worker has ended: nothing is its any more, and it agrees to everything. */
  remove(worker: number): void {
    const link = this.#links.get(worker);
    this.#links.delete(worker);
    this.#members.delete(worker);
    link?.close();
    this.#names.forget(worker);
    for (const callback of this.#onGone) callback(worker);
    this.tell('process.gone', worker);
  }

  /** @throws what the worker's handler throws; `LinkClosedError` when it is gone */
  async ask<T>(worker: number, topic: string, body: unknown, signal?: AbortSignal): Promise<T> {
    const link = this.#links.get(worker);
    if (!link) throw new Error(`there is no worker ${worker}`);
    return await link.ask<T>(topic, body, signal);
  }

  /** Asks all workers but one. Those that fail or are gone are left out. */
  async gather<T>(topic: string, body: unknown, except?: number): Promise<T[]> {
    const answers = await this.gatherBy<T>(topic, body, except);
    return [...answers.values()];
  }

  /** As `gather`, by the number of the worker. */
  async gatherBy<T>(topic: string, body: unknown, except?: number): Promise<Map<number, T>> {
    const asked = [...this.#members].filter(([worker]) => worker !== except);
    const answers = await Promise.allSettled(asked.map(([, link]) => link.ask<T>(topic, body)));
    return new Map(
      answers.flatMap((answer, i): [number, T][] =>
        answer.status === 'fulfilled' ? [[asked[i]![0], answer.value]] : [],
      ),
    );
  }

  /** Tells one worker, ready or not. */
  tellOne(worker: number, topic: string, body: unknown): void {
    this.#links.get(worker)?.tell(topic, body);
  }

  /** Tells all workers but one. */
  tell(topic: string, body: unknown, except?: number): void {
    for (const [worker, link] of this.#members) if (worker !== except) link.tell(topic, body);
  }

  async #settle(worker: number, space: NameSpace, name: string): Promise<void> {
    // One that is gone has ended with everything.
    await this.#links
      .get(worker)
      ?.ask('names.settle', { space, name })
      .catch(() => {});
  }
}

/** A worker that is gone lets go of everything, one that fails of nothing. */
async function letsGo(link: MessageLink, wanted: NamedIn & { readonly request: NameRequest }): Promise<boolean> {
  try {
    return await link.ask<boolean>('names.asked', wanted);
  } catch (error) {
    return error instanceof LinkClosedError;
  }
}
