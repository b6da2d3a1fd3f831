import { ResultCode } from '@sluice/wire';
import { type Cancel, type ClientClock, clientClock } from '../clock.js';
import { ClientError, remoteError } from '../errors.js';
import { isLoopback } from '../loopback.js';
import { joined } from '../read-ahead.js';
import type { Transport, TransportUser } from '../transport.js';

/** Name of the protocol that the gateway speaks. docs/protocol.md */
const SUBPROTOCOL = 'sluice';

/** Bytes of a message at most: a gateway takes no longer ones. */
const MAX_MESSAGE_BYTES = 256 << 10;
/** Parts below this size, in bytes, leave together: each message costs the browser as much as some KiB. */
const SMALL_PART_BYTES = 64 << 10;

/** Below so many bytes that wait in the browser, more may follow. */
const LOW_WATER_BYTES = 4 << 20;
/** The same for a page that nobody sees, whose timers run once a second. */
const HIDDEN_LOW_WATER_BYTES = 64 << 20;
/** How often it is looked whether the browser has sent something, in milliseconds: it does not tell. */
const DRAIN_POLL_MS = 4;

/** A browser cannot be told to read no more. What comes meanwhile is kept, up to so many bytes: nobody asks for as much at once. */
const MAX_HELD_BYTES = 128 << 20;

/** The share of the time of silence that passes between two looks. */
const SILENCE_LOOKS = 4;

/** Makes a WebSocket, as the browser's constructor does. */
export type OpenSocket = (url: string, protocol: string) => WebSocket;

/** Called with an event of which only so much is looked at: the events of a WebSocket have more. */
type Handler<Event> = { handle(event: Event): void }['handle'] | null;

/** What is used of a WebSocket. */
export interface GatewaySocket extends Pick<WebSocket, 'binaryType' | 'bufferedAmount' | 'close'> {
  onopen: Handler<object>;
  onclose: Handler<{ readonly code: number; readonly reason: string }>;
  onerror: Handler<object>;
  onmessage: Handler<{ readonly data: unknown }>;
  send(message: Uint8Array<ArrayBuffer>): void;
}

/** What a connection through a gateway is made with. */
export interface GatewayDialOptions {
  readonly url: URL;
  readonly openSocket: (url: string, protocol: string) => GatewaySocket;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** @default the machine's */
  readonly clock?: ClientClock;
}

/**
 * A connection through a gateway: binary messages whose borders mean nothing. What the browser has taken and not yet sent counts as not taken,
 * as far as it says so.
 */
export class WebSocketTransport implements Transport {
  readonly isPrivate: boolean;
  readonly #socket: GatewaySocket;
  readonly #clock: ClientClock;
  #user: TransportUser | undefined;
  #failure: Error | undefined;
  #isClosed = false;
  #isPaused = false;
  #isHandingOver = false;
  /** What came while nobody wanted it. */
  readonly #held: Uint8Array[] = [];
  #heldBytes = 0;
  /** Writes that wait for the browser. */
  readonly #writes: { resolve(): void; reject(error: Error): void }[] = [];
  #stopPolling: Cancel | undefined;
  #stopWatching: Cancel | undefined;
  #lastActivityMs = 0;
  #lastBuffered = 0;

  private constructor(socket: GatewaySocket, isPrivate: boolean, clock: ClientClock) {
    this.#socket = socket;
    this.#clock = clock;
    this.isPrivate = isPrivate;
    socket.onmessage = ({ data }) => this.#onMessage(data);
    socket.onerror = () => {}; // it is closed at once, and says more then
    socket.onclose = ({ code, reason }) => this.#onClose(closeError(code, reason));
  }

