import type { ConnectionHandler } from './connection.js';

/** How long a connection may take for each of its steps. Times are in milliseconds; 0 for no limit. Each may be noticed up to 2 s late. */
export interface ConnectionDeadlines {
  /** From admission, or the end of the TLS handshake, to the first byte. @default 6000 */
  readonly firstByteTimeoutMs: number;
  /** From the first byte of a TLS handshake to its end, waiting included. @default 10_000 */
  readonly handshakeTimeoutMs: number;
  /**
   * From admission, or the end of the TLS handshake, until the handler no longer says `isAwaitingLogin`, whatever is received meanwhile.
   * Time in which the handler works, or in which we do not read although nothing is queued, does not count. @default 30_000
   */
  readonly loginTimeoutMs: number;
  /**
   * A frame that has begun is complete after so long, or has come at `minFrameBytesPerSecond` in the mean, and goes on so for each further
   * such time. Time in which the handler works, or in which we do not read, does not count. @default 30_000
   */
  readonly frameTimeoutMs: number;
  /** Lowest rate of a frame that takes longer than `frameTimeoutMs`; 0 for none, however long it takes. @default 1024 */
  readonly minFrameBytesPerSecond: number;
  /**
   * Without a byte from the peer. What it takes of ours counts as one while the handler works or says `isSending`, and while so much is
   * queued that some always waits. While the handler works and nothing is queued, the time does not run. @default 300_000
   */
  readonly idleTimeoutMs: number;
  /** Bytes wait for the peer, and it takes none of them. @default 60_000 */
  readonly writeStallTimeoutMs: number;
}

export const DEFAULT_DEADLINES: ConnectionDeadlines = {
  firstByteTimeoutMs: 6000,
  handshakeTimeoutMs: 10_000,
  loginTimeoutMs: 30_000,
  frameTimeoutMs: 30_000,
  minFrameBytesPerSecond: 1024,
  idleTimeoutMs: 300_000,
  writeStallTimeoutMs: 60_000,
};

/** Why an open connection may have to end at a look. */
export type DeadlineReason = 'first-byte-timeout' | 'login-timeout' | 'frame-timeout' | 'idle-timeout' | 'write-stall';

/** The deadlines of connections; without the lowest rate, which is no time. */
export function deadlineTimes({ minFrameBytesPerSecond: _, ...times }: ConnectionDeadlines): number[] {
  return Object.values(times);
}

/** What a connection shows when its deadlines are looked at. */
export interface DeadlineSubject {
  readonly handler: ConnectionHandler;
  readonly receivedBytes: number;
  readonly queuedBytes: number;
  readonly isReadingPaused: boolean;
}

/**
 * The times of one connection. Bytes only leave the time at which they moved; what follows from it is found out when the listener's one
 * timer looks, so a connection costs no timer, and a byte no more than a number.
 */
export class DeadlineWatch {
  /** Since when the first byte, the end of the handshake, or the login is awaited. */
  #awaitingSinceMs: number;
  #lastReceivedMs: number;
  /** When the system last took bytes for the peer. */
  #lastTakenMs: number;
  /** When the handler was last seen at work. */
  #lastWorkMs: number;
  #lookedMs: number;
  /** Time since `#awaitingSinceMs` that is not the peer's. */
  #ownMs = 0;
  #idleSinceMs: number;
  #stalledSinceMs = 0;
  /** What the system had left to take at the last look. */
  #unwrittenBytes: number | undefined;
  /** The frame that is awaited, since when, and what had been received then. */
  #frame: number | undefined;
  #frameSinceMs = 0;
  #frameReceivedBytes = 0;

  constructor(nowMs: number) {
    this.#awaitingSinceMs = nowMs;
    this.#lastReceivedMs = nowMs;
    this.#lastTakenMs = nowMs;
    this.#lastWorkMs = nowMs;
    this.#lookedMs = nowMs;
    this.#idleSinceMs = nowMs;
  }

