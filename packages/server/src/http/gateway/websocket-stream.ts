import { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import { type CarriedStream, type Clock, type OnChunk, unwrittenBytes } from '@sluice/core';
import type { WebSocket } from 'ws';
import type { HttpVisitor } from '../http-route.js';
import { endFor, type WebSocketEnd } from './close-codes.js';

/** Largest message that is sent. */
export const MAX_SENT_MESSAGE_BYTES = 256 << 10;

/** After `destroy` the peer may take the close frame, and answer it, for so long. */
const LINGER_MS = 1000;

/** Messages that come in one chunk of the socket are handed on together up to this size: small ones would cost a call each. */
const MAX_JOINED_BYTES = 64 << 10;

/** Less than this is no part of a message worth speaking of: a header, or a ping. */
const MIN_HELD_BYTES = 256;

/** What the socket below is, beside a stream; the addresses are those of a `net.Socket`. */
export interface UpgradedSocket extends Duplex {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
}

export interface WebSocketStreamInit {
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
 * mean nothing. A message is handed on when it is whole; what has come of it until then counts as held.
 *
 * ```text
 *               socket ──► ws ──► messages of this chunk ──► onChunk
 * backpressure:    └── paused, and what came with the last chunk waits here
 * ```
 */
export class WebSocketStream extends EventEmitter implements CarriedStream {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly isEncrypted: boolean;
  readonly visitor: HttpVisitor | undefined;
  onHeld: ((bytes: number) => void) | undefined;
  /** To be set by who serves it. */
  owner: StreamOwner | undefined;
  readonly #webSocket: WebSocket;
  readonly #socket: UpgradedSocket;
  readonly #clock: Clock;
  #onChunk: OnChunk | undefined;
  #isPaused = true;
  #isDestroyed = false;
  /** We have said that we send nothing any more. */
  #hasClosed = false;
  /** The peer has. */
  #hasPeerEnded = false;
  #isEndTold = false;
  /** Parts of whole messages that were not handed on yet. */
  #parts: Buffer[] = [];
  #partBytes = 0;
  #isHandingOn = false;
  /** What has come of a message that is not whole. */
  #pendingBytes = 0;
  #toldBytes = 0;
  #isPonging = false;
  /** The last ping that waits for the pong before it to leave. */
  #owedPong: Buffer | undefined;
  #stopLingering: (() => void) | undefined;

  /** @param webSocket open, nothing read yet. @param socket what carries it */
  constructor(webSocket: WebSocket, socket: UpgradedSocket, init: WebSocketStreamInit) {
    super();
    this.#webSocket = webSocket;
    this.#socket = socket;
    this.#clock = init.clock;
    this.remoteAddress = init.remoteAddress;
    this.remotePort = socket.remoteAddress === init.remoteAddress ? (socket.remotePort ?? 0) : 0;
    this.localAddress = socket.localAddress ?? '';
    this.localPort = socket.localPort ?? 0;
    this.isEncrypted = init.isEncrypted;
    this.visitor = init.visitor;
    webSocket.binaryType = 'fragments';
    webSocket.on('message', this.#onMessage);
    webSocket.on('ping', this.#onPing);
    webSocket.on('pong', (data: Buffer) => this.#noteWhole([data]));
    webSocket.on('error', (error) => this.#guard.destroy('websocket-error', error));
    socket.on('data', this.#onSocketData); // after that of ws: the messages of a chunk have been told then
    socket.on('end', () => this.#end());
    socket.on('end', () => this.#end());
    socket.on('error', (error) => {
      if (!this.#isDestroyed) this.emit('error', error);
    });
    socket.on('close', this.#onSocketClosed);
    webSocket.pause();
  }

  /** Whether nothing is left of it. */
  get isGone(): boolean {
    return this.#socket.destroyed;
  }

  get writableLength(): number {
    return this.#socket.writableLength;
  }

  get unwrittenBytes(): number {
    return unwrittenBytes(this.#socket as Parameters<typeof unwrittenBytes>[0]);
  }

  startReceiving(onChunk: OnChunk): this {
    this.#onChunk = onChunk;
    if (this.#socket.closed) process.nextTick(this.#onSocketClosed);
    return this.resume();
  }

  pause(): this {
    this.#isPaused = true;
    this.#webSocket.pause();
    return this;
  }

  resume(): this {
    if (!this.#isPaused || this.#socket.destroyed) return this;
    this.#isPaused = false;
    if (this.#parts.length > 0) setImmediate(this.#goOn);
    else this.#webSocket.resume();
    return this;
  }

  write(bytes: Uint8Array, written: (error?: Error | null) => void): void {
    const webSocket = this.#webSocket;
    if (webSocket.readyState !== webSocket.OPEN) {
      process.nextTick(written); // the peer has closed, and reads nothing any more: as TCP takes what it then drops
      return;
    }
    if (bytes.length <= MAX_SENT_MESSAGE_BYTES) {
      webSocket.send(bytes, BINARY, written);
      return;
    }
    this.#socket.cork();
    for (let start = 0; start < bytes.length; start += MAX_SENT_MESSAGE_BYTES) {
      const end = start + MAX_SENT_MESSAGE_BYTES;
      webSocket.send(bytes.subarray(start, end), BINARY, end < bytes.length ? undefined : written);
    }
    this.#socket.uncork();
  }

  end(): void {
    this.#close(endFor(this.owner?.closeReason ?? 'peer-closed'));
  }

  /** Ends it, and says why. What is queued is dropped; where something is, that includes why. */
  destroy(): void {
    if (this.#isDestroyed) return;
    this.#isDestroyed = true;
    this.#parts = [];
    this.#partBytes = 0;
    const socket = this.#socket;
    if (socket.destroyed) return;
    if (socket.writableLength > 0 || this.#hasClosed) {
      socket.destroy();
      return;
    }
    this.end();
    this.#linger();
  }

  /** Closed with bytes unread, TCP would reset the connection, and the peer could lose what it was told: what comes is read, and dropped. */
  #linger(): void {
    this.#webSocket.resume();
    this.#stopLingering ??= this.#clock.after(LINGER_MS, () => void this.#socket.destroy());
  }

  /** Ends one that nobody serves. */
  refuse(end: WebSocketEnd): void {
    if (this.#isDestroyed) return;
    this.#isDestroyed = true;
    this.#close(end);
    this.#linger();
  }

  #close({ code, reason }: WebSocketEnd): void {
    this.#hasClosed = true;
    this.#webSocket.close(code, reason);
  }

  readonly #onMessage = (data: unknown, isBinary: boolean): void => {
    const parts = data as Buffer[]; // of a text it is one buffer
    if (!isBinary) {
      this.#guard.destroy('text-message', new Error('a text message'));
      return;
    }
    this.#noteWhole(parts);
    if (this.#isDestroyed || this.#hasPeerEnded) return;
    for (const part of parts) {
      this.#parts.push(part);
      this.#partBytes += part.length;
    }
  };

  readonly #onPing = (data: Buffer): void => {
    this.#noteWhole([data]);
    if (this.#isPonging) this.#owedPong = data;
    else this.#pong(data);
  };

  /** One pong at a time: a peer that asks and does not read gets no queue. RFC 6455, 5.5.3: the last ping may answer for all. */
  #pong(data: Buffer): void {
    const webSocket = this.#webSocket;
    if (webSocket.readyState !== webSocket.OPEN) return;
    this.#isPonging = true;
    webSocket.pong(Buffer.from(data), false, () => {
      this.#isPonging = false;
      const owed = this.#owedPong;
      this.#owedPong = undefined;
      if (owed) this.#pong(owed);
    });
  }

  #noteWhole(frames: readonly Buffer[]): void {
    if (frames.length === 0) this.#pendingBytes -= headBytes(0);
    for (const { length } of frames) this.#pendingBytes -= length + headBytes(length);
  }

  /** Everything in the chunk has been told, but for the beginning of what is not whole. */
  readonly #onSocketData = (chunk: Buffer): void => {
    const before = this.#pendingBytes;
    this.#pendingBytes += chunk.length;
    // Where something has become whole, the rest is of this chunk. Frames without content are not told, but were counted.
    const hasBecomeWhole = before < 0 || this.#parts.length > 0;
    this.#pendingBytes = Math.max(0, hasBecomeWhole ? Math.min(this.#pendingBytes, chunk.length) : this.#pendingBytes);
    this.#handOn();
    this.#tellHeld();
    if (this.#webSocket.readyState !== this.#webSocket.OPEN) this.#end();
  };

  readonly #goOn = (): void => {
    if (this.#isPaused) return;
    this.#handOn();
    this.#tellHeld();
    if (this.#isPaused || this.#parts.length > 0) return;
    if (this.#hasPeerEnded) this.#tellEnd();
    else this.#webSocket.resume();
  };

  #handOn(): void {
    if (this.#isHandingOn) return;
    this.#isHandingOn = true;
    while (this.#parts.length > 0 && !this.#isPaused && !this.#isDestroyed) {
      const isJoined = this.#parts.length > 1 && this.#partBytes <= MAX_JOINED_BYTES;
      const chunk = isJoined ? Buffer.concat(this.#parts.splice(0), this.#partBytes) : this.#parts.shift()!;
      this.#partBytes -= chunk.length;
      this.#onChunk?.(chunk, 0, chunk.length);
    }
    this.#isHandingOn = false;
  }

  #tellHeld(): void {
    const bytes = this.#partBytes + this.#pendingBytes;
    const told = bytes < MIN_HELD_BYTES ? 0 : bytes;
    if (told === this.#toldBytes) return;
    this.#toldBytes = told;
    this.onHeld?.(told);
  }

  /** The peer sends nothing any more: it has said so, or ended the socket. */
  #end(): void {
    if (this.#hasPeerEnded) return;
    this.#hasPeerEnded = true;
    if (this.#parts.length === 0) this.#tellEnd();
  }

  #tellEnd(): void {
    if (this.#isDestroyed || this.#isEndTold) return;
    this.#isEndTold = true;
    this.emit('end');
  }

  /** Who ends it when the peer breaks a rule. */
  get #guard(): Pick<StreamOwner, 'destroy'> {
    return this.owner ?? { destroy: (reason) => this.refuse(endFor(reason)) };
  }

  readonly #onSocketClosed = (): void => {
    this.#stopLingering?.();
    this.#isDestroyed = true;
    this.#parts = [];
    this.emit('close');
  };
}

const BINARY = { binary: true, compress: false };

/** Of a masked frame. RFC 6455, 5.2. */
function headBytes(length: number): number {
  if (length < 126) return 6;
  return length < 1 << 16 ? 8 : 14;
}
