import type net from 'node:net';
import type { TLSSocket } from 'node:tls';
import { ChunkJoiner } from '@sluice/framing';
import type { Slot } from './admission.js';
import type { CarriedStream } from './carried-stream.js';
import type { Clock } from './clock.js';
import { type ConnectionDeadlines, type DeadlineReason, DeadlineWatch } from './deadlines.js';
import { CoreEvent } from './flight-event.js';
import { FlightRecorder, SLOW_HANDLER_MS } from './flight-recorder.js';
import type { MemoryAccount, MemoryHolder } from './memory-budget.js';
import type { MemoryCeiling } from './memory-ceiling.js';
import type { MessageCounters } from './message-stream.js';
import { type OutboundLimits, OutboundQueue, type SendResult } from './outbound-queue.js';
import { ProxyHeaderReader } from './proxy-header-reader.js';
import { type ReceiveMode, startReceiving, stopReceiving } from './receive-buffer.js';
import { type TlsAcceptor, TlsRefusedError } from './tls-acceptor.js';
import { TlsSession } from './tls-session.js';
import type { TurnQueue } from './turn-queue.js';
import { unwrittenBytes } from './unwritten-bytes.js';

/** Why a connection ended. The first reason given counts. Servers add reasons of their own. */
export type CloseReason =
  | 'peer-closed'
  | 'peer-reset'
  | 'socket-error'
  | 'first-byte-timeout'
  | 'login-timeout'
  | 'frame-timeout'
  | 'idle-timeout'
  | 'write-stall'
  | 'stream-overrun'
  | 'framing-error'
  | 'handler-failed'
  | 'proxy-header'
  | 'tls-handshake'
  | 'tls-busy'
  | 'tls-handshake-timeout'
  | 'memory'
  | 'displaced'
  | 'network-limit'
  | 'worker-died'
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
  /** The connection is being ended because it holds too much: give that back now. `onClosed` follows. */
  onMemoryShort?(): void;
  /** The connection is gone, once for each connection. */
  onClosed?(reason: CloseReason, error: Error | undefined): void;
  /** Whether the handler works on something while nothing moves on the wire; that time is not the peer's. See `ConnectionDeadlines`. */
  readonly isWorking?: boolean;
  /** Whether it sends what the peer has asked for: what the peer takes then keeps the connection from being idle. */
  readonly isSending?: boolean;
  /** Whether the peer has still to say who it is. */
  readonly isAwaitingLogin?: boolean;
  /** Of the frame, counted from any number on, of which a part has come and the rest has not; `undefined` between frames. */
  readonly unfinishedFrame?: number | undefined;
  /** Whether it records what it receives itself, frame by frame; else each chunk is recorded. */
  readonly recordsFrames?: boolean;
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
  /** Accepted with `pauseOnConnect`, not yet read; or what carries an adopted stream. */
  readonly socket: net.Socket | CarriedStream;
  readonly slot: Slot;
  readonly clock: Clock;
  readonly limits: ConnectionLimits;
  readonly receiveMode: ReceiveMode | undefined;
  /** Makes a TLS connection of one whose first byte is that of a handshake. Without it, that byte is like any other. */
  readonly tls: TlsAcceptor | undefined;
  /** Whether the peer is a balancer that begins with a header of the PROXY protocol. */
  readonly isProxied: boolean;
  readonly messageCounters: MessageCounters;
  readonly turns: TurnQueue;
  /** What the server may hold. @default without a limit */
  readonly memory?: MemoryCeiling | undefined;
  /** Whether the first bytes of the handler show that the peer is a client; otherwise the handler calls `establish`. */
  readonly isEstablishedByBytes: boolean;
  /** Called once, when the peer has shown that it is a client. */
  readonly onEstablished: (connection: Connection) => void;
  /** Called when a balancer has told where the peer really is. @returns whether it may stay */
  readonly onRelocated: (connection: Connection) => boolean;
  /** Called once, when nothing of the connection is pending any more. `failure` is what its handler's `onClosed` threw. */
  readonly onGone: (connection: Connection, failure?: unknown) => void;
}

const nothing: ConnectionHandler = { onBytes() {} };

