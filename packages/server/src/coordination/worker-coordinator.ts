import type { Coordinator, NameLease, NameMember, NameRequest, NameSpace, TopicHandler } from './coordinator.js';
import { MessageLink, UnknownTopicError } from './message-link.js';
import type { LeaseRequest, NamedIn, Passed, PassedToOne } from './process-messages.js';

/** The coordinator of one of several worker processes: the supervisor decides, and passes on what they have to tell each other. */
export class WorkerCoordinator implements Coordinator {
  readonly number: number;
  readonly isAlone = false;
  readonly #link: MessageLink;
  readonly #members = new Map<NameSpace, NameMember>();
  readonly #elsewhere = new Map<NameSpace, Set<string>>();
  readonly #handlers = new Map<string, TopicHandler>();
  /** Names that this process has. */
  readonly #leased = new Set<string>();
  #nextLeaseId = 1;

  /** @param transmit sends one message to the supervisor */
  constructor(number: number, transmit: (message: unknown) => void) {
    this.number = number;
    this.#link = new MessageLink(transmit, (topic, body, signal) => {
      const handler = this.#handlers.get(topic);
      if (!handler) throw new UnknownTopicError(topic);
      return handler(body, 0, signal);
    });
    this.on('names.asked', ({ space, name, request }: NamedIn & { request: NameRequest }) => {
      return this.#asked(space, name, request);
    });
    this.on('names.freed', ({ space, name }: NamedIn) => void this.#elsewhere.get(space)?.delete(name));
    this.on('names.taken', (taken: readonly NamedIn[]) => {
      for (const { space, name } of taken) this.#namesElsewhere(space).add(name);
    });
    this.on('names.settle', ({ space, name }: NamedIn) => this.#members.get(space)?.settled?.(name));
  }

  /** @param message that the supervisor has sent */
  receive(message: unknown): void {
    this.#link.receive(message);
  }

  /** Sends now what would go at the end of the tick. */
  flush(): void {
    this.#link.flush();
  }

  join(space: NameSpace, member: NameMember): void {
    this.#members.set(space, member);
  }

  acquire(space: NameSpace, name: string, request: NameRequest, signal?: AbortSignal): Promise<NameLease | undefined> {
    return this.#lease(space, name, request, signal);
  }

  isElsewhere(space: NameSpace, name: string): boolean {
    return this.#elsewhere.get(space)?.has(name) ?? false;
  }

  settled(space: NameSpace, name: string): Promise<void> {
    return this.ask('names.settled', { space, name });
  }

  freed(space: NameSpace, name: string, signal: AbortSignal): Promise<void> {
    return this.ask('names.freed', { space, name }, signal);
  }

  async lock(name: string): Promise<NameLease> {
    return (await this.#lease('locks', name, undefined)) ?? { release() {} };
  }

  on(topic: string, handler: TopicHandler): void {
    this.#handlers.set(topic, handler);
  }

  ask<T>(topic: string, body: unknown, signal?: AbortSignal): Promise<T> {
    return this.#link.ask(topic, body, signal);
  }

  askOne<T>(process: number, topic: string, body: unknown, signal?: AbortSignal): Promise<T> {
    return this.ask('others.ask', { to: process, topic, body } satisfies PassedToOne, signal);
  }

  report(topic: string, body: unknown): void {
    this.#link.tell(topic, body);
  }

  gather<T>(topic: string, body: unknown): Promise<T[]> {
    return this.ask('others.gather', { topic, body } satisfies Passed);
  }

  tell(topic: string, body: unknown): void {
    this.#link.tell('others.tell', { topic, body } satisfies Passed);
  }

  async #lease(
    space: NameSpace | 'locks',
    name: string,
    request: NameRequest | undefined,
    signal?: AbortSignal,
  ): Promise<NameLease | undefined> {
    if (signal?.aborted) return undefined;
    const leaseId = this.#nextLeaseId++;
    const key = `${space}:${name}`;
    let isReleased = false;
    const release = (): void => {
      if (isReleased) return;
      isReleased = true;
      this.#leased.delete(key);
      this.report('names.release', { leaseId });
    };
    signal?.addEventListener('abort', release, { once: true });
    try {
      const wanted: LeaseRequest = { leaseId, space, name, request };
      const isGranted = await this.#link.ask<boolean>('names.acquire', wanted, undefined, (isOurs) => {
        if (isOurs && !isReleased) this.#leased.add(key);
      });
      return isGranted && !isReleased ? { release } : undefined;
    } finally {
      signal?.removeEventListener('abort', release);
    }
  }

  /** From the question on, the name counts as the other's: what comes later here has to wait for it. */
  async #asked(space: NameSpace, name: string, request: NameRequest): Promise<boolean> {
    const elsewhere = this.#namesElsewhere(space);
    const wasElsewhere = elsewhere.has(name);
    elsewhere.add(name);
    const isLeased = this.#leased.has(`${space}:${name}`);
    const lets = (await this.#members.get(space)?.asked(name, request, isLeased)) ?? true;
    if (!lets && !wasElsewhere) elsewhere.delete(name);
    return lets;
  }

  #namesElsewhere(space: NameSpace): Set<string> {
    let names = this.#elsewhere.get(space);
    if (!names) {
      names = new Set();
      this.#elsewhere.set(space, names);
    }
    return names;
  }
}