  /** When bytes last moved in either direction, or the handler worked. */
  get lastActivityMs(): number {
    return Math.max(this.#lastReceivedMs, this.#lastTakenMs, this.#lastWorkMs);
  }

  /** When bytes last moved towards the peer. */
  get lastTakenMs(): number {
    return this.#lastTakenMs;
  }

  /** The next step begins: a handshake, or what comes after it. */
  await(nowMs: number): void {
    this.#awaitingSinceMs = nowMs;
    this.#ownMs = 0;
    this.#lastReceivedMs = nowMs;
  }

  received(nowMs: number): void {
    this.#lastReceivedMs = nowMs;
  }

  taken(nowMs: number): void {
    this.#lastTakenMs = nowMs;
  }

  /** Of one large write the system may take a part: that shows only in what is left. To be called at each look. */
  noteUnwritten(nowMs: number, bytes: number | undefined): void {
    if (bytes !== undefined && this.#unwrittenBytes !== undefined && bytes !== this.#unwrittenBytes) this.taken(nowMs);
    this.#unwrittenBytes = bytes;
  }

  isHandshakeLate(nowMs: number, { handshakeTimeoutMs }: ConnectionDeadlines): boolean {
    return handshakeTimeoutMs > 0 && nowMs - this.#awaitingSinceMs >= handshakeTimeoutMs;
  }

  /** For how long what did not come was awaited, in whole milliseconds. @param reason without one, of the handshake */
  awaitedMs(nowMs: number, reason?: DeadlineReason): number {
    if (reason === 'write-stall') return Math.round(nowMs - this.#stalledSinceMs);
    if (reason === 'frame-timeout') return Math.round(nowMs - this.#frameSinceMs);
    if (reason === 'idle-timeout') return Math.round(nowMs - this.#idleSinceMs);
    return Math.round(nowMs - this.#awaitingSinceMs - this.#ownMs);
  }

  /**
   * Looks at an open connection.
   *
   * @param isBackedUp whether bytes have waited for the peer at every moment since the last look
   * @returns why it is to end, if it is
   */
  look(
    nowMs: number,
    deadlines: ConnectionDeadlines,
    subject: DeadlineSubject,
    isBackedUp: boolean,
  ): DeadlineReason | undefined {
    const { handler, receivedBytes, queuedBytes, isReadingPaused } = subject;
    const { firstByteTimeoutMs, loginTimeoutMs, writeStallTimeoutMs, idleTimeoutMs } = deadlines;
    const sinceLookMs = nowMs - this.#lookedMs;
    this.#lookedMs = nowMs;
    const isWorking = handler.isWorking === true;
    if (queuedBytes === 0 && (isWorking || isReadingPaused)) this.#ownMs += sinceLookMs;
    const awaitedMs = nowMs - this.#awaitingSinceMs - this.#ownMs;
    if (firstByteTimeoutMs > 0 && receivedBytes === 0 && awaitedMs >= firstByteTimeoutMs) return 'first-byte-timeout';
    if (loginTimeoutMs > 0 && awaitedMs >= loginTimeoutMs && handler.isAwaitingLogin) return 'login-timeout';

    this.#stalledSinceMs = isBackedUp ? Math.max(this.#stalledSinceMs, this.#lastTakenMs) : nowMs;
    if (writeStallTimeoutMs > 0 && nowMs - this.#stalledSinceMs >= writeStallTimeoutMs) return 'write-stall';

    if (this.#isFrameLate(nowMs, sinceLookMs, deadlines, subject)) return 'frame-timeout';

    this.#lookForIdleness(nowMs, handler, queuedBytes, isReadingPaused, isBackedUp);
    return idleTimeoutMs > 0 && nowMs - this.#idleSinceMs >= idleTimeoutMs ? 'idle-timeout' : undefined;
  }

  #isFrameLate(
    nowMs: number,
    sinceLookMs: number,
    { frameTimeoutMs, minFrameBytesPerSecond }: ConnectionDeadlines,
    { handler, receivedBytes, isReadingPaused }: DeadlineSubject,
  ): boolean {
    const frame = handler.unfinishedFrame;
    const isOurTurn = isReadingPaused || handler.isWorking === true;
    if (frame === undefined || frame !== this.#frame) {
      this.#frame = frame;
      this.#frameSinceMs = isOurTurn ? nowMs : this.#lastReceivedMs;
      this.#frameReceivedBytes = receivedBytes;
    } else if (isOurTurn) {
      this.#frameSinceMs += sinceLookMs;
    }
    const elapsedMs = nowMs - this.#frameSinceMs;
    if (frame === undefined || frameTimeoutMs === 0 || elapsedMs < frameTimeoutMs) return false;
    if ((receivedBytes - this.#frameReceivedBytes) * 1000 < minFrameBytesPerSecond * elapsedMs) return true;
    this.#frameSinceMs = nowMs;
    this.#frameReceivedBytes = receivedBytes;
    return false;
  }

  #lookForIdleness(
    nowMs: number,
    handler: ConnectionHandler,
    queuedBytes: number,
    isReadingPaused: boolean,
    isBackedUp: boolean,
  ): void {
    this.#idleSinceMs = Math.max(this.#idleSinceMs, this.#lastReceivedMs);
    if (queuedBytes === 0 && handler.isWorking) {
      this.#lastWorkMs = nowMs;
      this.#idleSinceMs = nowMs;
    } else if (queuedBytes === 0 && isReadingPaused) {
      this.#idleSinceMs = nowMs;
    } else if (this.#lastTakenMs > this.#idleSinceMs && (isBackedUp || handler.isWorking || handler.isSending)) {
      this.#idleSinceMs = this.#lastTakenMs;
    }
  }
}
