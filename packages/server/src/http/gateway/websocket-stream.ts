import { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import { type CarriedStream, type Clock, type OnChunk, startReceiving, unwrittenBytes } from '@sluice/core';
import type { WebSocket } from 'ws';
import type { HttpVisitor } from '../http-route.js';
import { endFor, type WebSocketEnd } from './close-codes.js';
import type { ControlSide } from './control-side.js';
import { FrameReader, type FrameUser, type FrameViolation, messageHead } from './frame-reader.js';

/** Largest message that is sent. */
const MAX_SENT_MESSAGE_BYTES = 256 << 10;

/** After `destroy` the peer may take the close frame, and answer it, for so long. */
const LINGER_MS = 1000;

/** What the socket below is, beside a stream; the addresses are those of a `net.Socket`. */
export interface UpgradedSocket extends Duplex {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
}

type AcceptedSocket = Parameters<typeof startReceiving>[0];

export interface WebSocketStreamInit {
  readonly webSocket: WebSocket;
  /** What `webSocket` has for a socket. */
  readonly control: ControlSide;
  /** The real one. Nothing has been read from it. */
  readonly socket: UpgradedSocket;
  readonly clock: Clock;
  readonly remoteAddress: string;
  readonly isEncrypted: boolean;
  /** Who has logged in over HTTP before. */
  readonly visitor: HttpVisitor | undefined;
}

/** Who is served over the stream: its connection. */
export interface StreamOwner {
  readonly closeReason: string | undefined;
  destroy(reason: string, error?: Error): void;
}

/**
 * A WebSocket as the stream of bytes of a connection. Each write is one binary message, or several of 256 KiB; borders of received messages
 * mean nothing, and what comes of one is handed on as it comes.
 *
 * ```text
 *                 ┌─ data ─────────► onChunk        write ─────────┐
 * socket ─► FrameReader                                            ├─► socket
 *                 └─ control ──► ws: pings, the end ── control ────┘
 * ```
 */
export class WebSocketStream extends EventEmitter implements CarriedStream, FrameUser {
  readonly isCarried = true;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly isEncrypted: boolean;
  readonly visitor: HttpVisitor | undefined;
  /** To be set by who serves it. */
  owner: StreamOwner | undefined;
  readonly #webSocket: WebSocket;
  readonly #control: ControlSide;
  #socket: UpgradedSocket;
  #former: UpgradedSocket | undefined;
  readonly #clock: Clock;
  readonly #reader = new FrameReader(this);
  #onChunk: OnChunk | undefined;
  #isPaused = true;
  #isDestroyed = false;
  /** We have said that we send nothing any more. */
  #hasClosed = false;
  #isEndTold = false;
  #isPonging = false;
  /** The last ping that waits for the pong before it to leave. */
  #owedPong: Buffer | undefined;
  #stopLingering: (() => void) | undefined;

  constructor({ webSocket, control, socket, clock, remoteAddress, isEncrypted, visitor }: WebSocketStreamInit) {
    super();
    this.#webSocket = webSocket;
    this.#control = control;
    this.#socket = socket;
    this.#clock = clock;
    this.remoteAddress = remoteAddress;
    this.remotePort = socket.remoteAddress === remoteAddress ? (socket.remotePort ?? 0) : 0;
    this.localAddress = socket.localAddress ?? '';
    this.localPort = socket.localPort ?? 0;
    this.isEncrypted = isEncrypted;
    this.visitor = visitor;
    webSocket.on('ping', this.#onPing);
    webSocket.on('error', (error) => this.#guard.destroy('websocket-error', error));
    this.#listen();
    socket.pause();
  }

  /** Whether nothing is left of it. */
  get isGone(): boolean {
    return this.#socket.destroyed;
  }

  /** The socket that has carried it before, and ends: another one has its descriptor. `undefined` when it is the same. */
  get former(): EventEmitter | undefined {
    return this.#former;
  }

  get writableLength(): number {
    return this.#socket.writableLength;
  }

  get unwrittenBytes(): number {
    return unwrittenBytes(this.#socket as AcceptedSocket);
  }

  startReceiving(onChunk: OnChunk): this {
    this.#onChunk = onChunk;
    if (this.#socket.closed) process.nextTick(this.#onSocketClosed);
    this.#isPaused = false;
    this.#read();
    return this;
  }

  pause(): this {
    this.#isPaused = true;
    this.#socket.pause();
    return this;
  }

  resume(): this {
    if (!this.#isPaused || this.#socket.destroyed) return this;
    this.#isPaused = false;
    this.#socket.resume();
    return this;
  }

  write(bytes: Uint8Array, written: (error?: Error | null) => void): void {
    const socket = this.#socket;
    if (this.#webSocket.readyState !== this.#webSocket.OPEN) {
      process.nextTick(written); // the peer has closed, and reads nothing any more: as TCP takes what it then drops
      return;
    }
    socket.cork();
    for (let start = 0; start < bytes.length; start += MAX_SENT_MESSAGE_BYTES) {
      const end = Math.min(start + MAX_SENT_MESSAGE_BYTES, bytes.length);
      socket.write(messageHead(end - start));
      socket.write(bytes.subarray(start, end), end < bytes.length ? undefined : written);
    }
    socket.uncork();
  }

  end(): void {
    this.#close(endFor(this.owner?.closeReason ?? 'peer-closed'));
  }

  /** Ends it, and says why. What is queued is dropped; where something is, that includes why. */
  destroy(): void {
    if (this.#isDestroyed) return;
    this.#isDestroyed = true;
    const socket = this.#socket;
    if (socket.destroyed) return;
    if (socket.writableLength > 0 || this.#hasClosed) {
      socket.destroy();
      return;
    }
    this.end();
    this.#linger();
  }

  /** Ends one that nobody serves. */
  refuse(end: WebSocketEnd): void {
    if (this.#isDestroyed) return;
    this.#isDestroyed = true;
    this.#close(end);
    this.#read();
    this.#linger();
  }

  onData(source: Uint8Array, start: number, end: number): void {
    if (!this.#isDestroyed) this.#onChunk?.(source, start, end);
  }

  onControl(frame: Uint8Array): void {
    this.#control.takeFrame(frame);
  }

  onClose(frame: Uint8Array): void {
    this.#control.takeFrame(frame);
    this.#tellEnd();
  }

  onViolation(violation: FrameViolation): void {
    if (violation === 'text-message') this.#guard.destroy('text-message', new Error('a text message'));
    else this.#guard.destroy('websocket-error', new Error('a frame against RFC 6455'));
  }

  /** Into the buffer that is used again, if that can be: what has been read already, or is encrypted, comes out of the stream of the socket. */
  #read(): void {
    const socket = this.#socket;
    const isBare = !this.isEncrypted && socket.readableLength === 0 && socket.writableLength === 0 && !socket.destroyed;
    const onChunk: OnChunk = (source, start, end) => this.#reader.push(source, start, end);
    const reading = startReceiving(socket as AcceptedSocket, onChunk, isBare ? 'reused' : 'plain');
    if (reading === socket) return;
    socket.off('end', this.#onSocketEnd).off('error', this.#onSocketError).off('close', this.#onSocketClosed);
    this.#former = socket;
    this.#socket = reading;
    this.#control.socket = reading;
    this.#listen();
  }

  #listen(): void {
    this.#socket.on('end', this.#onSocketEnd);
    this.#socket.on('error', this.#onSocketError);
    this.#socket.on('close', this.#onSocketClosed);
  }

  /** Closed with bytes unread, TCP would reset the connection, and the peer could lose what it was told: what comes is read, and dropped. */
  #linger(): void {
    this.#socket.resume();
    this.#stopLingering ??= this.#clock.after(LINGER_MS, () => void this.#socket.destroy());
  }

  #close({ code, reason }: WebSocketEnd): void {
    this.#hasClosed = true;
    this.#webSocket.close(code, reason);
  }

  readonly #onPing = (data: Buffer): void => {
    if (this.#isPonging) this.#owedPong = data;
    else this.#pong(data);
  };

  /** One pong at a time: a peer that asks and does not read gets no queue. RFC 6455, 5.5.3: the last ping may answer for all. */
  #pong(data: Buffer): void {
    const webSocket = this.#webSocket;
    if (webSocket.readyState !== webSocket.OPEN) return;
    this.#isPonging = true;
    webSocket.pong(data, false, () => {
      this.#isPonging = false;
      const owed = this.#owedPong;
      this.#owedPong = undefined;
      if (owed) this.#pong(owed);
    });
  }

  #tellEnd(): void {
    if (this.#isDestroyed || this.#isEndTold) return;
    this.#isEndTold = true;
    this.emit('end');
  }

  readonly #onSocketEnd = (): void => {
    this.#control.takeEnd();
    this.#tellEnd();
  };

  readonly #onSocketError = (error: Error): void => {
    if (!this.#isDestroyed) this.emit('error', error);
  };

  readonly #onSocketClosed = (): void => {
    this.#stopLingering?.();
    this.#isDestroyed = true;
    this.#control.destroy();
    this.emit('close');
  };

  /** Who ends it when the peer breaks a rule. */
  get #guard(): Pick<StreamOwner, 'destroy'> {
    return this.owner ?? { destroy: (reason) => this.refuse(endFor(reason)) };
  }
}
