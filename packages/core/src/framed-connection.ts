import { type FrameSink, FramingError, LengthFieldDecoder, type LengthFieldLayout } from '@sluice/framing';
import type { CloseReason, Connection, ConnectionHandler } from './connection.js';
import { CoreEvent } from './flight-event.js';
import { SLOW_HANDLER_MS } from './flight-recorder.js';
import type { MemoryAccount } from './memory-budget.js';

/**
 * Handles the frames of one connection, in order, one at a time. A method that returns a promise holds the connection's other frames
 * back, and its reading, until the promise settles. An error that is thrown or rejected closes the connection as `handler-failed`.
 */
export interface FrameHandler {
  /** A whole frame at `source[start, end)`. The bytes stay valid until `onBatchEnd` has returned. */
  onFrame(source: Uint8Array, start: number, end: number): void | Promise<void>;
  /** Optional, with `onPiece`: whether a frame that has begun is to be taken in pieces. See `FrameSink.onBegun`. */
  onBegun?(source: Uint8Array, start: number, end: number, frameLength: number): boolean;
  /** Further bytes of a frame taken in pieces; valid as in `onFrame`. */
  onPiece?(source: Uint8Array, start: number, end: number, isLast: boolean): void | Promise<void>;
  /** All frames of a chunk have been handed over, as far as they could be. */
  onBatchEnd?(): void | Promise<void>;
  /** The connection's queue has drained. */
  onDrained?(): void;
  /** The listener stops: end what need not be finished. The connection closes when the handler is neither busy nor sending. */
  onShutdown?(): void;
  /**
   * The peer's bytes are no frames, or a method failed. The connection closes after this; what is sent here still leaves.
   *
   * @returns the reason to close for; without one, `framing-error` or `handler-failed`
   */
  // biome-ignore lint/suspicious/noConfusingVoidType: most handlers have nothing to say
  onFailed?(error: unknown): CloseReason | void;
  onClosed?(reason: CloseReason, error: Error | undefined): void;
  /** Whether something is going on that a shutdown should wait for. Call `FramedConnection.check` when it ends. */
  readonly isBusy?: boolean;
  /** Whether more will be sent although the peer may have sent its last byte. Call `FramedConnection.check` when it ends. */
  readonly isSending?: boolean;
  /** Whether the peer has still to say who it is. See `ConnectionDeadlines.loginTimeoutMs`. */
  readonly isAwaitingLogin?: boolean;
  /** Whether it records its frames itself, by their names, with `Connection.record`; else each is recorded as `frame`. */
  readonly recordsFrames?: boolean;
}

/** Received bytes that wait for a handler, above which the connection is not read any more. */
const MAX_HELD_BYTES = 64 << 10;

/**
 * After so much time, in milliseconds, a connection leaves its further frames for its next turn. A chunk of small requests has thousands, and
 * with some hundred connections that send nothing else nobody would be answered for seconds.
 */
const TURN_MS = 0.25;
/** Who has used up a turn waits with the others of that kind for so long, in milliseconds, whenever any of them waits; who has not goes first. */
const HEAVY_FOR_MS = 1000;
/** The time is looked at with every so many frames. */
const FRAMES_PER_LOOK = 8;
/** The same, where the clock stands still. */
const MAX_FRAMES_PER_TURN = 512;

/** Cuts a connection's bytes into frames and gives them to a handler, no faster than it and the peer can take them. */
export class FramedConnection implements ConnectionHandler, FrameSink {
  readonly #connection: Connection;
  readonly #handler: FrameHandler;
  readonly #decoder: LengthFieldDecoder;
  /** Promises of the handler that have not settled. */
  #waiting = 0;
  /** When the first of them was made, on the clock of the listener. */
  #waitingSinceMs = 0;
  /** Frames are held back in the decoder. */
  #isStopped = false;
  #isShuttingDown = false;
  #hasPeerEnded = false;
  #frames = 0;
  /** Frames handled since the others had their turn. */
  #turnFrames = 0;
  #turnEndMs = 0;
  /** Until then it is one of those that have more to do than others. */
  #heavyUntilMs = Number.NEGATIVE_INFINITY;
  /** It has had its turn, and goes on in the next one. */
  #isTurnOver = false;
  readonly #account: MemoryAccount | undefined;
  /** Bytes of a frame that comes in pieces. */
  #pieceBytes = 0;
  /** What it receives is recorded by frames. */
  readonly recordsFrames = true;