  /** @throws {ClientError} `ERR_CONNECT`, or the signal's reason */
  static dial({
    url,
    openSocket,
    timeoutMs,
    signal,
    clock = clientClock,
  }: GatewayDialOptions): Promise<WebSocketTransport> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      const socket = openSocket(url.href, SUBPROTOCOL);
      socket.binaryType = 'arraybuffer';
      const settle = (): void => {
        stopWaiting();
        signal.removeEventListener('abort', onAbort);
        socket.onopen = null;
        socket.onclose = null;
        socket.onerror = () => {};
      };
      const fail = (reason: unknown): void => {
        settle();
        socket.close();
        reject(reason);
      };
      const onAbort = (): void => fail(signal.reason);
      const stopWaiting = clock.after(timeoutMs, () => fail(connectError(url, `no answer within ${timeoutMs} ms`)));
      signal.addEventListener('abort', onAbort);
      socket.onopen = () => {
        settle();
        resolve(new WebSocketTransport(socket, url.protocol === 'wss:' || isThisMachine(url.hostname), clock));
      };
      // For the page's safety a browser does not tell what went wrong.
      socket.onerror = (event) => fail(connectError(url, messageOf(event) ?? 'nobody answers, or refuses'));
      socket.onclose = ({ reason }) => fail(connectError(url, reason === '' ? 'it was refused' : reason));
    });
  }

  attach(user: TransportUser): void {
    this.#user = user;
  }

  channelBinding(): undefined {
    return undefined;
  }

  write(parts: readonly Uint8Array[]): Promise<void> {
    if (this.#isClosed) return Promise.reject(this.#failure ?? new Error('it is closed'));
    this.#send(parts); // the browser makes its copy
    if (this.#socket.bufferedAmount <= this.#lowWaterBytes) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#writes.push({ resolve, reject });
      this.#poll();
    });
  }

  expectActivity(withinMs: number): void {
    this.#stopWatching?.();
    this.#stopWatching = undefined;
    if (withinMs === 0 || this.#isClosed) return;
    this.#lastActivityMs = this.#clock.nowMs();
    this.#lastBuffered = this.#socket.bufferedAmount;
    this.#stopWatching = this.#clock.every(Math.ceil(withinMs / SILENCE_LOOKS), () => this.#look(withinMs));
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    if (this.#heldBytes > 0 || this.#isClosed) queueMicrotask(() => this.#handOver());
  }

  keepProcessAlive(): void {}

  destroy(): void {
    this.#socket.close();
    this.#held.length = 0;
    this.#heldBytes = 0;
    this.#isPaused = false;
    this.#onClose(undefined);
  }

  textOf(failure: unknown): string {
    return failure instanceof Error ? failure.message : String(failure);
  }

  get #lowWaterBytes(): number {
    return globalThis.document?.hidden ? HIDDEN_LOW_WATER_BYTES : LOW_WATER_BYTES;
  }

  /** Large parts as they are, in messages of the largest size; small ones together. */
  #send(parts: readonly Uint8Array[]): void {
    let small: Uint8Array[] = [];
    let smallBytes = 0;
    const send = (message: Uint8Array): void => this.#socket.send(message as Uint8Array<ArrayBuffer>);
    const flush = (): void => {
      if (smallBytes > 0) send(joined(small, smallBytes));
      small = [];
      smallBytes = 0;
    };
    for (const part of parts) {
      if (part.length < SMALL_PART_BYTES) {
        if (smallBytes + part.length > MAX_MESSAGE_BYTES) flush();
        small.push(part);
        smallBytes += part.length;
        continue;
      }
      flush();
      for (let at = 0; at < part.length; at += MAX_MESSAGE_BYTES) send(part.subarray(at, at + MAX_MESSAGE_BYTES));
    }
    flush();
  }

  #poll(): void {
    this.#stopPolling ??= this.#clock.after(DRAIN_POLL_MS, () => {
      this.#stopPolling = undefined;
      const buffered = this.#socket.bufferedAmount;
      if (buffered < this.#lastBuffered) this.#lastActivityMs = this.#clock.nowMs();
      this.#lastBuffered = buffered;
      if (buffered > this.#lowWaterBytes) this.#poll();
      else for (const { resolve } of this.#writes.splice(0)) resolve();
    });
  }

  #look(withinMs: number): void {
    const buffered = this.#socket.bufferedAmount;
    if (buffered < this.#lastBuffered) this.#lastActivityMs = this.#clock.nowMs();
    this.#lastBuffered = buffered;
    if (this.#clock.nowMs() - this.#lastActivityMs >= withinMs) this.#user?.onSilence();
  }

  #onMessage(data: unknown): void {
    if (this.#isClosed) return;
    this.#lastActivityMs = this.#clock.nowMs();
    if (typeof data === 'string') {
      this.#fail(new Error('what answers is no gateway: it has sent text'));
      return;
    }
    const bytes = data instanceof Uint8Array ? data : new Uint8Array(data as ArrayBuffer);
    if (!this.#isPaused && this.#held.length === 0) {
      this.#user?.onBytes(bytes, bytes.length);
      return;
    }
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    if (this.#heldBytes > MAX_HELD_BYTES) this.#fail(new Error('more came than this page could take'));
  }

  /** What was held back, one message after the other, until somebody pauses again; and then the end, if there was one. */
  #handOver(): void {
    if (this.#isHandingOver) return;
    this.#isHandingOver = true;
    while (!this.#isPaused && this.#held.length > 0) {
      const bytes = this.#held.shift()!;
      this.#heldBytes -= bytes.length;
      this.#user?.onBytes(bytes, bytes.length);
    }
    this.#isHandingOver = false;
    if (this.#isClosed && !this.#isPaused) this.#tellClosed();
  }

  #fail(error: Error): void {
    this.#socket.close();
    this.#held.length = 0;
    this.#heldBytes = 0;
    this.#onClose(error);
  }

  #onClose(error: Error | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#failure = error;
    this.#stopPolling?.();
    this.#stopWatching?.();
    const failure = error ?? new Error('it was closed');
    for (const { reject } of this.#writes.splice(0)) reject(failure);
    queueMicrotask(() => this.#handOver());
  }

  #tellClosed(): void {
    const user = this.#user;
    this.#user = undefined;
    user?.onClose(this.#failure);
  }
}

/** The ways in which a gateway ends a connection without a fault; RFC 6455, section 7.4.1. */
const ORDERLY_CODES = new Set([1000, 1005]);

/** The server has no room now. */
const TRY_AGAIN = 1013;

const CLOSE_TEXTS = new Map([
  [1001, 'the server is shutting down'],
  [1006, 'it broke'],
  [1008, 'the server does not permit it any longer'],
  [1009, 'the server was sent a message that is too long'],
  [1011, 'the server has failed'],
]);

function closeError(code: number, reason: string): Error | undefined {
  if (ORDERLY_CODES.has(code) && reason === '') return undefined;
  if (code === TRY_AGAIN) {
    const retryAfterMs = Number(/RetryAfterMs=(\d{1,9})/.exec(reason)?.[1] ?? 0);
    return remoteError(ResultCode.Busy, '', retryAfterMs);
  }
  return new Error(reason === '' ? (CLOSE_TEXTS.get(code) ?? `it was closed with code ${code}`) : reason);
}

function connectError({ host }: URL, why: string): ClientError {
  return new ClientError('ERR_CONNECT', `cannot connect to ${host}: ${why}`, { retryable: true });
}

/** Browsers have none; other implementations of WebSocket do. */
function messageOf(event: object): string | undefined {
  const { message } = event as { readonly message?: unknown };
  return typeof message === 'string' && message !== '' ? message : undefined;
}

function isThisMachine(hostname: string): boolean {
  const address = hostname.replace(/^\[|\]$/g, '');
  return address === 'localhost' || address.endsWith('.localhost') || isLoopback(address);
}
