import type { Clock } from './clock.js';
import { MemoryBudget, type MemoryCounters, type MemoryLevel } from './memory-budget.js';
import type { MemoryPlan } from './memory-limit.js';

/** What the process holds, and how it gives back what is free. */
export interface ProcessMemory {
  /** Resident memory, in bytes. */
  residentBytes(): number;
  /** Collects garbage, if that can be asked for; takes some 10 ms. */
  collect(): void;
}

/** What is left in reserve of the resident memory, as a share of the limit: above, no new connection is let in. */
const RESIDENT_SHORT_SHARE = 0.9;

/** Garbage is collected when free memory is worth it, and not more often than this. */
const COLLECT_PERIOD_MS = 2000;

/** A line says what was done for want of memory, this often at most. */
const REPORT_PERIOD_MS = 10_000;

/** What operators are told. Bytes, unless a name says otherwise. */
export interface MemoryReport {
  readonly limit: number;
  readonly level: MemoryLevel;
  readonly budgets: Readonly<Record<'receive' | 'send' | 'work', BudgetReport>>;
  /** Connections that were not let in at once because the process held too much. */
  readonly heldBack: number;
}

export interface BudgetReport extends MemoryCounters {
  readonly limit: number;
  readonly used: number;
  readonly peak: number;
  readonly level: MemoryLevel;
}

/**
 * Keeps a server within one number: budgets for what connections hold, and a look at what the process really has. docs/operations.md,
 * "Memory".
 */
export class MemoryCeiling {
  readonly plan: MemoryPlan;
  readonly receive: MemoryBudget;
  readonly send: MemoryBudget;
  readonly work: MemoryBudget;
  /** Connections that were not let in at once because the process held too much. */
  heldBack = 0;
  readonly #clock: Clock;
  readonly #process: ProcessMemory;
  /** What the process had when nobody was connected. */
  readonly #baseBytes: number;
  #isResidentShort = false;
  #collectedMs = Number.NEGATIVE_INFINITY;
  #reportedMs = Number.NEGATIVE_INFINITY;
  #reportedEvents = 0;

  constructor(plan: MemoryPlan, clock: Clock, process: ProcessMemory) {
    this.plan = plan;
    this.#clock = clock;
    this.#process = process;
    this.#baseBytes = process.residentBytes();
    const nowMs = (): number => clock.nowMs();
    this.receive = new MemoryBudget(plan.receiveBytes, nowMs);
    this.send = new MemoryBudget(plan.sendBytes, nowMs);
    // What is being read or written cannot be taken back before that ends, whoever is closed.
    this.work = new MemoryBudget(plan.workBytes, nowMs, false);
  }

  get level(): MemoryLevel {
    const highest = Math.max(this.receive.level, this.send.level, this.work.level) as MemoryLevel;
    return highest === 0 && this.#isResidentShort ? 1 : highest;
  }

  /** Whether new connections should wait: there is no memory to serve them from, although the others are within their budgets. */
  get isFull(): boolean {
    return this.#isResidentShort;
  }

  /** To be called about once a second. @param warn told what was done, summed up */
  check(connections: number, warn: (message: string) => void): void {
    this.receive.check();
    this.send.check();
    this.work.check();
    this.#look(connections);
    this.#report(warn);
  }

  read(): MemoryReport {
    const { receive, send, work, level, heldBack, plan } = this;
    return {
      limit: plan.limitBytes,
      level,
      budgets: { receive: reportOf(receive), send: reportOf(send), work: reportOf(work) },
      heldBack,
    };
  }

  #look(connections: number): void {
    const nowMs = this.#clock.nowMs();
    const held = this.receive.usedBytes + this.send.usedBytes + this.work.usedBytes;
    const known = this.#baseBytes + connections * this.plan.connectionBytes + held;
    const { limitBytes, spareBytes } = this.plan;
    let resident = this.#process.residentBytes();
    const isWorthwhile = resident > known + spareBytes / 2;
    if (isWorthwhile && nowMs - this.#collectedMs >= COLLECT_PERIOD_MS) {
      this.#collectedMs = nowMs;
      this.#process.collect();
      resident = this.#process.residentBytes();
    }
    this.#isResidentShort = resident > this.#baseBytes + limitBytes * RESIDENT_SHORT_SHARE;
  }

  #report(warn: (message: string) => void): void {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#reportedMs < REPORT_PERIOD_MS) return;
    const sums = [this.receive, this.send, this.work].map(({ counters }) => counters);
    const sum = (key: keyof MemoryCounters): number => sums.reduce((total, counters) => total + counters[key], 0);
    const events = sum('waited') + sum('refused') + sum('paused') + sum('closed') + this.heldBack;
    if (events === this.#reportedEvents) return;
    this.#reportedEvents = events;
    this.#reportedMs = nowMs;
    const text = `${sum('waited')} requests have waited, ${sum('refused')} were refused, ${sum('paused')} connections were not read for a time, ${sum('closed')} were closed, ${this.heldBack} were not let in at once`;
    const used = (['receive', 'send', 'work'] as const).map((name) => {
      const { usedBytes, limitBytes } = this[name];
      return `${name} ${usedBytes >> 20} of ${limitBytes >> 20} MiB`;
    });
    warn(`memory is short (${used.join(', ')}); since the start ${text}`);
  }
}

function reportOf({ limitBytes, usedBytes, peakBytes, level, counters }: MemoryBudget): BudgetReport {
  return { limit: limitBytes, used: usedBytes, peak: peakBytes, level, ...counters };
}