  constructor(connection: Connection, layout: LengthFieldLayout, handler: FrameHandler) {
    this.#connection = connection;
    this.#handler = handler;
    this.#decoder = new LengthFieldDecoder(layout, this);
    this.#account = connection.receiveAccount;
  }

  /** Whole frames received. */
  get frames(): number {
    return this.#frames;
  }

  get isWorking(): boolean {
    return this.#waiting > 0;
  }

  get isSending(): boolean {
    return this.#handler.isSending === true;
  }

  get isAwaitingLogin(): boolean {
    return this.#handler.isAwaitingLogin === true;
  }

  get unfinishedFrame(): number | undefined {
    return this.#decoder.isMidFrame ? this.#frames + 1 : undefined;
  }

  onBytes(source: Uint8Array, start: number, end: number): void {
    if (this.#waiting > 0 || this.#isStopped || this.#isBehindOthers) {
      if (this.#waiting === 0 && !this.#isStopped) this.#endTurn();
      this.#isStopped = true;
      this.#decoder.hold(source, start, end);
      if (this.#decoder.bufferedBytes > this.#maxHeldBytes) this.#connection.pauseReading();
      this.#account?.set(this.#decoder.keptBytes);
      return;
    }
    this.#beginTurn();
    let wantsMore = false;
    try {
      wantsMore = this.#decoder.push(source, start, end);
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#endBatch(wantsMore);
  }

  onFrame(source: Uint8Array, start: number, end: number): boolean {
    this.#countFrame();
    if (!this.#handler.recordsFrames) this.#connection.record(CoreEvent.frameReceived, end - start);
    this.#await(this.#handler.onFrame(source, start, end));
    return this.#mayGoOn;
  }

  onBegun(source: Uint8Array, start: number, end: number, frameLength: number): boolean {
    this.#pieceBytes = frameLength;
    return this.#handler.onBegun?.(source, start, end, frameLength) ?? false;
  }

  onPiece(source: Uint8Array, start: number, end: number, isLast: boolean): boolean {
    if (isLast) {
      this.#countFrame();
      if (!this.#handler.recordsFrames) this.#connection.record(CoreEvent.frameReceived, this.#pieceBytes);
    }
    this.#await(this.#handler.onPiece?.(source, start, end, isLast));
    return this.#mayGoOn;
  }

  onPeerEnd(): void {
    this.#hasPeerEnded = true;
    this.check();
  }

  onDrained(): void {
    try {
      this.#handler.onDrained?.();
    } catch (error) {
      this.#fail(error);
    }
    this.#goOn();
  }

  onShutdown(): void {
    this.#isShuttingDown = true;
    this.#handler.onShutdown?.();
    this.check();
  }

  onMemoryShort(): void {
    this.#decoder.reset();
    this.#account?.set(0);
  }

  onClosed(reason: CloseReason, error: Error | undefined): void {
    this.#connection.turns.remove(this.#onNextTurn);
    this.#decoder.reset();
    this.#handler.onClosed?.(reason, error);
  }

  /** Closes the connection if it is to end and nothing is going on. For handlers whose `isBusy` or `isSending` has become false. */
  check(): void {
    if (this.#waiting > 0 || this.#isStopped || this.#handler.isSending) return;
    if (this.#hasPeerEnded) this.#connection.close('peer-closed');
    else if (this.#isShuttingDown && !this.#handler.isBusy && !this.#decoder.isMidFrame)
      this.#connection.close('shutdown');
  }

  get #mayGoOn(): boolean {
    return (
      this.#waiting === 0 && !this.#isTurnOver && !this.#connection.isAboveHighWaterMark && !this.#connection.isClosing
    );
  }

  get #isBehindOthers(): boolean {
    return this.#connection.turns.isBusy && this.#connection.nowMs() < this.#heavyUntilMs;
  }

  readonly #onNextTurn = (): void => {
    this.#isTurnOver = false;
    this.#beginTurn();
    if (!this.#connection.isClosing) this.#goOn();
  };

  #beginTurn(): void {
    this.#turnFrames = 0;
    this.#turnEndMs = this.#connection.nowMs() + TURN_MS;
  }

  #countFrame(): void {
    this.#frames += 1;
    this.#turnFrames += 1;
    if (this.#turnFrames % FRAMES_PER_LOOK !== 0 || this.#isTurnOver) return;
    const nowMs = this.#connection.nowMs();
    if (this.#turnFrames < MAX_FRAMES_PER_TURN && nowMs < this.#turnEndMs) return;
    this.#heavyUntilMs = nowMs + HEAVY_FOR_MS;
    this.#endTurn();
  }

  #endTurn(): void {
    this.#isTurnOver = true;
    this.#connection.turns.add(this.#onNextTurn);
  }

  #await(pending: void | Promise<void>): void {
    if (!pending) return;
    if (this.#waiting === 0) this.#waitingSinceMs = this.#connection.nowMs();
    this.#waiting += 1;
    pending.then(this.#onHandled, this.#onRejected);
  }

  readonly #onHandled = (): void => {
    this.#settle();
    this.#goOn();
  };

  readonly #onRejected = (error: unknown): void => {
    this.#settle();
    this.#fail(error);
  };

  #settle(): void {
    this.#waiting -= 1;
    if (this.#waiting > 0) return;
    const tookMs = this.#connection.nowMs() - this.#waitingSinceMs;
    if (tookMs >= SLOW_HANDLER_MS) this.#connection.record(CoreEvent.handlerSlow, Math.round(tookMs));
  }

  /** After a wait: the frames that were held back, then the socket again. */
  #goOn(): void {
    if (!this.#mayGoOn) return;
    if (!this.#isStopped) {
      this.#readOn();
      return;
    }
    let wantsMore = false;
    try {
      wantsMore = this.#decoder.resume();
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#endBatch(wantsMore);
  }

  #endBatch(wantsMore: boolean): void {
    this.#isStopped = !wantsMore;
    try {
      this.#await(this.#handler.onBatchEnd?.());
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#decoder.releaseFrame();
    this.#account?.set(this.#decoder.keptBytes);
    this.#readOn();
  }

  /** While memory is short, nothing is read ahead: that a peer is gone may then show later. */
  get #maxHeldBytes(): number {
    return this.#account?.budget.isShort ? 0 : MAX_HELD_BYTES;
  }

  #readOn(): void {
    this.#connection.flush();
    // While a handler works, reading goes on for a little: only who reads learns that the peer is gone. What comes is held.
    const mayRead = !this.#connection.isAboveHighWaterMark && !this.#connection.isClosing;
    if (mayRead && (!this.#isStopped || this.#decoder.bufferedBytes <= this.#maxHeldBytes))
      this.#connection.resumeReading();
    else this.#connection.pauseReading(); // until a promise settles or the queue drains: each calls #goOn
    this.check();
  }

  #fail(error: unknown): void {
    if (this.#connection.isClosing) return;
    let reason: CloseReason = error instanceof FramingError ? 'framing-error' : 'handler-failed';
    try {
      reason = this.#handler.onFailed?.(error) || reason;
    } catch (failure) {
      this.#connection.destroy('handler-failed', failure instanceof Error ? failure : new Error(String(failure)));
    }
    this.#connection.close(reason);
  }
}
