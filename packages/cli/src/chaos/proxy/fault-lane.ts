import type { Socket } from 'node:net';
import { bytesText, durationText } from '../../options/quantities.js';
import type { SeededRandom } from '../seeded-random.js';
import type { BufferAccount } from './buffer-account.js';
import type { Direction, LanePlan, Mark, PlayedFault } from './fault.js';

/** A lane that holds this much reads no more. A delay of 50 ms so lets 20 MiB/s through at most. */
const HIGH_WATER_MARK_BYTES = 1 << 20;
const LOW_WATER_MARK_BYTES = HIGH_WATER_MARK_BYTES / 2;
/** What an entry of the queue takes besides its bytes: a flood of single bytes is bounded, too. */
const ENTRY_BYTES = 256;
/** From the last byte before a reset to the reset: one that overtakes bytes takes them along. */
const RESET_DELAY_MS = 10;
/** Longest burst of a throttled lane. */
const BURST_MS = 50;

export interface LaneOwner {
  onFault(fault: PlayedFault): void;
  /** Both sockets are to be reset. */
  onReset(): void;
}

interface Entry {
  bytes: Buffer | undefined;
  readonly mark?: Mark;
  readonly isEnd?: true;
  /** Not to be delivered before. */
  readonly dueMs: number;
}

/** One direction of a connection: takes bytes from one socket and brings them to the other as its plan says, in order, and never holds more than its share. */
export class FaultLane {
  readonly direction: Direction;
  /** Bytes that were delivered. */
  delivered = 0;
  readonly #source: Socket;
  readonly #target: Socket;
  readonly #plan: LanePlan;
  readonly #random: SeededRandom;
  readonly #account: BufferAccount;
  readonly #owner: LaneOwner;
  readonly #pieceBytes: number;
  readonly #queue: Entry[] = [];
  #head = 0;
  #heldBytes = 0;
  #received = 0;
  #nextMark = 0;
  #lastDueMs = 0;
  #notBeforeMs = 0;
  /** Bytes that come are dropped: this direction is closed. */
  #isClosed = false;
  #isFrozen = false;
  /** A timer, a drain or the next turn will go on. */
  #isWaiting = false;
  #timer: NodeJS.Timeout | undefined;
  #hasStopped = false;

  constructor(
    direction: Direction,
    sockets: { readonly source: Socket; readonly target: Socket },
    plan: LanePlan,
    shared: { readonly random: SeededRandom; readonly account: BufferAccount; readonly owner: LaneOwner },
  ) {
    this.direction = direction;
    this.#source = sockets.source;
    this.#target = sockets.target;
    this.#plan = plan;
    this.#random = shared.random;
    this.#account = shared.account;
    this.#owner = shared.owner;
    const burst = plan.throttle && Math.max(1, Math.floor((plan.throttle.bytesPerSecond * BURST_MS) / 1000));
    this.#pieceBytes = Math.min(plan.slice?.bytes ?? Number.POSITIVE_INFINITY, burst ?? Number.POSITIVE_INFINITY);
  }

