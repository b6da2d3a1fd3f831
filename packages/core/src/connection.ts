import type net from 'node:net';
import type { Clock } from './clock.js';
import { type OutboundLimits, OutboundQueue, type SendResult } from './outbound-queue.js';
import { type ReceiveMode, startReceiving } from './receive-buffer.js';

/** Why a connection ended. The first reason given counts. Servers add reasons of their own. */
export type CloseReason =
  | 'peer-closed'
  | 'peer-reset'
  | 'socket-error'
  | 'first-byte-timeout'
  | 'idle-timeout'
  | 'framing-error'
  | 'handler-failed'
  | 'shutdown'
  | (string & {});

/** What a connection tells its owner. Calls come one at a time, never from within `send`. What a call throws ends the connection. */
export interface ConnectionHandler {
  /** Bytes have come: `source[start, end)`, valid until the call returns. Never after `close` or `destroy`. */
  onBytes(source: Uint8Array, start: number, end: number): void;
  /** The peer has sent its last byte; it may still read. Without this method the connection is closed. */
  onPeerEnd?(): void;
  /** The queue has drained after a `queued`. */
  onDrained?(): void;
  /** The listener stops: end what is begun, then close. Without this method the connection is closed at once. */
  onShutdown?(): void;
  /** The connection is gone, once for each connection. */
  onClosed?(reason: CloseReason, error: Error | undefined): void;
  /** Whether the handler works on something while nothing moves on the wire; the idle timeout does not run meanwhile. */
  readonly isWorking?: boolean;
}

export interface ConnectionLimits {
  /**
   * Time from `close`, and from each later sign that the peer takes what is queued, until the peer must have closed, in milliseconds.
   *
   * @default 3000
   */
  readonly closeTimeoutMs: number;
  readonly outbound: OutboundLimits;
}

export interface ConnectionInit {
  readonly id: number;
  /** Accepted with `pauseOnConnect`, not yet read. */
  readonly socket: net.Socket;
  readonly clock: Clock;
  readonly limits: ConnectionLimits;
  readonly receiveMode: ReceiveMode | undefined;
  /** Called once, when nothing of the connection is pending any more. `failure` is what its handler's `onClosed` threw. */
  readonly onGone: (connection: Connection, failure?: unknown) => void;
}

const nothing: ConnectionHandler = { onBytes() {} };

/** One accepted socket, from its admission to its end: one owner, one close, one close reason. */
export class Connection {
  readonly id: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly openedAtMs: number;
  readonly #socket: net.Socket;
  readonly #clock: Clock;
  readonly #limits: ConnectionLimits;
  readonly #queue: OutboundQueue;
  readonly #onGone: (connection: Connection, failure?: unknown) => void;
  #handler: ConnectionHandler = nothing;
  #state: 'open' | 'closing' | 'destroyed' = 'open';
  #reason: CloseReason | undefined;
  #error: Error | undefined;
  #closeDeadlineMs = Number.POSITIVE_INFINITY;
  #lastActivityMs: number;
  #receivedBytes = 0;
  #isReadingPaused = false;

  /** Made by the listener. Set the handler before the next tick: bytes may come then. */
  constructor({ id, socket, clock, limits, receiveMode, onGone }: ConnectionInit) {
    this.id = id;
    this.localAddress = socket.localAddress ?? '';
    this.localPort = socket.localPort ?? 0;
    this.remoteAddress = socket.remoteAddress ?? '';
    this.remotePort = socket.remotePort ?? 0;
    this.openedAtMs = clock.nowMs();
    this.#lastActivityMs = this.openedAtMs;
    this.#clock = clock;
    this.#limits = limits;
    this.#onGone = onGone;
    this.#socket = startReceiving(socket, this.#onChunk, receiveMode);
    this.#queue = new OutboundQueue(this.#socket, limits.outbound, this.#onProgress);
    this.#socket.on('end', this.#onEnd);
    this.#socket.on('error', this.#onError);
    this.#socket.on('close', this.#onSocketClosed);
  }

  set handler(handler: ConnectionHandler) {
    this.#handler = handler;
  }

  get handler(): ConnectionHandler {
    return this.#handler;
  }

  /** Whether `close` or `destroy` was called, or the socket has failed. */
  get isClosing(): boolean {
    return this.#state !== 'open';
  }

  /** Why the connection ends or ended, once that is known. */
  get closeReason(): CloseReason | undefined {
    return this.#reason;
  }

  /** Bytes received, including those still to be handled. */
  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** Bytes the system has taken for the peer. */
  get sentBytes(): number {
    return this.#queue.sentBytes;
  }

  /** Bytes that wait for the peer to read. */
  get queuedBytes(): number {
    return this.#queue.queuedBytes;
  }

  /** Whether senders should wait for `onDrained`. */
  get isAboveHighWaterMark(): boolean {
    return this.#queue.isAboveHighWaterMark;
  }

  /** When bytes were last received, or taken from us, on the clock of the listener. */
  get lastActivityMs(): number {
    return this.#lastActivityMs;
  }

  /** Queues a copy of `bytes`; all that is sent in one tick leaves in one write. */
  send(bytes: Uint8Array): SendResult {
    return this.#state === 'open' ? this.#queue.send(bytes) : 'refused';
  }

