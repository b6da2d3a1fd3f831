import { BufferPool } from '@sluice/framing';
import type { MemoryAccount } from './memory-budget.js';

/**
 * - `sent`: go on
 * - `queued`: it will be sent, but the queue is above its high-water mark: wait until it has drained
 * - `refused`: above the hard limit, or the connection is closing: nothing was kept
 */
export type SendResult = 'sent' | 'queued' | 'refused';

/** The part of a socket that the queue needs. */
export interface WriteTarget {
  write(bytes: Uint8Array, written: (error?: Error | null) => void): unknown;
  /** Bytes given to `write` that the system has not taken. */
  readonly writableLength: number;
}

/** @see docs/limits.md */
export interface OutboundLimits {
  /** Above so many queued bytes, `send` says `queued`. @default 512 KiB */
  readonly highWaterMarkBytes: number;
  /** At or below so many queued bytes, the queue has drained. @default 64 KiB */
  readonly lowWaterMarkBytes: number;
  /** Above so many queued bytes, `send` says `refused`. @default 24 MiB, two of the largest packets and some */
  readonly hardLimitBytes: number;
}

export const DEFAULT_OUTBOUND_LIMITS: OutboundLimits = {
  highWaterMarkBytes: 512 << 10,
  lowWaterMarkBytes: 64 << 10,
  hardLimitBytes: 24 << 20,
};

/** Messages are collected in buffers of this size; larger ones get a buffer of their own. */
const BATCH_BYTES = 64 << 10;

const pool = new BufferPool(8 << 20);

/** A write the system has not taken completely. */
interface PendingWrite {
  readonly bytes: number;
  /** What is kept for it, in bytes. */
  readonly keptBytes: number;
  readonly release: (() => void) | undefined;
}

/**
 * What a connection has to say, in order. Messages of one tick are collected and leave in one write; the buffer they are collected in is
 * free again at once when the system takes all of it, which it does unless the peer reads slowly.
 *
 * ```text
 *  send ──► batch ──flush──► socket's queue ──► system
 *           #batchBytes      #pendingBytes           #sentBytes
 * ```
 */
export class OutboundQueue {
  readonly #target: WriteTarget;
  readonly #limits: OutboundLimits;
  readonly #onProgress: (hasDrained: boolean) => void;
  readonly #account: MemoryAccount | undefined;
  #batch: Uint8Array | undefined;
  #batchBytes = 0;
  #isHeld = false;
  #isFlushScheduled = false;
  #isClosed = false;
  #isAboveHighWaterMark = false;
  /** Oldest first. */
  readonly #pending: PendingWrite[] = [];
  #pendingBytes = 0;
  /** Callbacks that will come for writes the system took at once. They are the oldest: a write behind a pending one waits too. */
  #callbacksToSkip = 0;
  /** The queue has drained and nobody was told: that is done at the next callback, never from within `send` or `flush`. */
  #owesDrained = false;
  #sentBytes = 0;
  /** Bytes have waited for the system since `hasBeenBackedUp` was asked. */
  #isBackedUp = false;

  /**
   * @param onProgress called for each write that the system has taken, and with `hasDrained` after a `queued`, once
   * @param account told what is kept because the system does not take it: what it takes at once is no business of the budget
   */
  constructor(
    target: WriteTarget,
    limits: OutboundLimits,
    onProgress: (hasDrained: boolean) => void,
    account?: MemoryAccount,
  ) {
    this.#target = target;
    this.#limits = limits;
    this.#onProgress = onProgress;
    this.#account = account;
  }

  /** Bytes that the system has not taken. */
  get queuedBytes(): number {
    return this.#batchBytes + this.#pendingBytes;
  }

  /** Bytes that the system has taken. */
  get sentBytes(): number {
    return this.#sentBytes;
  }

  /** Whether the sender should wait; falls only when the queue has drained to its low-water mark. */
  get isAboveHighWaterMark(): boolean {
    return this.#isAboveHighWaterMark;
  }

  /** Whether bytes have waited for the system at every moment since the last call. */
  hasBeenBackedUp(): boolean {
    const hasBeen = this.#isBackedUp;
    this.#isBackedUp = this.#pendingBytes > 0;
    return hasBeen;
  }