  start(): void {
    this.#source.on('data', this.#onData);
    this.#source.on('end', () => this.#push({ bytes: undefined, isEnd: true, dueMs: this.#dueMs() }));
    this.#target.on('drain', () => this.#goOn());
    this.#passMarks(Buffer.alloc(0));
    this.#pump();
    if (!this.#isFrozen) this.#source.resume();
  }

  /** Delivers nothing more and gives back what it holds. */
  stop(): void {
    if (this.#hasStopped) return;
    this.#hasStopped = true;
    clearTimeout(this.#timer);
    this.#account.remove(this.#heldBytes);
    this.#heldBytes = 0;
    this.#queue.length = 0;
    this.#head = 0;
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#isClosed || this.#hasStopped) return;
    if (this.#received === 0) this.#reportPaces();
    this.#passMarks(chunk);
    this.#pump();
    const isTooMuch = this.#heldBytes >= HIGH_WATER_MARK_BYTES || (this.#account.isFull && this.#heldBytes > 0);
    if (isTooMuch || this.#isFrozen) this.#source.pause();
  };

  /** Cuts the chunk where something happens, and queues its parts with that between them. */
  #passMarks(chunk: Buffer): void {
    let start = 0;
    for (;;) {
      const mark = this.#plan.marks[this.#nextMark];
      if (!mark) break;
      const cut = mark.atBytes - this.#received;
      // a bit is flipped in the byte behind, which has to be there
      if (cut > chunk.length || (mark.kind === 'flip' && cut === chunk.length)) break;
      this.#nextMark += 1;
      if (mark.kind === 'flip') {
        chunk[cut]! ^= 1 << mark.bit;
        this.#report(mark, `bit ${mark.bit}`);
        continue;
      }
      this.#push({ bytes: chunk.subarray(start, cut), dueMs: this.#dueMs() });
      this.#push({ bytes: undefined, mark, dueMs: this.#lastDueMs });
      start = cut;
      if (mark.kind === 'stall') continue;
      this.#received += cut;
      this.#isClosed = true;
      this.#isFrozen = mark.kind === 'freeze';
      return;
    }
    this.#received += chunk.length;
    this.#push({ bytes: chunk.subarray(start), dueMs: this.#dueMs() });
  }

  #push(entry: Entry): void {
    if (this.#hasStopped || entry.bytes?.length === 0) return;
    if (entry.isEnd && this.#isClosed) return;
    const held = (entry.bytes?.length ?? 0) + ENTRY_BYTES;
    this.#heldBytes += held;
    this.#account.add(held);
    this.#queue.push(entry);
    if (entry.isEnd) this.#pump();
  }

  /** When what comes now is to be delivered: never before what came earlier. */
  #dueMs(): number {
    const { delay } = this.#plan;
    if (!delay) return 0;
    const jitterMs = (this.#random.next() * 2 - 1) * delay.jitterMs;
    this.#lastDueMs = Math.max(this.#lastDueMs, performance.now() + Math.max(0, delay.ms + jitterMs));
    return this.#lastDueMs;
  }

  #goOn(): void {
    this.#isWaiting = false;
    this.#pump();
  }

  #pump(): void {
    while (!this.#isWaiting && !this.#hasStopped && this.#head < this.#queue.length) {
      const entry = this.#queue[this.#head]!;
      const nowMs = performance.now();
      const waitMs = Math.max(entry.dueMs, this.#notBeforeMs) - nowMs;
      if (waitMs > 0) {
        this.#wait(waitMs);
      } else if (entry.bytes) {
        this.#deliver(entry, entry.bytes, nowMs);
      } else {
        this.#shift();
        if (entry.mark) this.#play(entry.mark, nowMs);
        else this.#target.end();
      }
    }
  }

  #deliver(entry: Entry, bytes: Buffer, nowMs: number): void {
    const { slice, throttle } = this.#plan;
    const piece = bytes.length > this.#pieceBytes ? bytes.subarray(0, this.#pieceBytes) : bytes;
    if (piece.length < bytes.length) {
      entry.bytes = bytes.subarray(piece.length);
      this.#release(piece.length);
    } else {
      this.#shift();
    }
    this.delivered += piece.length;
    if (throttle) {
      const fromMs = Math.max(this.#notBeforeMs, nowMs - BURST_MS);
      this.#notBeforeMs = fromMs + (piece.length * 1000) / throttle.bytesPerSecond;
    }
    if (slice) this.#notBeforeMs = Math.max(this.#notBeforeMs, nowMs + slice.gapMs);
    if (!this.#target.write(piece)) {
      this.#isWaiting = true; // until it is drained
    } else if (slice) {
      // in a turn of its own, so that it leaves by itself
      this.#isWaiting = true;
      setImmediate(() => this.#goOn());
    }
  }

  #play(mark: Mark, nowMs: number): void {
    this.#report(mark, mark.kind === 'stall' ? `for ${durationText(mark.ms)}` : undefined);
    switch (mark.kind) {
      case 'stall':
        this.#notBeforeMs = Math.max(this.#notBeforeMs, nowMs + mark.ms);
        break;
      case 'half-close':
        this.#target.end();
        break;
      case 'reset':
        this.#timer = setTimeout(() => this.#owner.onReset(), RESET_DELAY_MS);
        break;
      default: // frozen: nothing is read any more, so nothing follows
    }
  }

  #wait(ms: number): void {
    this.#isWaiting = true;
    this.#timer = setTimeout(() => this.#goOn(), ms);
  }

  #shift(): void {
    const { bytes } = this.#queue[this.#head]!;
    this.#head += 1;
    if (this.#head === this.#queue.length || this.#head >= 1024) {
      this.#queue.splice(0, this.#head);
      this.#head = 0;
    }
    this.#release((bytes?.length ?? 0) + ENTRY_BYTES);
  }

  #release(bytes: number): void {
    this.#heldBytes -= bytes;
    this.#account.remove(bytes);
    if (this.#heldBytes <= LOW_WATER_MARK_BYTES && this.#source.isPaused() && !this.#isFrozen) this.#source.resume();
  }

  #report({ kind, atBytes }: Mark, detail?: string): void {
    this.#owner.onFault({
      fault: kind,
      direction: this.direction,
      atBytes,
      ...(detail !== undefined && { detail }),
    });
  }

  #reportPaces(): void {
    const { slice, delay, throttle } = this.#plan;
    const { direction } = this;
    if (slice) this.#owner.onFault({ fault: 'slice', direction, detail: `pieces of ${bytesText(slice.bytes)}` });
    if (delay) {
      const jitter = delay.jitterMs > 0 ? ` give or take ${durationText(delay.jitterMs)}` : '';
      this.#owner.onFault({ fault: 'delay', direction, detail: `${durationText(delay.ms)}${jitter}` });
    }
    if (throttle)
      this.#owner.onFault({ fault: 'throttle', direction, detail: `${bytesText(throttle.bytesPerSecond)}/s` });
  }
}
