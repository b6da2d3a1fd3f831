import { type Clock, DescriptorBudget, type ListenerOptions, type MemoryAccount, MemoryCeiling } from '@sluice/core';
import type { RandomSource } from '@sluice/testkit';

/** What others hold of a budget: they can neither wait nor leave. */
const OTHERS = { pauseForMemory() {}, resumeForMemory() {}, closeForMemory() {} };

/** The process's own descriptors are no part of a simulation. */
class CertainDescriptors extends DescriptorBudget {
  override noteOpen(): void {}
}

/** Memory, descriptors and places that a server has too few of, how few the seed says; and others, who take of them and give back. */
export class ShortSupplies {
  readonly memory: MemoryCeiling;
  readonly descriptors: DescriptorBudget;
  readonly #limits: Partial<ListenerOptions>;
  readonly #random: RandomSource;
  readonly #othersBytes: readonly MemoryAccount[];
  #residentBytes = 0;
  #files = 0;

  constructor(random: RandomSource, clock: Clock) {
    this.#random = random;
    const budget = random.pick([60_000, 400_000, 10_000_000]);
    const plan = {
      limitBytes: 4 * budget,
      receiveBytes: budget,
      sendBytes: budget,
      workBytes: budget,
      logBytes: budget,
      spareBytes: budget,
      connections: 10,
      connectionBytes: 1000,
    };
    this.memory = new MemoryCeiling(plan, clock, { residentBytes: () => this.#residentBytes, collect() {} });
    this.#othersBytes = [this.memory.receive.open(OTHERS), this.memory.send.open(OTHERS)];
    const limit = random.pick([undefined, undefined, 24 + 4 + 6]);
    this.descriptors = new CertainDescriptors({ limit, reserve: 4, connectionShare: 2, fileShare: 1 });
    this.#limits = {
      maxConnections: random.between(2, 6),
      maxWaiting: random.between(0, 4),
      waitTimeoutMs: 20_000,
      maxUnestablished: random.pick([0, 1, 3]),
      maxPerAddress: random.pick([0, 0, 2]),
      connectionRate: random.pick([0, 0, 2]),
      connectionRatePerAddress: random.pick([0, 0, 1]),
    };
  }

  get listenerOptions(): Partial<ListenerOptions> {
    const { memory, descriptors } = this;
    return { ...this.#limits, memory, descriptors, random: () => this.#random.next() };
  }

  readonly actions = {
    'memory is taken': (random: RandomSource): void => {
      this.#residentBytes = random.pick([0, this.memory.plan.limitBytes]);
      for (const account of this.#othersBytes) account.set(random.below(Math.floor(account.budget.limitBytes * 0.9)));
    },
    'memory is given back': (): void => this.#giveMemoryBack(),
    'files are opened': (random: RandomSource): void => {
      const count = random.between(1, 4);
      if (this.descriptors.takeFiles(count)) this.#files += count;
    },
    'files are closed': (): void => this.#closeFiles(),
  };

  /** Others give everything back. */
  rest(): void {
    this.#giveMemoryBack();
    this.#closeFiles();
  }

  /** @throws when something is held that nobody is there for */
  check(): void {
    const { receive, send, work } = this.memory;
    const left = {
      receive: receive.usedBytes,
      send: send.usedBytes,
      work: work.usedBytes,
      paused: receive.pausedNow + send.pausedNow + work.pausedNow,
      waiting: receive.waitingNow + send.waitingNow + work.waitingNow,
      connections: this.descriptors.connections,
      files: this.descriptors.files,
    };
    for (const [name, count] of Object.entries(left)) if (count !== 0) throw new Error(`${name}: ${count} are left`);
  }

  #giveMemoryBack(): void {
    this.#residentBytes = 0;
    for (const account of this.#othersBytes) account.set(0);
  }

  #closeFiles(): void {
    this.descriptors.giveFiles(this.#files);
    this.#files = 0;
  }
}
