import { OptionsError } from '@sluice/framing';
import type { Cancel, Clock } from './clock.js';
import type { SendResult } from './outbound-queue.js';

/**
 * What becomes of a message for which there is no room, because the peer does not take those before it:
 *
 * - `wait`: it is not kept (`full`); the sender waits for `drained` and offers it again
 * - `drop-newest`: it is dropped, and what waits stays
 * - `drop-oldest`: what has waited longest is dropped until there is room for it
 * - `latest-per-key`: of the messages with one key that wait only the newest is kept, room or not; beyond that as `drop-oldest`
 * - `close`: the connection is closed
 */
export type OverflowPolicy = 'wait' | 'drop-newest' | 'drop-oldest' | 'latest-per-key' | 'close';

/**
 * - `kept`: it will be sent, unless a newer one takes its place, where the policy has that
 * - `dropped`: it will not, and is counted
 * - `full`: nothing was kept: try again after `drained`
 * - `closed`: the connection is closing
 */
export type OfferResult = 'kept' | 'dropped' | 'full' | 'closed';

export interface MessageStreamOptions {
  readonly policy: OverflowPolicy;
  /** Bytes of messages that the peer has not taken, those with the connection included; a single message may be larger. @default 64 KiB */
  readonly maxBytes?: number;
  /** Such messages. @default 1024 */
  readonly maxMessages?: number;
  /**
   * Makes the message that is sent in the place of so many that were dropped. It does not count against the limits.
   *
   * @default nothing stands in their place
   */
  readonly gapMessage?: (dropped: number) => Uint8Array;
  /**
   * Messages that follow one another faster leave together, in milliseconds after those before, or earlier when they fill half of a limit: for
   * what goes to many peers, a call of the system for each message and peer is the dearest part. May be another time at each look. @default 0: at once
   */
  readonly gatherMs?: number | (() => number);
}

export const DEFAULT_MESSAGE_STREAM_OPTIONS = { maxBytes: 64 << 10, maxMessages: 1024 } as const;

/** What the streams of a listener have left out. */
export interface MessageCounters {
  /** Messages for which there was no room. */
  droppedMessages: number;
  /** Messages that a newer one with the same key has replaced. */
  supersededMessages: number;
}

/** The part of a connection that a stream needs; a `Connection` is one. */
export interface MessageSink {
  readonly isClosing: boolean;
  readonly clock: Clock;
  readonly messageCounters: MessageCounters;
  /** As `Connection.sendOwned`. @param messages how many `bytes` holds */
  sendOwned(bytes: Uint8Array, release: () => void, messages: number): SendResult;
  close(reason: 'stream-overrun'): void;
}

/** Messages that wait are sent together up to so many bytes; a larger one goes alone, and is not copied. */
const BATCH_BYTES = 64 << 10;

/** A message that waits for the one before it to be taken. */
interface Waiting {
  readonly message: Uint8Array;
  /** Messages that it stands for. */
  readonly count: number;
  /** Messages in front of it that were dropped. */
  droppedBefore: number;
}

/**
 * Messages that are sent because something happens, not because the peer has asked: lines of a log, changes, prices. One batch is with the
 * connection; what comes meanwhile waits here, within limits, and the policy says what becomes of the rest. Messages leave in the order of
 * their offers. They are not copied: the caller leaves their bytes alone.
 *
 * ```text
 *  offer ──► waiting ──when the batch before is taken──► connection's queue ──► system
 *              │ no room: the policy
 * ```
 */
export class MessageStream {
  readonly #sink: MessageSink;
  readonly #policy: OverflowPolicy;
  readonly #maxBytes: number;
  readonly #maxMessages: number;
  readonly #gapMessage: ((dropped: number) => Uint8Array) | undefined;
  readonly #gatherMs: number | (() => number);
  #sentAtMs = Number.NEGATIVE_INFINITY;
  /** Ends the gathering. */
  #cancelTimer: Cancel | undefined;
  /** By key, or by itself where it has none; the oldest first. */
  readonly #waiting = new Map<unknown, Waiting>();
  /** Of those that wait and those in flight. */
  #bytes = 0;
  #messages = 0;
  /** Of the batch that the connection has; 0 messages when it has none. */
  #inFlightBytes = 0;
  #inFlightMessages = 0;
  #isInFlight = false;
  #isFlushing = false;
  /** Dropped behind all that wait. */
  #droppedAtEnd = 0;
  #dropped = 0;
  #superseded = 0;
  #onDrained: (() => void)[] = [];