/** What was waited for when a deadline passed; the value says for how long. */
const LATE_EVENTS: Readonly<Record<DeadlineReason, number>> = {
  'first-byte-timeout': CoreEvent.firstByteLate,
  'login-timeout': CoreEvent.loginLate,
  'frame-timeout': CoreEvent.frameLate,
  'idle-timeout': CoreEvent.messageLate,
  'write-stall': CoreEvent.readingLate,
};

/** The first byte of a TLS handshake; RFC 8446, 5.1. */
const TLS_HANDSHAKE = 0x16;

/**
 * One accepted socket, from its admission to its end: one owner, one close, one close reason.
 *
 * ```text
 * admitted ─► [PROXY header] ─► first byte ─┬─► open ─► closing ─► destroyed
 *                                     0x16  └─► securing ─► open: the handler sees what is inside TLS
 * ```
 */
export class Connection implements MemoryHolder {
  readonly id: number;
  /** Its place; the listener's. */
  readonly slot: Slot;
  readonly openedAtMs: number;
  /** Of all connections of the listener. */
  readonly messageCounters: MessageCounters;
  /** Likewise. */
  readonly turns: TurnQueue;
  /** What has happened on it. Stays when the connection is gone. */
  readonly recorder: FlightRecorder;
  #localAddress: string;
  #localPort: number;
  #remoteAddress: string;
  #remotePort: number;
  #socket: net.Socket;
  readonly #clock: Clock;
  readonly #limits: ConnectionLimits;
  #queue: OutboundQueue;
  readonly #isEstablishedByBytes: boolean;
  readonly #onEstablished: (connection: Connection) => void;
  readonly #onRelocated: (connection: Connection) => boolean;
  readonly #onGone: (connection: Connection, failure?: unknown) => void;
  #isEstablished = false;
  #handler: ConnectionHandler = nothing;
  #state: 'open' | 'securing' | 'closing' | 'destroyed' = 'open';
  /** What may stand before the bytes of the handler; `undefined` once the first of these has come. */
  #opening: { header: ProxyHeaderReader | undefined; readonly tls: TlsAcceptor | undefined } | undefined;
  #tls: TlsSession | undefined;
  /** Of a TLS connection. */
  #joiner: ChunkJoiner | undefined;
  #reason: CloseReason | undefined;
  #error: Error | undefined;
  #closingSinceMs = 0;
  readonly #watch: DeadlineWatch;
  #receivedBytes = 0;
  #isReadingPaused = false;
  /** For how many budgets it is not read. */
  #memoryPauses = 0;
  readonly #memory: MemoryCeiling | undefined;
  /** What has been received and is not handled. `undefined` without a limit. */
  readonly receiveAccount: MemoryAccount | undefined;
  /** What carries an adopted stream; `undefined` for a socket. */
  readonly carrier: CarriedStream | undefined;
  readonly #sendAccount: MemoryAccount | undefined;
  /** A chunk is being handled: the recorder knows what time it is. */
  #isHandling = false;
  /** Since `queueHigh` was recorded the queue has not drained. */
  #isQueueHigh = false;

  /** Made by the listener. Set the handler before the next tick: bytes may come then. */
  constructor(init: ConnectionInit) {
    const { id, slot, clock, limits, tls, isProxied, messageCounters, memory } = init;
    this.carrier = isCarried(init.socket) ? init.socket : undefined;
    // A carrier is for a connection what a socket is, as far as one is used here.
    const socket = init.socket as net.Socket;
    this.id = id;
    this.slot = slot;
    this.turns = init.turns;
    this.#localAddress = socket.localAddress ?? '';
    this.#localPort = socket.localPort ?? 0;
    this.#remoteAddress = socket.remoteAddress ?? '';
    this.#remotePort = socket.remotePort ?? 0;
    this.openedAtMs = clock.nowMs();
    this.messageCounters = messageCounters;
    this.recorder = new FlightRecorder(this.openedAtMs);
    this.#watch = new DeadlineWatch(this.openedAtMs);
    if (tls || isProxied) this.#opening = { header: isProxied ? new ProxyHeaderReader() : undefined, tls };
    this.#clock = clock;
    this.#limits = limits;
    this.#isEstablishedByBytes = init.isEstablishedByBytes;
    this.#onEstablished = init.onEstablished;
    this.#onRelocated = init.onRelocated;
    this.#onGone = init.onGone;
    this.#memory = memory;
    this.receiveAccount = memory?.receive.open(this);
    this.#sendAccount = memory?.send.open(this);
    this.#socket = startReceiving(socket, this.#onRawChunk, this.carrier ? 'reused' : init.receiveMode);
    this.#queue = new OutboundQueue(this.#socket, limits.outbound, this.#onProgress, this.#sendAccount);
    this.#listen();
  }

