import type { NameRequest, NameSpace } from './coordinator.js';

/** What the table needs of the processes. None of it rejects: a process that is gone agrees to everything. */
export interface NameProcesses {
  /** Whether all processes but one let that one have a name. */
  askOthers(process: number, space: NameSpace, name: string, request: NameRequest): Promise<boolean>;
  /** Nobody has the name any more, says the news to all but one. */
  tellFreed(process: number, space: NameSpace, name: string): void;
  /** Settles when a process has ended with a name what ends by itself. */
  settle(process: number, space: NameSpace, name: string): Promise<void>;
}

interface Waiting {
  readonly process: number;
  readonly leaseId: number;
  /** `undefined` for a lock, about which nobody is asked. */
  readonly request: NameRequest | undefined;
  readonly resolve: (isGranted: boolean) => void;
  isCalledOff: boolean;
}

interface Entry {
  readonly space: NameSpace | 'locks';
  readonly name: string;
  owner: Waiting | undefined;
  readonly queue: Waiting[];
  /** Settles when what is being decided is. */
  deciding: Promise<void> | undefined;
  isRunning: boolean;
  /** Called whenever the owner, or the queue, has changed. */
  readonly onChange: (() => void)[];
}

/**
 * Which process has which name. One request for a name is decided at a time, in the order in which they came, so two processes never wait for
 * each other.
 */
export class NameTable {
  readonly #processes: NameProcesses;
  readonly #entries = new Map<string, Entry>();
  /** By process and id of the lease. */
  readonly #leases = new Map<string, Entry>();

  constructor(processes: NameProcesses) {
    this.#processes = processes;
  }

  /** Names that somebody has or waits for. */
  get size(): number {
    return this.#entries.size;
  }

  /** @param request `undefined` for a lock: that is waited for. @returns whether the process has the name now */
  acquire(
    process: number,
    leaseId: number,
    space: NameSpace | 'locks',
    name: string,
    request: NameRequest | undefined,
  ): Promise<boolean> {
    const key = `${space}:${name}`;
    let entry = this.#entries.get(key);
    if (!entry) {
      entry = { space, name, owner: undefined, queue: [], deciding: undefined, isRunning: false, onChange: [] };
      this.#entries.set(key, entry);
    }
    const into = entry;
    return new Promise((resolve) => {
      this.#leases.set(leaseKey(process, leaseId), into);
      into.queue.push({ process, leaseId, request, resolve, isCalledOff: false });
      if (!into.isRunning) void this.#run(into);
    });
  }

  /** Gives a name back, or calls the request for it off. */
  release(process: number, leaseId: number): void {
    const key = leaseKey(process, leaseId);
    const entry = this.#leases.get(key);
    if (!entry) return;
    this.#leases.delete(key);
    if (entry.owner?.process === process && entry.owner.leaseId === leaseId) {
      this.#disown(entry);
      return;
    }
    const waiting = entry.queue.find((one) => one.process === process && one.leaseId === leaseId);
    if (waiting) waiting.isCalledOff = true;
    changed(entry);
  }

  /** Settles when what its owner had done with a name before is known to all. */
  async settled(space: NameSpace, name: string): Promise<void> {
    const entry = this.#entries.get(`${space}:${name}`);
    await entry?.deciding;
    if (entry?.owner) await this.#processes.settle(entry.owner.process, space, name);
  }

  /** Settles when nobody has a name, also when the next one has it in a moment. */
  async freed(space: NameSpace, name: string, signal: AbortSignal): Promise<void> {
    const entry = this.#entries.get(`${space}:${name}`);
    const owner = entry?.owner;
    if (!entry || !owner) return;
    while (entry.owner === owner && !signal.aborted) {
      const change = nextChange(entry);
      signal.addEventListener('abort', () => changed(entry), { once: true });
      await change;
    }
  }

  /** Names that processes have, or are about to have. */
  taken(): { readonly space: NameSpace; readonly name: string }[] {
    return [...this.#entries.values()].flatMap(({ space, name }) => (space === 'locks' ? [] : [{ space, name }]));
  }

  /** A process is gone: nothing is its any more. */
  forget(process: number): void {
    for (const entry of [...this.#entries.values()]) {
      for (const waiting of entry.queue) if (waiting.process === process) waiting.isCalledOff = true;
      if (entry.owner?.process === process) this.#disown(entry);
      else changed(entry);
    }
    for (const key of [...this.#leases.keys()]) if (key.startsWith(`${process}:`)) this.#leases.delete(key);
  }

  #disown(entry: Entry): void {
    const { owner, space, name } = entry;
    entry.owner = undefined;
    if (owner && space !== 'locks') this.#processes.tellFreed(owner.process, space, name);
    changed(entry);
    this.#forgetIfUnused(entry);
  }

  async #run(entry: Entry): Promise<void> {
    entry.isRunning = true;
    for (let head = entry.queue[0]; head; head = entry.queue[0]) {
      if (head.isCalledOff) this.#decide(entry, head, false);
      else if (entry.owner && writesItself(entry.owner, head)) this.#decide(entry, head, false);
      else if (entry.owner && (entry.space === 'locks' || entry.owner.process === head.process))
        await nextChange(entry);
      else if (entry.space === 'locks' || !head.request) this.#decide(entry, head, true);
      else {
        const { space, name } = entry;
        let onDecided = (): void => {};
        entry.deciding = new Promise((resolve) => {
          onDecided = resolve;
        });
        const isFree = await this.#processes.askOthers(head.process, space, name, head.request);
        const isGranted = isFree && !head.isCalledOff;
        if (!isGranted && !entry.owner) this.#processes.tellFreed(head.process, space, name);
        this.#decide(entry, head, isGranted);
        entry.deciding = undefined;
        onDecided();
        // The answer leaves before the owner is asked for somebody else: it must know by then that the name is its.
        if (isGranted) await nextTurn();
      }
    }
    entry.isRunning = false;
    this.#forgetIfUnused(entry);
  }

  #decide(entry: Entry, head: Waiting, isGranted: boolean): void {
    entry.queue.shift();
    if (isGranted) entry.owner = head;
    else this.#leases.delete(leaseKey(head.process, head.leaseId));
    head.resolve(isGranted);
  }

  #forgetIfUnused(entry: Entry): void {
    if (!entry.owner && !entry.isRunning && entry.queue.length === 0)
      this.#entries.delete(`${entry.space}:${entry.name}`);
  }
}

/** A file that a process writes to is not removed by that same process: it would wait for itself. */
function writesItself(owner: Waiting, head: Waiting): boolean {
  return (
    owner.process === head.process && head.request?.['kind'] === 'removal' && owner.request?.['kind'] !== 'removal'
  );
}

function leaseKey(process: number, leaseId: number): string {
  return `${process}:${leaseId}`;
}

function changed(entry: Entry): void {
  for (const onChange of entry.onChange.splice(0)) onChange();
}

function nextChange(entry: Entry): Promise<void> {
  return new Promise((resolve) => entry.onChange.push(resolve));
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