  /** @throws {OptionsError} `ERR_OPTION_RANGE` for a limit below 1 */
  constructor(sink: MessageSink, options: MessageStreamOptions) {
    const { maxBytes, maxMessages } = { ...DEFAULT_MESSAGE_STREAM_OPTIONS, ...options };
    for (const [name, value] of Object.entries({ maxBytes, maxMessages }))
      if (!(value >= 1)) throw new OptionsError(`${name} is ${value}; it must be 1 or more`);
    this.#sink = sink;
    this.#policy = options.policy;
    this.#maxBytes = maxBytes;
    this.#maxMessages = maxMessages;
    this.#gapMessage = options.gapMessage;
    this.#gatherMs = options.gatherMs ?? 0;
  }

  /** Bytes of messages that the peer has not taken. */
  get queuedBytes(): number {
    return this.#bytes;
  }

  /** Messages that the peer has not taken. */
  get queuedMessages(): number {
    return this.#messages;
  }

  /** Messages for which there was no room. */
  get droppedMessages(): number {
    return this.#dropped;
  }

  /** Messages that a newer one with the same key has replaced. */
  get supersededMessages(): number {
    return this.#superseded;
  }

  /**
   * @param key for `latest-per-key`; without one, a message replaces no other
   * @param count of messages that `message` holds: where it is dropped, so many are
   */
  offer(message: Uint8Array, key?: string | number, count = 1): OfferResult {
    if (this.#sink.isClosing) return 'closed';
    if (this.#policy === 'latest-per-key' && key !== undefined) this.#supersede(key);
    if (!this.#hasRoomFor(message.length)) {
      const result = this.#makeRoomFor(message.length, count);
      if (result !== 'kept') return result;
    }
    const waiting: Waiting = { message, count, droppedBefore: this.#droppedAtEnd };
    this.#waiting.set(this.#policy === 'latest-per-key' ? (key ?? waiting) : waiting, waiting);
    this.#droppedAtEnd = 0;
    this.#bytes += message.length;
    this.#messages += 1;
    this.#flush();
    return this.#sink.isClosing ? 'closed' : 'kept';
  }

  /** Settles when the peer has taken the batch it was sent last, or is gone; at once when nothing waits. There may be room then. */
  drained(): Promise<void> {
    return this.#isInFlight || this.#cancelTimer
      ? new Promise((resolve) => this.#onDrained.push(resolve))
      : Promise.resolve();
  }

  #hasRoomFor(bytes: number): boolean {
    if (this.#messages === 0) return true;
    return this.#bytes + bytes <= this.#maxBytes && this.#messages < this.#maxMessages;
  }

  #makeRoomFor(bytes: number, count: number): OfferResult {
    switch (this.#policy) {
      case 'wait':
        return 'full';
      case 'close':
        this.#sink.close('stream-overrun');
        return 'closed';
      case 'drop-newest':
        break;
      default:
        while (!this.#hasRoomFor(bytes) && this.#waiting.size > 0) this.#dropOldest();
        if (this.#hasRoomFor(bytes)) return 'kept';
    }
    this.#droppedAtEnd += count;
    this.#countDropped(count);
    return 'dropped';
  }

  #dropOldest(): void {
    const [key, { message, count, droppedBefore }] = this.#waiting.entries().next().value!;
    this.#forget(key, message);
    this.#countDropped(count);
    this.#noteGapInFront(droppedBefore + count);
  }

  #supersede(key: string | number): void {
    const older = this.#waiting.get(key);
    if (!older) return;
    this.#forget(key, older.message);
    this.#superseded += 1;
    this.#sink.messageCounters.supersededMessages += 1;
    this.#noteGapInFront(older.droppedBefore); // only what waits longest has one, with this policy
  }

  #forget(key: unknown, message: Uint8Array): void {
    this.#waiting.delete(key);
    this.#bytes -= message.length;
    this.#messages -= 1;
  }

  #noteGapInFront(dropped: number): void {
    const first = this.#waiting.values().next().value;
    if (first) first.droppedBefore += dropped;
    else this.#droppedAtEnd += dropped;
  }

  #countDropped(count: number): void {
    this.#dropped += count;
    this.#sink.messageCounters.droppedMessages += count;
  }

