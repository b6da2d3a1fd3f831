/** Who holds memory, as its budget deals with it. */
export interface MemoryHolder {
  /** Take nothing more from the peer until `resumeForMemory`. */
  pauseForMemory(): void;
  resumeForMemory(): void;
  /** End, and give back what is held before this returns. */
  closeForMemory(): void;
}

/** What has been done for want of memory, since the start. */
export interface MemoryCounters {
  /** Requests that had to wait for memory. */
  waited: number;
  /** Of these, those that waited in vain, and were refused. */
  refused: number;
  /** Connections that were not read for a time. */
  paused: number;
  /** Connections that were closed. */
  closed: number;
}

/** 0: there is enough. 1: no new work begins. 2: who holds much is not read. 3: the heaviest are closed. */
export type MemoryLevel = 0 | 1 | 2 | 3;

/** Shares of a budget from which on the levels begin; the third begins at the whole. */
const LEVEL_1_SHARE = 0.6;
const LEVEL_2_SHARE = 0.8;

/** Who holds less is not read any less at level 2: it is no heavy user, and its request may be all but complete. */
export const MIN_PAUSED_BYTES = 64 << 10;

/** What a connection that is read again may bring at once: the whole of the receive buffer. */
const RESUMED_BYTES = 256 << 10;

/** A wait for memory ends after so many milliseconds: well below what clients wait for an answer. */
export const MEMORY_WAIT_MS = 5000;

/** Requests that wait at once; the next one is refused. */
const MAX_WAITING = 1024;

/** While memory is short, who holds some and has neither got nor given back any for so long is closed, in milliseconds. */
export const MEMORY_STALL_MS = 5000;

interface Waiting {
  readonly bytes: number;
  readonly endMs: number;
  readonly settle: (hasRoom: boolean) => void;
}

/**
 * A number of bytes that connections hold together, for one purpose. Each has an account; who holds most is found by the size of the
 * accounts, which are kept in order of their power of two.
 *
 * Nothing is ever above the limit by more than the piece that came last: whoever brings it there, the heaviest are closed at once.
 */
export class MemoryBudget {
  readonly limitBytes: number;
  readonly counters: MemoryCounters = { waited: 0, refused: 0, paused: 0, closed: 0 };
  readonly #level1Bytes: number;
  readonly #level2Bytes: number;
  readonly #nowMs: () => number;
  /** By the power of two of what they hold; within one, who has been there longest stands first. */
  readonly #accounts: Set<MemoryAccount>[] = [];
  /** Longest first. */
  readonly #paused = new Set<MemoryAccount>();
  readonly #waiting = new Set<Waiting>();
  /** Of these, those that end. */
  #timedWaits = 0;
  #usedBytes = 0;
  #peakBytes = 0;
  #promisedBytes = 0;
  #shortSinceMs: number | undefined;
  #isClosing = false;

  /** Accounts of those that bring more by themselves, whatever they hold now. */
  readonly #feeding = new Set<MemoryAccount>();
  readonly #isReclaimable: boolean;