  #listen(): void {
    this.#socket.on('end', this.#onEnd);
    this.#socket.on('error', this.#onError);
    this.#socket.on('close', this.#onSocketClosed);
  }

  /** The address the peer has connected to; of the balancer that stands before us, once that has told it. */
  get localAddress(): string {
    return this.#localAddress;
  }
  get localPort(): number {
    return this.#localPort;
  }

  /** Where the peer is; behind a balancer that uses the PROXY protocol, the real peer, from the first byte of the handler on. */
  get remoteAddress(): string {
    return this.#remoteAddress;
  }
  get remotePort(): number {
    return this.#remotePort;
  }

  /** What is known of its TLS; `undefined` for a plain connection, and until the handshake is done, which is before the first byte. */
  get tls(): TlsSession | undefined {
    return this.#tls;
  }

  /** Whether nobody can read it on its way. */
  get isEncrypted(): boolean {
    return this.#tls !== undefined || this.carrier?.isEncrypted === true;
  }

  set handler(handler: ConnectionHandler) {
    this.#handler = handler;
  }

  get handler(): ConnectionHandler {
    return this.#handler;
  }

  /** Whether `close` or `destroy` was called, or the socket has failed. */
  get isClosing(): boolean {
    return this.#state === 'closing' || this.#state === 'destroyed';
  }

  /** Of the listener. */
  get clock(): Clock {
    return this.#clock;
  }

  /** Why the connection ends or ended, once that is known. */
  get closeReason(): CloseReason | undefined {
    return this.#reason;
  }

  /** Whether the peer has shown that it is a client. */
  get isEstablished(): boolean {
    return this.#isEstablished;
  }

  /**
   * Says that the peer has shown that it is a client, by a login for instance: from then on it does not count among those that may be displaced
   * by newcomers. Calling it again does nothing. See `ListenerOptions.establishedBy`.
   */
  establish(): void {
    if (this.#isEstablished || this.isClosing) return;
    this.#isEstablished = true;
    this.#onEstablished(this);
  }

  /** Bytes received, including those still to be handled; inside TLS, and without a PROXY header. */
  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** Bytes the system has taken for the peer; inside TLS. */
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

  /** When bytes were last received, or taken from us, or the handler worked, on the clock of the listener. */
  get lastActivityMs(): number {
    return this.#watch.lastActivityMs;
  }

  /** What the system, or the handler, said of the end, where it said something. */
  get closeError(): Error | undefined {
    return this.#error;
  }

  /**
   * Queues a copy of `bytes`; all that is sent in one tick leaves in one write. During a TLS handshake it is refused.
   *
   * @param event for the recorder: what is sent
   */
  send(bytes: Uint8Array, event: number = CoreEvent.sent): SendResult {
    if (this.#state !== 'open') return 'refused';
    return this.#noteSent(this.#queue.send(bytes), event, bytes.length, 1);
  }

  /** Lets `fill` write a message of at most `maxBytes` bytes where it will be sent from. See `OutboundQueue.sendInPlace`. */
  sendInPlace(
    maxBytes: number,
    fill: (target: Uint8Array, at: number) => number,
    event: number = CoreEvent.sent,
  ): SendResult {
    if (this.#state !== 'open') return 'refused';
    const before = this.#queue.sentBytes + this.#queue.queuedBytes;
    const result = this.#queue.sendInPlace(maxBytes, fill);
    return this.#noteSent(result, event, this.#queue.sentBytes + this.#queue.queuedBytes - before, 1);
  }

  /**
   * Queues `bytes` themselves: they must stay as they are until `release` is called, maybe before this returns.
   *
   * @param count messages that these are
   */
  sendOwned(bytes: Uint8Array, release: () => void, count = 1, event: number = CoreEvent.sent): SendResult {
    if (this.#state !== 'open') return 'refused';
    const length = bytes.length;
    return this.#noteSent(this.#queue.sendOwned(bytes, release), event, length, count);
  }

  /** What time it is for the listener. */
  nowMs(): number {
    return this.#clock.nowMs();
  }

  /** Records `event`, from `flightEvent`, as of now. */
  record(event: number, value?: number, count?: number): void {
    if (!this.#isHandling) this.recorder.nowMs = this.#clock.nowMs();
    this.recorder.record(event, value, count);
  }

  #noteSent(result: SendResult, event: number, bytes: number, count: number): SendResult {
    this.record(result === 'refused' ? CoreEvent.sendRefused : event, bytes, count);
    if (result === 'queued' && !this.#isQueueHigh) {
      this.#isQueueHigh = true;
      this.record(CoreEvent.queueHigh, this.#queue.queuedBytes);
    }
    return result;
  }

  /** Writes what was sent in this tick now. */
  flush(): void {
    this.#queue.flush();
  }

  /** Whether `pauseReading` was called, and `resumeReading` was not. */
  get isReadingPaused(): boolean {
    return this.#isReadingPaused || this.#memoryPauses > 0;
  }

  /** No bytes are read until `resumeReading`. TCP makes the peer wait. */
  pauseReading(): void {
    if (this.#isReadingPaused || this.isClosing) return;
    this.#isReadingPaused = true;
    this.record(CoreEvent.readingPaused, this.#queue.queuedBytes);
    if (this.#state === 'open') this.#pause();
  }

  /** What the server may hold, and does. */
  get memory(): MemoryCeiling | undefined {
    return this.#memory;
  }

  pauseForMemory(): void {
    this.#memoryPauses += 1;
    if (this.#memoryPauses > 1 || this.#state === 'destroyed') return;
    this.record(CoreEvent.memoryPaused, this.#accountedBytes);
    if (this.#state === 'open') this.#pause();
  }

  resumeForMemory(): void {
    this.#memoryPauses -= 1;
    if (this.#memoryPauses > 0 || this.#state === 'destroyed') return;
    this.record(CoreEvent.memoryResumed, this.#accountedBytes);
    if (this.#state === 'open' && !this.#isReadingPaused) this.#resume();
  }

  /** What it holds of what all connections may hold together. */
  get #accountedBytes(): number {
    return (this.receiveAccount?.bytes ?? 0) + (this.#sendAccount?.bytes ?? 0);
  }

  closeForMemory(): void {
    this.destroy('memory');
    this.#handler.onMemoryShort?.();
  }

  resumeReading(): void {
    if (!this.#isReadingPaused || this.isClosing) return;
    this.#isReadingPaused = false;
    this.record(CoreEvent.readingResumed, this.#queue.queuedBytes);
    if (this.#state === 'open' && this.#memoryPauses === 0) this.#resume();
  }

  /** Sends what is queued, then ends. What still comes is dropped. Does nothing when the connection is closing already. */
  close(reason: CloseReason): void {
    if (this.#state === 'securing') this.destroy(reason);
    if (this.#state !== 'open') return;
    this.#reason ??= reason;
    this.#queue.flush();
    if (this.isClosing) return; // its budget has ended it for what the flush has left here
    this.#state = 'closing';
    this.#closingSinceMs = this.#clock.nowMs();
    this.record(CoreEvent.closing, this.#queue.queuedBytes);
    // Reading goes on: bytes left unread would turn our FIN into a reset, and the peer could lose the last answers.
    if (this.#isReadingPaused || this.#memoryPauses > 0) this.#resume();
    this.#socket.end();
  }

  /** Ends now; what is queued is dropped. */
  destroy(reason: CloseReason, error?: Error): void {
    if (this.#state === 'destroyed') return;
    this.#state = 'destroyed';
    this.#reason ??= reason;
    this.#error ??= error;
    this.record(CoreEvent.cut, this.#queue.queuedBytes);
    this.#socket.destroy();
    this.#queue.close(); // after the socket: buffers are given back once nothing can be written from them
  }

  /** Ends it now, for a newcomer: it has not shown that it is a client's. */
  displace(): void {
    this.record(CoreEvent.displaced, Math.round(this.#clock.nowMs() - this.openedAtMs));
    this.destroy('displaced');
  }

  /** Ends the connection if one of its deadlines has passed. Called by the listener's one timer. */
  checkDeadlines(nowMs: number, deadlines: ConnectionDeadlines): void {
    if (this.#state === 'destroyed') return;
    if (this.#state === 'securing') {
      if (!this.#watch.isHandshakeLate(nowMs, deadlines)) return;
      this.record(CoreEvent.handshakeLate, this.#watch.awaitedMs(nowMs));
      this.destroy('tls-handshake-timeout');
      return;
    }
    const isBackedUp = this.#queue.hasBeenBackedUp();
    this.#watch.noteUnwritten(nowMs, isBackedUp ? unwrittenBytes(this.#socket) : undefined);
    if (this.#state === 'closing') {
      // A slow peer that takes what it is told to the end may do so; one that takes nothing is cut.
      const sinceMs = Math.max(this.#closingSinceMs, this.#watch.lastTakenMs);
      if (nowMs - sinceMs < this.#limits.closeTimeoutMs) return;
      this.record(CoreEvent.closeLate, Math.round(nowMs - sinceMs));
      this.destroy('close-timeout');
      return;
    }
    const reason = this.#watch.look(nowMs, deadlines, this, isBackedUp);
    if (reason) this.record(LATE_EVENTS[reason], this.#watch.awaitedMs(nowMs, reason));
    if (reason === 'idle-timeout') this.close(reason);
    else if (reason) this.destroy(reason); // it holds a place without doing its part: it gets no further time
  }

  /** Tells the handler that the listener stops. */
  shutDown(): void {
    this.record(CoreEvent.shutdownAsked);
    if (this.#state === 'securing') this.destroy('shutdown');
    else if (this.#state === 'open') this.#tell('onShutdown', 'shutdown');
  }

  readonly #onRawChunk = (source: Uint8Array, start: number, end: number): void => {
    const first = this.#opening ? this.#open(source, start, end) : start;
    if (first !== undefined) this.#handle(source, first, end);
  };

  /**
   * Takes what stands before the handler's bytes.
   *
   * @returns where in `source` these begin; `undefined` when there are none
   */
  #open(source: Uint8Array, start: number, end: number): number | undefined {
    const opening = this.#opening!;
    let at = start;
    if (opening.header && this.#state === 'open') {
      const found = this.#readHeader(opening.header, source, start, end);
      if (!found) return undefined;
      opening.header = undefined;
      at = found;
      if (at === end) return undefined;
    }
    this.#opening = undefined;
    // Who has been told something in plain text cannot take it for TLS any more.
    const isSilent = this.#queue.sentBytes + this.#queue.queuedBytes === 0;
    if (source[at] !== TLS_HANDSHAKE || !opening.tls || !isSilent || this.#state !== 'open') return at;
    this.#secure(opening.tls, Uint8Array.prototype.slice.call(source, at, end));
    return undefined;
  }

  /** @returns where the header ends, once it does; a bad one ends the connection */
  #readHeader(reader: ProxyHeaderReader, source: Uint8Array, start: number, end: number): number | undefined {
    try {
      const found = reader.push(source, start, end);
      if (!found) return undefined;
      const { ends } = found.header;
      this.record(CoreEvent.proxyHeader);
      if (ends) {
        this.#remoteAddress = ends.source.address;
        this.#remotePort = ends.source.port;
        this.#localAddress = ends.destination.address;
        this.#localPort = ends.destination.port;
        if (!this.#onRelocated(this)) return undefined;
      }
      return found.end;
    } catch (error) {
      this.destroy('proxy-header', error as Error);
      return undefined;
    }
  }

  #secure(acceptor: TlsAcceptor, first: Uint8Array): void {
    this.#state = 'securing';
    this.record(CoreEvent.tlsBegun);
    this.#watch.await(this.#clock.nowMs());
    this.#socket.off('end', this.#onEnd).off('error', this.#onError).off('close', this.#onSocketClosed);
    stopReceiving(this.#socket);
    acceptor.accept(this.#socket, first, {
      onSecured: (socket) => this.#goOnSecurely(socket),
      onFailed: (error) => this.#failHandshake(error),
    });
  }

  #goOnSecurely(socket: TLSSocket): void {
    this.#socket = socket;
    this.#queue.close();
    this.#queue = new OutboundQueue(socket, this.#limits.outbound, this.#onProgress, this.#sendAccount);
    this.#listen();
    if (this.#state !== 'securing') {
      socket.destroy(); // ended in the same turn
      return;
    }
    this.#state = 'open';
    this.#watch.await(this.#clock.nowMs());
    this.#tls = new TlsSession(socket);
    this.record(CoreEvent.tlsDone);
    const joiner = new ChunkJoiner((source, start, end) => this.#handle(source, start, end), setImmediate);
    this.#joiner = joiner;
    socket.on('data', (record: Buffer) => joiner.push(record));
    if (this.#isReadingPaused || this.#memoryPauses > 0) this.#pause();
  }

  #failHandshake(error: Error): void {
    this.record(CoreEvent.tlsFailed);
    const isBusy = error instanceof TlsRefusedError && error.code === 'ERR_TLS_BUSY';
    this.#reason ??= isBusy ? 'tls-busy' : 'tls-handshake';
    this.#error ??= error;
    this.#onSocketClosed();
  }

  #handle(source: Uint8Array, start: number, end: number): void {
    this.#receivedBytes += end - start;
    if (this.#state !== 'open') return;
    const nowMs = this.#clock.nowMs();
    this.#watch.received(nowMs);
    if (this.#isEstablishedByBytes && !this.#isEstablished) this.establish();
    this.recorder.nowMs = nowMs;
    if (!this.#handler.recordsFrames) this.recorder.record(CoreEvent.received, end - start);
    this.#isHandling = true;
    this.#queue.hold();
    try {
      this.#handler.onBytes(source, start, end);
    } catch (error) {
      this.#failHandler(error);
    }
    this.#isHandling = false;
    this.#queue.flush();
    const tookMs = this.#clock.nowMs() - nowMs;
    if (tookMs >= SLOW_HANDLER_MS) this.record(CoreEvent.handlerSlow, Math.round(tookMs));
  }

  readonly #onProgress = (hasDrained: boolean): void => {
    this.#watch.taken(this.#clock.nowMs());
    if (hasDrained && this.#isQueueHigh) {
      this.#isQueueHigh = false;
      this.record(CoreEvent.queueDrained, this.#queue.queuedBytes);
    }
    if (hasDrained && this.#state === 'open') this.#tell('onDrained');
  };

  readonly #onEnd = (): void => {
    if (this.#joiner) this.#joiner.end(() => this.#endOfPeer());
    else this.#endOfPeer();
  };

  #endOfPeer(): void {
    this.record(CoreEvent.peerEnded);
    if (this.#state === 'open') this.#tell('onPeerEnd', 'peer-closed');
  }

  #pause(): void {
    this.#joiner?.pause();
    this.#socket.pause();
  }

  #resume(): void {
    this.#joiner?.resume();
    this.#socket.resume();
  }

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
    this.record(CoreEvent.gone);
    this.#state = 'destroyed';
    this.#queue.close();
    this.#joiner?.drop();
    this.receiveAccount?.close();
    this.#sendAccount?.close();
    this.#reason ??= 'peer-closed';
    let failure: unknown;
    try {
      this.#handler.onClosed?.(this.#reason, this.#error);
    } catch (error) {
      failure = error;
    }
    this.#handler = nothing;
    this.recorder.compact();
    this.#onGone(this, failure);
  };
}

function isCarried(socket: net.Socket | CarriedStream): socket is CarriedStream {
  return 'isCarried' in socket;
}