  /** Lets `fill` write a message of at most `maxBytes` bytes where it will be sent from. See `OutboundQueue.sendInPlace`. */
  sendInPlace(maxBytes: number, fill: (target: Uint8Array, at: number) => number): SendResult {
    return this.#state === 'open' ? this.#queue.sendInPlace(maxBytes, fill) : 'refused';
  }

  /** Queues `bytes` themselves: they must stay as they are until `release` is called, maybe before this returns. */
  sendOwned(bytes: Uint8Array, release: () => void): SendResult {
    return this.#state === 'open' ? this.#queue.sendOwned(bytes, release) : 'refused';
  }

  /** Writes what was sent in this tick now. */
  flush(): void {
    this.#queue.flush();
  }

  /** No bytes are read until `resumeReading`. TCP makes the peer wait. */
  pauseReading(): void {
    if (this.#isReadingPaused || this.#state !== 'open') return;
    this.#isReadingPaused = true;
    this.#socket.pause();
  }

  resumeReading(): void {
    if (!this.#isReadingPaused || this.#state !== 'open') return;
    this.#isReadingPaused = false;
    this.#socket.resume();
  }

  /** Sends what is queued, then ends. What still comes is dropped. Does nothing when the connection is closing already. */
  close(reason: CloseReason): void {
    if (this.#state !== 'open') return;
    this.#queue.flush();
    this.#state = 'closing';
    this.#reason ??= reason;
    this.#closeDeadlineMs = this.#clock.nowMs() + this.#limits.closeTimeoutMs;
    // Reading goes on: bytes left unread would turn our FIN into a reset, and the peer could lose the last answers.
    if (this.#isReadingPaused) this.#socket.resume();
    this.#socket.end();
  }

  /** Ends now; what is queued is dropped. */
  destroy(reason: CloseReason, error?: Error): void {
    if (this.#state === 'destroyed') return;
    this.#state = 'destroyed';
    this.#reason ??= reason;
    this.#error ??= error;
    this.#socket.destroy();
    this.#queue.close(); // after the socket: buffers are given back once nothing can be written from them
  }

  /** Ends the connection if one of its deadlines has passed. Called by the listener's one timer. */
  checkDeadlines(nowMs: number, firstByteTimeoutMs: number, idleTimeoutMs: number): void {
    if (this.#state === 'destroyed') return;
    if (nowMs >= this.#closeDeadlineMs) this.destroy('close-timeout');
    else if (this.#state !== 'open') return;
    else if (firstByteTimeoutMs > 0 && this.#receivedBytes === 0 && nowMs - this.openedAtMs >= firstByteTimeoutMs)
      this.destroy('first-byte-timeout');
    else if (this.#handler.isWorking && this.#queue.queuedBytes === 0) this.#lastActivityMs = nowMs;
    else if (idleTimeoutMs > 0 && nowMs - this.#lastActivityMs >= idleTimeoutMs) this.close('idle-timeout');
  }

  /** Tells the handler that the listener stops. */
  shutDown(): void {
    if (this.#state === 'open') this.#tell('onShutdown', 'shutdown');
  }

  readonly #onChunk = (source: Uint8Array, start: number, end: number): void => {
    this.#receivedBytes += end - start;
    if (this.#state !== 'open') return;
    this.#lastActivityMs = this.#clock.nowMs();
    this.#queue.hold();
    try {
      this.#handler.onBytes(source, start, end);
    } catch (error) {
      this.#failHandler(error);
    }
    this.#queue.flush();
  };

  readonly #onProgress = (hasDrained: boolean): void => {
    this.#lastActivityMs = this.#clock.nowMs();
    // A slow peer that takes what it is told to the end may do so; one that takes nothing is cut.
    if (this.#state === 'closing') this.#closeDeadlineMs = this.#lastActivityMs + this.#limits.closeTimeoutMs;
    if (hasDrained && this.#state === 'open') this.#tell('onDrained');
  };

  readonly #onEnd = (): void => {
    if (this.#state === 'open') this.#tell('onPeerEnd', 'peer-closed');
  };

  /** Calls a method of the handler. A handler that does not have it is closed, where a reason is given. */
  #tell(method: 'onPeerEnd' | 'onDrained' | 'onShutdown', otherwise?: CloseReason): void {
    try {
      if (this.#handler[method]) this.#handler[method]();
      else if (otherwise) this.close(otherwise);
    } catch (error) {
      this.#failHandler(error);
    }
  }

  #failHandler(error: unknown): void {
    this.destroy('handler-failed', error instanceof Error ? error : new Error(String(error)));
  }

  readonly #onError = (error: NodeJS.ErrnoException): void => {
    const isReset = error.code === 'ECONNRESET' || error.code === 'EPIPE';
    this.destroy(isReset ? 'peer-reset' : 'socket-error', error);
  };

  readonly #onSocketClosed = (): void => {
    this.#state = 'destroyed';
    this.#queue.close();
    this.#reason ??= 'peer-closed';
    let failure: unknown;
    try {
      this.#handler.onClosed?.(this.#reason, this.#error);
    } catch (error) {
      failure = error;
    }
    this.#handler = nothing;
    this.#onGone(this, failure);
  };
}
