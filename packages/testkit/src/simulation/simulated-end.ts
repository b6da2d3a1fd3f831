import { ByteQueue } from './byte-queue.js';
import type { RandomSource } from './random-source.js';
import type { SimulatedClock } from './simulated-clock.js';

/** How a link behaves. Sizes in bytes, times in milliseconds. */
export interface LinkConditions {
  readonly minDelayMs: number;
  readonly maxDelayMs: number;
  /** Most bytes that arrive at a time. */
  readonly segmentBytes: number;
  /** What the system of either end keeps of what was written, and of what was not read. */
  readonly sendBufferBytes: number;
  readonly receiveBufferBytes: number;
}

export type LinkErrorCode = 'ECONNRESET' | 'EPIPE' | 'ETIMEDOUT';

/** How long Linux sends the same bytes again and again until it gives up: `tcp_retries2` of 15. */
const RETRANSMISSION_TIMEOUT_MS = 924_600;
/** How long it asks a silent peer for a sign of life: 2 hours, and 9 times 75 s. */
const KEEP_ALIVE_TIMEOUT_MS = 7_875_000;

/** What two ends share. */
export class SimulatedLink {
  readonly clock: SimulatedClock;
  readonly random: RandomSource;
  readonly conditions: LinkConditions;
  readonly #ends: SimulatedEnd[] = [];
  #isDead = false;
  #stalledUntilMs = 0;

  constructor(clock: SimulatedClock, random: RandomSource, conditions: LinkConditions) {
    this.clock = clock;
    this.random = random;
    this.conditions = conditions;
  }

