/** A value now, or later when other processes have to be asked. */
export type Answer<T> = T | Promise<T>;

/** A kind of names; the same name in another space is another one. `files`: by `HeldDirectory.entryKey`. `staging`: by the key of the target. */
export type NameSpace = 'files' | 'staging';

/** Why a process wants a name: its own part understands it, in all processes alike. Plain data. */
export type NameRequest = Readonly<Record<string, string | boolean | undefined>>;

/** A name that this process alone has, until `release()`, which may be called twice. */
export interface NameLease {
  release(): void;
}

/** The part of a process that knows what it does with the names of a space. */
export interface NameMember {
  /**
   * Another process wants a name. Where it answers with yes, this process has let go of it, and begins nothing with it before the other one has
   * released it. Must not wait for what can take long.
   *
   * @param isLeased whether this process has the name; a lease that it is still waiting for does not count, that comes later in the order
   */
  asked(name: string, request: NameRequest, isLeased: boolean): Answer<boolean>;
  /** Waits for what ends soon by itself: somebody wants to know whether the name is still needed here. */
  settled?(name: string): Promise<void>;
}

/** Answers one question or hears one piece of news. @param sender number of the process */
export type TopicHandler = (body: never, sender: number, signal: AbortSignal) => unknown;

/**
 * What the processes of one server agree on. Whoever wants a name for itself asks all others, one at a time for each name; what many may do at
 * once, such as reading, is known only where it is done, and costs no message. All that one process sends reaches each other one in its order.
 *
 * `SingleProcess` is for a server that is one process and answers all in the tick; `WorkerCoordinator` speaks with the supervisor of worker
 * processes.
 */
export interface Coordinator {
  /** Of this process, among those of the server. */
  readonly number: number;
  /** Whether there are no other processes, and never will be. */
  readonly isAlone: boolean;
  /** Says how this process stands to the names of a space. */
  join(space: NameSpace, member: NameMember): void;
  /**
   * Gets a name for this process.
   *
   * @param signal calls the request off
   * @returns `undefined` when another process needs it, or the signal was aborted
   */
  acquire(space: NameSpace, name: string, request: NameRequest, signal?: AbortSignal): Answer<NameLease | undefined>;
  /** Whether another process has the name, or has had it until a moment ago; nothing is asked. */
  isElsewhere(space: NameSpace, name: string): boolean;
  /** Settles when `isElsewhere` knows what the process that has the name had done before this was called. */
  settled(space: NameSpace, name: string): Promise<void>;
  /** Settles when no process has the name. @throws the signal's reason */
  freed(space: NameSpace, name: string, signal: AbortSignal): Promise<void>;
  /** One process at a time, in the order in which they ask; for what is written by several. */
  lock(name: string): Answer<NameLease>;
  /** Says who answers questions of a topic, or hears its news. */
  on(topic: string, handler: TopicHandler): void;
  /** Asks the one that counts for all: the supervisor, where there is one. @throws what its handler throws; the signal's reason */
  ask<T>(topic: string, body: unknown, signal?: AbortSignal): Promise<T>;
  /** Tells the supervisor, which does not answer. */
  report(topic: string, body: unknown): void;
  /** Asks one other process. @throws what its handler throws, and when it is gone; the signal's reason */
  askOne<T>(process: number, topic: string, body: unknown, signal?: AbortSignal): Promise<T>;
  /** Asks all other processes. Those that are gone meanwhile are left out. */
  gather<T>(topic: string, body: unknown): Promise<T[]>;
  /** Tells all other processes. */
  tell(topic: string, body: unknown): void;
}
