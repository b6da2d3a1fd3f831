import { type CloseReason, type Connection, FramedConnection, type FrameHandler, MessageStream } from '@sluice/core';
import type { RandomSource, SimulatedClock } from '@sluice/testkit';
import {
  bulkByte,
  GAP,
  HEAD_BYTES,
  Kind,
  layout,
  message,
  POLICIES,
  PUBLISHED,
  PUSHED,
  uint32,
} from './ledger-messages.js';

const BLOCK_BYTES = 700;
const PUSHES = 5;
const PUSH_PERIOD_MS = 40;

const MAX_STREAM_BYTES = 3000;

/** Tells all followers. */
export class Publisher {
  readonly #streams = new Map<LedgerServer, { readonly stream: MessageStream; next: number }>();

  get followers(): number {
    return this.#streams.size;
  }

  add(follower: LedgerServer, stream: MessageStream): void {
    if (!this.#streams.has(follower)) this.#streams.set(follower, { stream, next: 0 });
  }

  remove(follower: LedgerServer): void {
    this.#streams.delete(follower);
  }

  /** To each follower its own numbers: 0, 1, 2 and so on. */
  publish(bodyBytes: number, key: string): void {
    for (const follower of this.#streams.values())
      follower.stream.offer(message(PUBLISHED, follower.next++, new Uint8Array(bodyBytes)), key);
  }
}

/** Uses everything that a framed protocol may use of core. */
export class LedgerServer implements FrameHandler {
  readonly #connection: Connection;
  readonly #clock: SimulatedClock;
  readonly #random: RandomSource;
  readonly #kept: Set<string>;
  readonly #publisher: Publisher;
  #framed!: FramedConnection;
  #wake: (() => void) | undefined;
  #pushesLeft = 0;
  #stopPushing: (() => void) | undefined;
  #pieces: { readonly id: number; sum: number } | undefined;

  static start(
    connection: Connection,
    clock: SimulatedClock,
    random: RandomSource,
    kept: Set<string>,
    publisher: Publisher,
  ): FramedConnection {
    const server = new LedgerServer(connection, clock, random, kept, publisher);
    server.#framed = new FramedConnection(connection, layout, server);
    return server.#framed;
  }

  private constructor(
    connection: Connection,
    clock: SimulatedClock,
    random: RandomSource,
    kept: Set<string>,
    publisher: Publisher,
  ) {
    this.#publisher = publisher;
    this.#connection = connection;
    this.#clock = clock;
    this.#random = random;
    this.#kept = kept;
  }

  get isSending(): boolean {
    return this.#pushesLeft > 0;
  }

  get isBusy(): boolean {
    return this.#pushesLeft > 0;
  }

  onFrame(source: Uint8Array, start: number, end: number): void | Promise<void> {
    const frame = Buffer.from(source.subarray(start, end));
    const id = frame.readUInt32BE(5);
    const body = frame.subarray(HEAD_BYTES);
    switch (frame[4]) {
      case Kind.Keep:
        this.#keep(id, body);
        return;
      case Kind.KeepLater:
        return this.#after(this.#random.between(0, 200)).then(() => this.#keep(id, body));
      case Kind.Bulk:
        return this.#bulk(id, body.readUInt32BE());
      case Kind.Sum:
        this.#answerSum(id, fold(0, body));
        return;
      case Kind.Lend:
        this.#lend(id, body);
        return;
      case Kind.Watch:
        this.#watch(id);
        return;
      case Kind.Follow: {
        this.#send(message(Kind.Follow, id));
        const options = {
          policy: POLICIES[body[0]! % POLICIES.length]!,
          maxBytes: MAX_STREAM_BYTES,
          gapMessage: (dropped: number) => message(GAP, dropped),
        };
        this.#publisher.add(this, new MessageStream(this.#connection, options));
        return;
      }
      case Kind.Leave:
        this.#send(message(Kind.Leave, id));
        this.#connection.close('left');
        return;
      default:
        throw new Error(`a request of kind ${frame[4]}`);
    }
  }

  onBegun(source: Uint8Array, start: number, end: number, frameLength: number): boolean {
    if (end - start < HEAD_BYTES || frameLength < 2000 || source[start + 4] !== Kind.Sum) return false;
    const id = Buffer.from(source.subarray(start, start + HEAD_BYTES)).readUInt32BE(5);
    this.#pieces = { id, sum: fold(0, source.subarray(start + HEAD_BYTES, end)) };
    return true;
  }

  onPiece(source: Uint8Array, start: number, end: number, isLast: boolean): void | Promise<void> {
    const pieces = this.#pieces!;
    pieces.sum = fold(pieces.sum, source.subarray(start, end));
    if (!isLast) return;
    return this.#after(this.#random.between(0, 5)).then(() => this.#answerSum(pieces.id, pieces.sum));
  }

  onBatchEnd(): void | Promise<void> {
    if (this.#random.chance(0.1)) return this.#after(1);
  }

  onDrained(): void {
    this.#wake?.();
  }

  onShutdown(): void {
    this.#stop();
  }

  onClosed(_reason: CloseReason, _error: Error | undefined): void {
    this.#stop();
    this.#publisher.remove(this);
    this.#wake?.();
  }

  #keep(id: number, body: Uint8Array): void {
    if (this.#connection.isClosing) return;
    this.#kept.add(`${id} ${Buffer.from(body).toString('hex')}`);
    this.#send(message(Kind.Keep, id, body));
  }

  async #bulk(id: number, bytes: number): Promise<void> {
    for (let at = 0; at < bytes; at += BLOCK_BYTES) {
      const block = Uint8Array.from({ length: Math.min(BLOCK_BYTES, bytes - at) }, (_, i) => bulkByte(id, at + i));
      const result = this.#connection.send(message(Kind.Bulk, id, block));
      if (result === 'refused') return;
      if (result === 'queued' && !this.#connection.isClosing)
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
    this.#connection.send(message(Kind.Bulk, id));
  }

  #answerSum(id: number, sum: number): void {
    this.#connection.sendInPlace(HEAD_BYTES + 4, (target, at) => {
      target.set(message(Kind.Sum, id, uint32(sum)), at);
      return HEAD_BYTES + 4;
    });
  }

  #lend(id: number, body: Uint8Array): void {
    const lent = message(Kind.Lend, id, body);
    this.#connection.sendOwned(lent, () => lent.fill(0xaa));
  }

  #watch(id: number): void {
    this.#send(message(Kind.Watch, id));
    this.#pushesLeft += PUSHES;
    this.#stopPushing ??= this.#clock.every(PUSH_PERIOD_MS, () => {
      // A peer that does not read misses some.
      if (!this.#connection.isAboveHighWaterMark) this.#send(message(PUSHED, this.#pushesLeft));
      this.#pushesLeft -= 1;
      if (this.#pushesLeft > 0) return;
      this.#stop();
      this.#framed.check();
    });
  }

  #stop(): void {
    this.#pushesLeft = 0;
    this.#stopPushing?.();
    this.#stopPushing = undefined;
  }

  #send(bytes: Uint8Array): void {
    this.#connection.send(bytes);
  }

  #after(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.after(delayMs, resolve);
    });
  }
}

function fold(sum: number, bytes: Uint8Array): number {
  let folded = sum;
  for (const byte of bytes) folded = (folded * 33 + byte) >>> 0;
  return folded;
}