  get delayMs(): number {
    const { minDelayMs, maxDelayMs } = this.conditions;
    const stalledMs = Math.max(0, this.#stalledUntilMs - this.clock.nowMs());
    return stalledMs + minDelayMs + this.random.next() * (maxDelayMs - minDelayMs);
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  /** From now on nothing passes, in either direction, and nobody is told. */
  cut(): void {
    if (this.#isDead) return;
    this.#isDead = true;
    for (const end of this.#ends) end.watchDeadLink();
  }

  /** Called by the ends. */
  join(...ends: SimulatedEnd[]): void {
    this.#ends.push(...ends);
  }

  get isStalled(): boolean {
    return this.#stalledUntilMs > this.clock.nowMs();
  }

  stall(forMs: number): void {
    this.#stalledUntilMs = Math.max(this.#stalledUntilMs, this.clock.nowMs() + forMs);
  }
}

/** What an end tells the program that has it. */
export interface EndOwner {
  /** There are bytes, or the other end's FIN. */
  onReadable(): void;
  /** The system has room again for what is written. */
  onRoom(): void;
  /** The connection is broken. */
  onFailed(): void;
}

/**
 * One end of a simulated TCP connection: the part of the system's that is behind a descriptor. As Linux has it:
 *
 * - `write` takes what fits into the send buffer; that arrives later, in order, in any pieces, as far as the other end has room
 * - `close` with unread bytes, and `reset`, send RST, and drop what was not sent; `close` without sends FIN behind what was written
 * - bytes that arrive at a closed end are answered by RST
 * - a RST leaves what has arrived before it to be read; then comes ECONNRESET
 * - over a dead link a writer gets ETIMEDOUT after 924.6 s, an idle one after 7875 s, which is TCP's keep-alive
 *
 * Not modelled: loss and reordering of segments (TCP hides them; they show as delay), the urgent pointer, TIME_WAIT, and limits on half-open
 * handshakes.
 */
export class SimulatedEnd {
  readonly #link: SimulatedLink;
  readonly #sending = new ByteQueue();
  readonly #received = new ByteQueue();
  #owner: EndOwner | undefined;
  #other!: SimulatedEnd;
  #isFinQueued = false;
  #isFinSent = false;
  #hasFinArrived = false;
  #isDelivering = false;
  #isClosed = false;
  #error: LinkErrorCode | undefined;

  /** @returns the two ends of a new connection */
  static pair(link: SimulatedLink): [SimulatedEnd, SimulatedEnd] {
    const [one, other] = [new SimulatedEnd(link), new SimulatedEnd(link)];
    one.#other = other;
    other.#other = one;
    link.join(one, other);
    return [one, other];
  }

  private constructor(link: SimulatedLink) {
    this.#link = link;
  }

  get link(): SimulatedLink {
    return this.#link;
  }

  set owner(owner: EndOwner) {
    this.#owner = owner;
  }

  /** Whether `read` would give something: bytes, the end, or an error. */
  get isReadable(): boolean {
    return this.#received.length > 0 || this.#hasFinArrived || this.#error !== undefined;
  }

  /** Whether bytes have been written and have not been read, in either direction. */
  get isAnythingTravelling(): boolean {
    const other = this.#other;
    return this.#sending.length + this.#received.length + other.#sending.length + other.#received.length > 0;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get error(): LinkErrorCode | undefined {
    return this.#error;
  }

  /** Whether all that the other end wrote has been read, its FIN too. */
  get hasEnded(): boolean {
    return this.#hasFinArrived && this.#received.length === 0;
  }

  /** Copies as many bytes as fit. @returns how many; an error instead, if the connection is broken */
  write(bytes: Uint8Array): number | LinkErrorCode {
    if (this.#error) return this.#takeError();
    const room = this.#link.conditions.sendBufferBytes - this.#sending.length;
    const count = Math.min(Math.max(room, 0), bytes.length);
    this.#sending.push(Buffer.from(bytes.subarray(0, count)));
    this.#pump();
    return count;
  }

  /** The next bytes, as many as have come and `maxBytes` allow; none when there are none, the error when nothing else is left. */
  read(maxBytes: number): Buffer | LinkErrorCode {
    if (this.#received.length === 0 && this.#error) return this.#takeError();
    const bytes = this.#received.take(maxBytes);
    if (bytes.length > 0) this.#other.#pump();
    return bytes;
  }

  /** FIN, behind what was written. */
  shutdown(): void {
    if (this.#isFinQueued || this.#error) return;
    this.#isFinQueued = true;
    this.#pump();
  }

  close(): void {
    if (this.#isClosed) return;
    if (this.#received.length > 0) {
      this.reset();
      return;
    }
    this.#isClosed = true;
    this.shutdown();
  }

  /** RST. */
  reset(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#sending.clear();
    this.#received.clear();
    if (!this.#error) this.#sendReset();
  }

  /** What becomes of an end whose link is dead. */
  watchDeadLink(): void {
    const { clock } = this.#link;
    const startedMs = clock.nowMs();
    const watch = (): void => {
      if (this.#isClosed || this.#error) return;
      const silentMs = clock.nowMs() - startedMs;
      if (this.#sending.length > 0 || silentMs >= KEEP_ALIVE_TIMEOUT_MS) this.#fail('ETIMEDOUT');
      else clock.happen(Math.min(RETRANSMISSION_TIMEOUT_MS, KEEP_ALIVE_TIMEOUT_MS - silentMs), watch);
    };
    clock.happen(RETRANSMISSION_TIMEOUT_MS, watch);
  }

  #takeError(): LinkErrorCode {
    const error = this.#error!;
    this.#error = 'EPIPE'; // the system tells a cause once
    return error;
  }

  #sendReset(): void {
    const { clock, delayMs } = this.#link;
    clock.happen(delayMs, () => {
      if (!this.#link.isDead) this.#other.#fail('ECONNRESET');
    });
  }

  #fail(code: LinkErrorCode): void {
    this.#sending.clear();
    if (this.#error) return;
    this.#error = code;
    if (!this.#isClosed) this.#owner?.onFailed();
  }

  /** Lets the next segment travel, if there is one and the other end has room. */
  #pump(): void {
    if (this.#isDelivering || this.#link.isDead || this.#error) return;
    const hasBytes = this.#sending.length > 0 && (this.#other.#room > 0 || this.#other.#isClosed);
    const hasFin = this.#isFinQueued && !this.#isFinSent && this.#sending.length === 0;
    if (!hasBytes && !hasFin) return;
    this.#isDelivering = true;
    this.#link.clock.happen(this.#link.delayMs, this.#deliver);
  }

  get #room(): number {
    return this.#link.conditions.receiveBufferBytes - this.#received.length;
  }

  readonly #deliver = (): void => {
    this.#isDelivering = false;
    if (this.#link.isDead || this.#error) return;
    if (this.#link.isStalled) {
      this.#pump();
      return;
    }
    const other = this.#other;
    const room = other.#isClosed ? this.#sending.length : other.#room;
    const segment = this.#link.random.between(1, this.#link.conditions.segmentBytes);
    const bytes = this.#sending.take(Math.min(segment, room));
    if (bytes.length > 0 && other.#isClosed) {
      other.#sending.clear();
      other.#sendReset();
      this.#pump();
      return;
    }
    other.#received.push(bytes);
    // As in a real segment, the FIN rides on the last bytes.
    const isFin = this.#isFinQueued && !this.#isFinSent && this.#sending.length === 0;
    if (isFin) {
      this.#isFinSent = true;
      other.#hasFinArrived = true;
    }
    this.#pump();
    if ((bytes.length > 0 || isFin) && !other.#isClosed) other.#owner?.onReadable();
    if (bytes.length > 0 && !this.#isClosed) this.#owner?.onRoom();
  };
}