  /** Queues a copy of `bytes`. */
  send(bytes: Uint8Array): SendResult {
    if (this.#isRefused(bytes.length)) return 'refused';
    if (bytes.length === 0) return this.#result();
    if (bytes.length > BATCH_BYTES) {
      if (!this.#flushFirst()) return 'refused';
      this.#write(Uint8Array.prototype.slice.call(bytes), bytes.length, undefined);
      return this.#result();
    }
    if (this.#batchBytes + bytes.length > BATCH_BYTES && !this.#flushFirst()) return 'refused';
    this.#batch ??= pool.take(BATCH_BYTES);
    this.#batch.set(bytes, this.#batchBytes);
    this.#batchBytes += bytes.length;
    this.#scheduleFlush();
    return this.#result();
  }

  /**
   * Lets `fill` write a message of at most `maxBytes` bytes where it will be sent from, at `target[at, ...)`, and return how many bytes it
   * has; 0 for none. Nothing may be sent from within. What it throws is thrown on, and nothing was queued.
   */
  sendInPlace(maxBytes: number, fill: (target: Uint8Array, at: number) => number): SendResult {
    if (this.#isRefused(maxBytes)) return 'refused';
    if (maxBytes > BATCH_BYTES) {
      this.flush();
      this.#writeInPlace(pool.take(maxBytes), fill);
      return this.#result();
    }
    if (this.#batchBytes + maxBytes > BATCH_BYTES && !this.#flushFirst()) return 'refused';
    this.#batch ??= pool.take(BATCH_BYTES);
    this.#scheduleFlush();
    this.#batchBytes += fill(this.#batch, this.#batchBytes);
    return this.#result();
  }

  #writeInPlace(message: Uint8Array, fill: (target: Uint8Array, at: number) => number): void {
    let bytes = 0;
    try {
      bytes = fill(message, 0);
    } finally {
      if (bytes === 0) pool.give(message);
    }
    if (bytes > 0) this.#write(message.subarray(0, bytes), message.length, () => pool.give(message));
  }

  /**
   * Queues `bytes` themselves, behind all that was sent before; the caller leaves them alone until `release` is called. That may be
   * before this returns. After `refused` it is not called.
   */
  sendOwned(bytes: Uint8Array, release: () => void): SendResult {
    if (this.#isRefused(bytes.length)) return 'refused';
    if (!this.#flushFirst()) return 'refused';
    this.#write(bytes, bytes.length, release);
    return this.#result();
  }

  /** Until `flush`, nothing is written unless a batch is full: for the time in which a chunk is handled. */
  hold(): void {
    this.#isHeld = true;
  }

  /** Writes what was collected. */
  flush(): void {
    this.#isHeld = false;
    const batch = this.#batch;
    if (!batch || this.#isClosed) return;
    const bytes = this.#batchBytes;
    this.#batch = undefined;
    this.#batchBytes = 0;
    if (bytes === 0) {
      pool.give(batch); // whoever was to fill it has failed, or had nothing to say
    } else if (this.#pendingBytes > 0) {
      // The peer reads slowly: keep only what is said, not a whole batch buffer for it.
      const said = batch.slice(0, bytes);
      pool.give(batch);
      this.#write(said, bytes, undefined);
    } else {
      this.#write(batch.subarray(0, bytes), BATCH_BYTES, () => pool.give(batch));
    }
  }

  /** Drops what is queued and releases what others own. No call back from the target matters any more. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#batch) pool.give(this.#batch);
    this.#batch = undefined;
    this.#batchBytes = 0;
    for (const write of this.#pending.splice(0)) write.release?.();
    this.#pendingBytes = 0;
    this.#account?.set(0);
  }

  /** Writes what was said before; its budget may close this queue for it. @returns whether more can be said */
  #flushFirst(): boolean {
    this.flush();
    return !this.#isClosed;
  }

  #isRefused(bytes: number): boolean {
    return this.#isClosed || this.queuedBytes + bytes > this.#limits.hardLimitBytes;
  }

  #result(): SendResult {
    if (this.queuedBytes > this.#limits.highWaterMarkBytes) this.#isAboveHighWaterMark = true;
    return this.#isAboveHighWaterMark ? 'queued' : 'sent';
  }

  #scheduleFlush(): void {
    if (this.#isHeld || this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    process.nextTick(this.#onScheduledFlush);
  }

  readonly #onScheduledFlush = (): void => {
    this.#isFlushScheduled = false;
    this.flush();
  };

  #write(bytes: Uint8Array, keptBytes: number, release: (() => void) | undefined): void {
    this.#target.write(bytes, this.#onWritten);
    if (this.#target.writableLength === 0) {
      this.#callbacksToSkip += 1;
      this.#sentBytes += bytes.length;
      this.#noteDrained();
      release?.();
    } else {
      this.#pending.push({ bytes: bytes.length, keptBytes, release });
      this.#pendingBytes += bytes.length;
      this.#account?.add(keptBytes); // last: it may close this queue
    }
  }

  readonly #onWritten = (error?: Error | null): void => {
    if (this.#isClosed || error) return; // the connection hears of the error from its socket
    if (this.#callbacksToSkip > 0) {
      this.#callbacksToSkip -= 1;
    } else {
      const write = this.#pending.shift();
      if (!write) return;
      this.#pendingBytes -= write.bytes;
      this.#sentBytes += write.bytes;
      if (this.#pendingBytes === 0) this.#isBackedUp = false;
      this.#noteDrained();
      this.#account?.add(-write.keptBytes);
      write.release?.();
    }
    // Above the mark again by now, it will drain again: then is the time to say so.
    const hasDrained = this.#owesDrained && !this.#isAboveHighWaterMark;
    this.#owesDrained = false;
    this.#onProgress(hasDrained);
  };

  #noteDrained(): void {
    if (!this.#isAboveHighWaterMark || this.queuedBytes > this.#limits.lowWaterMarkBytes) return;
    this.#isAboveHighWaterMark = false;
    this.#owesDrained = true;
  }
}