  /** Gives the connection the next batch, when the one before is taken. The system may take each at once, from within. */
  #flush(): void {
    if (this.#isFlushing || this.#isInFlight || (this.#gatherMs !== 0 && this.#gathers())) return;
    this.#isFlushing = true;
    while (!this.#isInFlight && (this.#waiting.size > 0 || this.#droppedAtEnd > 0)) {
      const parts = this.#nextBatch();
      if (parts.length === 0) continue; // a gap that nobody is told of
      this.#isInFlight = true;
      const bytes = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
      if (this.#sink.sendOwned(bytes, this.#onTaken, parts.length) === 'refused') {
        this.#giveUp();
        this.#sink.close('stream-overrun'); // closing already; or its own queue is full, and a gap that is not told would be worse
      }
    }
    this.#isFlushing = false;
  }

  /** @returns whether what waits shall wait for more */
  #gathers(): boolean {
    if (this.#messages === 0 && this.#droppedAtEnd === 0) return true;
    const { clock } = this.#sink;
    const nowMs = clock.nowMs();
    const gatherMs = typeof this.#gatherMs === 'number' ? this.#gatherMs : this.#gatherMs();
    const waitMs = this.#sentAtMs + gatherMs - nowMs;
    const isHalfFull = this.#bytes > this.#maxBytes / 2 || this.#messages > this.#maxMessages / 2;
    if (waitMs > 0 && !isHalfFull && !this.#sink.isClosing) {
      this.#cancelTimer ??= clock.after(waitMs, () => {
        this.#cancelTimer = undefined;
        this.#flush();
      });
      return true;
    }
    this.#endGathering();
    this.#sentAtMs = nowMs;
    return false;
  }

  #endGathering(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  /** Moves what waits longest into flight. */
  #nextBatch(): Uint8Array[] {
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for (const [key, { message, droppedBefore }] of this.#waiting) {
      if (bytes > 0 && bytes + message.length > BATCH_BYTES) break;
      this.#waiting.delete(key);
      this.#tellGap(droppedBefore, parts);
      parts.push(message);
      bytes += message.length;
      this.#inFlightMessages += 1;
    }
    this.#inFlightBytes = bytes;
    if (this.#waiting.size === 0) {
      this.#tellGap(this.#droppedAtEnd, parts);
      this.#droppedAtEnd = 0;
    }
    return parts;
  }

  #tellGap(dropped: number, parts: Uint8Array[]): void {
    if (dropped > 0 && this.#gapMessage) parts.push(this.#gapMessage(dropped));
  }

  readonly #onTaken = (): void => {
    this.#bytes -= this.#inFlightBytes;
    this.#messages -= this.#inFlightMessages;
    this.#inFlightBytes = 0;
    this.#inFlightMessages = 0;
    this.#isInFlight = false;
    if (this.#sink.isClosing) this.#giveUp();
    else this.#flush();
    for (const resolve of this.#onDrained.splice(0)) resolve();
  };

  /** The connection is closing: nothing more leaves. */
  #giveUp(): void {
    this.#endGathering();
    this.#waiting.clear();
    this.#droppedAtEnd = 0;
    this.#bytes = 0;
    this.#messages = 0;
    this.#inFlightBytes = 0;
    this.#inFlightMessages = 0;
    this.#isInFlight = false;
    for (const resolve of this.#onDrained.splice(0)) resolve();
  }
}