  /**
   * @param nowMs a clock that goes forward only
   * @param isReclaimable whether what a holder has is free when it is closed; if not, nobody is. @default true
   */
  constructor(limitBytes: number, nowMs: () => number, isReclaimable = true) {
    this.#isReclaimable = isReclaimable;
    this.limitBytes = limitBytes;
    this.#nowMs = nowMs;
    this.#level1Bytes = Math.floor(limitBytes * LEVEL_1_SHARE);
    this.#level2Bytes = Math.floor(limitBytes * LEVEL_2_SHARE);
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** The most that was ever used. */
  get peakBytes(): number {
    return this.#peakBytes;
  }

  get level(): MemoryLevel {
    if (this.#usedBytes <= this.#level1Bytes) return 0;
    if (this.#usedBytes <= this.#level2Bytes) return 1;
    return this.#usedBytes <= this.limitBytes ? 2 : 3;
  }

  /** Whether no new work should begin. */
  get isShort(): boolean {
    return this.#usedBytes > this.#level1Bytes;
  }

  /** Connections that are not read now, for want of memory. */
  get pausedNow(): number {
    return this.#paused.size;
  }

  /** Requests that wait for memory now. */
  get waitingNow(): number {
    return this.#waiting.size;
  }

  open(holder: MemoryHolder): MemoryAccount {
    return new MemoryAccount(this, holder);
  }

  /** Whether a request that needs so much may begin: what is above level 1 by itself may when nothing else is held. */
  hasRoomFor(bytes: number): boolean {
    const taken = this.#usedBytes + this.#promisedBytes;
    return taken === 0 || taken + bytes <= this.#level1Bytes;
  }

  /**
   * Waits until there is room, in the order of the calls.
   *
   * @param maxMs `Infinity` for something that is under way and holds nothing meanwhile: it is never refused
   * @returns whether there is, in time; not when `signal` is aborted
   */
  waitForRoom(bytes: number, signal?: AbortSignal, maxMs = MEMORY_WAIT_MS): Promise<boolean> {
    if (this.#waiting.size === 0 && this.hasRoomFor(bytes)) return Promise.resolve(true);
    if ((this.#timedWaits >= MAX_WAITING && maxMs < Number.POSITIVE_INFINITY) || signal?.aborted) {
      this.counters.refused += 1;
      return Promise.resolve(false);
    }
    this.counters.waited += 1;
    if (maxMs < Number.POSITIVE_INFINITY) this.#timedWaits += 1;
    return new Promise((resolve) => {
      const leave = (): void => waiting.settle(false);
      const waiting: Waiting = {
        bytes,
        endMs: this.#nowMs() + maxMs,
        settle: (hasRoom) => {
          this.#waiting.delete(waiting);
          if (maxMs < Number.POSITIVE_INFINITY) this.#timedWaits -= 1;
          signal?.removeEventListener('abort', leave);
          if (!hasRoom) this.counters.refused += 1;
          resolve(hasRoom);
        },
      };
      this.#waiting.add(waiting);
      signal?.addEventListener('abort', leave, { once: true });
    });
  }

  /** To be called about once a second: ends waits that have lasted too long, and closes those who hold memory that is short without moving. */
  check(): void {
    const nowMs = this.#nowMs();
    for (const waiting of this.#waiting) {
      if (nowMs >= waiting.endMs) waiting.settle(false);
    }
    if (!this.isShort) this.#shortSinceMs = undefined;
    else if (this.#shortSinceMs === undefined) this.#shortSinceMs = nowMs;
    else if (this.#isReclaimable && nowMs - this.#shortSinceMs >= MEMORY_STALL_MS)
      this.#closeStalled(nowMs - MEMORY_STALL_MS);
    this.#wake();
  }

  /** @internal An account has changed. */
  changed(account: MemoryAccount, before: number): void {
    const { bytes } = account;
    this.#usedBytes += bytes - before;
    const from = before === 0 ? -1 : 31 - Math.clz32(before);
    const to = bytes === 0 ? -1 : 31 - Math.clz32(bytes);
    if (from !== to) {
      this.#accounts[from]?.delete(account);
      if (to >= 0) this.#inBucket(to).add(account);
    }
    if (bytes < before) {
      if (bytes === 0 && !this.#feeding.has(account) && this.#paused.delete(account)) account.holder.resumeForMemory();
      if (this.#paused.size > 0 || this.#waiting.size > 0) this.#wake();
      return;
    }
    if (this.#usedBytes > this.#peakBytes) this.#peakBytes = this.#usedBytes;
    if (this.#usedBytes <= this.#level2Bytes) return;
    account.changedMs = this.#nowMs();
    this.#pauseHeavy(account, this.#usedBytes - (bytes - before) <= this.#level2Bytes);
    if (this.#usedBytes > this.limitBytes && this.#isReclaimable) this.#closeHeaviest();
  }

  /** @internal */
  feeding(account: MemoryAccount, isFeeding: boolean): void {
    if (!isFeeding) {
      this.#feeding.delete(account);
      if (account.bytes === 0 && this.#paused.delete(account)) account.holder.resumeForMemory();
      return;
    }
    this.#feeding.add(account);
    if (this.#usedBytes > this.#level2Bytes) this.#pause(account);
  }

  /** @internal The time of a change, which matters only while memory is short. */
  get changeMs(): number {
    return this.isShort ? this.#nowMs() : 0;
  }

  /** @internal A holder is gone. */
  forget(account: MemoryAccount): void {
    this.#paused.delete(account);
    this.#feeding.delete(account);
  }

  #inBucket(index: number): Set<MemoryAccount> {
    for (let i = this.#accounts.length; i <= index; i++) this.#accounts.push(new Set());
    return this.#accounts[index]!;
  }

  /** @param isFirst whether the level has just begun: then all who hold much are meant, else the one that has got more */
  #pauseHeavy(account: MemoryAccount, isFirst: boolean): void {
    if (!isFirst) {
      this.#pause(account);
      return;
    }
    for (const feeding of this.#feeding) this.#pause(feeding);
    for (const bucket of this.#accounts.slice(31 - Math.clz32(MIN_PAUSED_BYTES)))
      for (const heavy of bucket) this.#pause(heavy);
  }

  #pause(account: MemoryAccount): void {
    const isHeavy = account.bytes >= MIN_PAUSED_BYTES || this.#feeding.has(account);
    if (!isHeavy || this.#paused.has(account)) return;
    this.#paused.add(account);
    this.counters.paused += 1;
    account.holder.pauseForMemory();
  }

  #closeHeaviest(): void {
    if (this.#isClosing) return; // what is given back here may bring others here
    this.#isClosing = true;
    for (let index = this.#accounts.length - 1; index >= 0; index--) {
      for (const account of this.#accounts[index]!) {
        if (this.#usedBytes <= this.limitBytes) break;
        this.#close(account);
      }
    }
    this.#isClosing = false;
    this.#wake();
  }

  #closeStalled(sinceMs: number): void {
    this.#isClosing = true;
    for (let index = this.#accounts.length - 1; index >= 0; index--) {
      for (const account of this.#accounts[index]!) {
        if (!this.isShort) break;
        if (account.changedMs <= sinceMs) this.#close(account);
      }
    }
    this.#isClosing = false;
  }

  #close(account: MemoryAccount): void {
    this.counters.closed += 1;
    account.holder.closeForMemory();
    if (account.bytes > 0) account.set(0);
  }

  /** What somebody is let go on with counts at once, until it shows in an account or nothing came of it. */
  #promise(bytes: number): void {
    this.#promisedBytes += bytes;
    setImmediate(() => {
      this.#promisedBytes -= bytes;
      if (this.#waiting.size > 0) this.#wake();
    });
  }

  /** Lets those go on who wait, as far as there is room: requests first, for they hold nothing yet. */
  #wake(): void {
    if (this.#isClosing) return;
    for (const waiting of this.#waiting) {
      if (!this.hasRoomFor(waiting.bytes)) break;
      this.#promise(waiting.bytes);
      waiting.settle(true);
    }
    let room = this.#level1Bytes - this.#usedBytes - this.#promisedBytes;
    for (const account of this.#paused) {
      if (room < 0) break;
      room -= RESUMED_BYTES;
      this.#paused.delete(account);
      account.holder.resumeForMemory();
    }
  }
}

/** What one holder has of a budget. */
export class MemoryAccount {
  readonly holder: MemoryHolder;
  readonly #budget: MemoryBudget;
  #bytes = 0;
  /** When it last changed, where that was noted. */
  changedMs = 0;

  constructor(budget: MemoryBudget, holder: MemoryHolder) {
    this.#budget = budget;
    this.holder = holder;
  }

  get budget(): MemoryBudget {
    return this.#budget;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Says what is held now. The holder may be paused, or closed, before this returns. */
  set(bytes: number): void {
    const before = this.#bytes;
    if (bytes === before) return;
    this.#bytes = bytes;
    this.changedMs = this.#budget.changeMs;
    this.#budget.changed(this, before);
  }

  /** Says whether the holder brings more by itself: then it is not read at level 2, however little it holds. */
  set isFeeding(isFeeding: boolean) {
    this.#budget.feeding(this, isFeeding);
  }

  /** Says that so much more is held, or, below 0, less. */
  add(bytes: number): void {
    this.set(this.#bytes + bytes);
  }

  /** The holder is gone, and has given all back. */
  close(): void {
    this.set(0);
    this.#budget.forget(this);
  }
}
