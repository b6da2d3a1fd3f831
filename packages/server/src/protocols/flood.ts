import {
  Command,
  encodeFloodReport,
  encodePacket,
  type FloodPackets,
  type FloodReport,
  type FloodRequest,
  MAX_FLOOD_BYTES,
  type TransferRecord,
} from '@sluice/wire';
import type { FloodClock, FloodPlace } from '../flood-places.js';
import type { MessageStream, Session } from '../protocol.js';
import { ProcessLoad } from './process-load.js';

/** Sent in one turn of the event loop, in bytes; then the other connections have theirs. */
const BYTES_PER_TURN = 1 << 20;

/** What is sent at once, where a rate is set: as much as goes in so many milliseconds, one packet at least. */
const PACE_MS = 50;

/** Time after the end for the peer to take what is queued, and to stop sending; then the connection is cut. */
const LATE_MS = 10_000;

export interface FloodInit {
  readonly session: Session;
  readonly request: FloodRequest;
  readonly durationMs: number;
  /** Bytes a second; 0 for no limit. */
  readonly rate: number;
  readonly place: FloodPlace;
  readonly packets: FloodPackets;
  readonly clock: FloodClock;
}

/**
 * One measurement on one connection: counts and drops what comes, sends as fast as the peer reads, reports, and ends by itself.
 *
 * ```text
 * running ──time, size, shutdown──► late ──all taken; next request──► done: the place is free
 *                                     └──10 s──► the connection is cut
 * ```
 */
export class Flood {
  readonly #init: FloodInit;
  readonly #load = new ProcessLoad();
  readonly #startedMs: number;
  readonly #size: number;
  readonly #isUp: boolean;
  readonly #isDown: boolean;
  #state: 'running' | 'late' | 'done' = 'running';
  #received = 0;
  #sent = 0;
  #isRunning = false;
  /** What was sent last waits for the system to take it. */
  #isOut = false;
  #isWaiting = false;
  /** Whether nothing more comes: it was not to send, or has sent another request since the end. */
  #hasPeerStopped: boolean;
  #timers: (() => void)[] = [];
  /** Ends the wait of a peer that has sent too fast. */
  #goOn: (() => void) | undefined;

  /** What the peer has missed is in the next report. */
  readonly #reports: MessageStream;

  /** Runs from now on. */
  constructor(init: FloodInit) {
    this.#init = init;
    this.#reports = init.session.messageStream({ policy: 'drop-newest', maxMessages: 1 });
    const { clock, request, durationMs } = init;
    this.#startedMs = clock.nowMs();
    this.#size = request.size ?? MAX_FLOOD_BYTES;
    this.#isUp = request.direction !== 'down';
    this.#isDown = request.direction !== 'up';
    this.#hasPeerStopped = !this.#isUp;
    this.#timers.push(clock.after(durationMs, () => this.end()));
    if (request.intervalMs !== undefined) this.#scheduleReport(request.intervalMs);
  }

  get isRunning(): boolean {
    return this.#state === 'running';
  }

  /** Whether Data is for it: also what was on its way when it ended. */
  get takesData(): boolean {
    return this.#isUp && this.#state !== 'done';
  }

  get isSending(): boolean {
    return this.#isDown && this.#state === 'running';
  }

  get record(): TransferRecord | undefined {
    if (this.#state !== 'running') return undefined;
    const direction = !this.#isDown ? 'upload' : this.#isUp ? 'stream' : 'download';
    return { direction, name: 'speed measurement', doneBytes: this.#received + this.#sent };
  }

  /** Data has come. */
  count(bytes: number): void {
    this.#init.place.note('up', bytes);
    if (this.#state !== 'running') return;
    this.#received += bytes;
    this.#endIfComplete();
  }

  /** What has come is counted. @returns a promise to have the peer wait, where a rate is set */
  paced(): Promise<void> | undefined {
    const waitMs = this.takesData ? this.#init.place.waitMs('up') : 0;
    if (waitMs === 0) return undefined;
    return new Promise((resolve) => {
      this.#goOn = resolve;
      this.#after(waitMs, resolve);
    });
  }

  /** Sends while the system takes what is sent, for one turn's worth of bytes; goes on when it has taken more, or in the next turn. */
  readonly run = (): void => {
    if (this.#isRunning || !this.#maySend) return;
    this.#isRunning = true;
    for (let left = BYTES_PER_TURN; left > 0 && this.#maySend; ) left -= this.#sendSome();
    this.#isRunning = false;
    this.#endIfComplete();
    if (this.#maySend) setImmediate(this.run);
  };

  /** Ends it before its time, or at it: the peer gets the last report. */
  end(): void {
    if (this.#state !== 'running') return;
    this.#state = 'late';
    this.#cancelTimers();
    const { session } = this.#init;
    const report = this.#report(true);
    session.log.info('speed measurement complete', {
      received: report.received,
      sent: report.sent,
      ms: Math.round(report.elapsedMs),
    });
    session.reply(encodeFloodReport(report));
    this.#after(LATE_MS, () => session.destroy('flood-overrun'));
    this.#endLateness();
    session.settled();
  }

  /** The peer has sent its next request: if the flood is over, no Data of it is on its way any more. */
  noteRequest(): void {
    if (this.#state !== 'late') return;
    this.#hasPeerStopped = true;
    this.#endLateness();
  }

  /** The connection is gone. */
  close(): void {
    if (this.#state === 'running') {
      this.#init.session.log.info('speed measurement broken off', { received: this.#received, sent: this.#sent });
    }
    this.#finish();
  }

  get #maySend(): boolean {
    return (
      this.isSending && this.#sent < this.#size && !this.#isOut && !this.#isWaiting && !this.#init.session.isClosing
    );
  }

  #sendSome(): number {
    const { session, packets, place, rate } = this.#init;
    const waitMs = place.waitMs('down');
    if (waitMs > 0) {
      this.#isWaiting = true;
      this.#after(waitMs, () => {
        this.#isWaiting = false;
        this.run();
      });
      return 0;
    }
    const most = rate === 0 ? packets.capacityBytes : Math.max(packets.packetDataBytes, (rate * PACE_MS) / 1000);
    const part = packets.take(Math.floor(Math.min(most, this.#size - this.#sent)));
    this.#isOut = true;
    this.#sent += part.dataBytes;
    place.note('down', part.dataBytes);
    if (!session.sendOwned(part.packets, part.count, this.#onTaken, Command.Data)) this.#isOut = false;
    return part.dataBytes;
  }

  readonly #onTaken = (): void => {
    this.#isOut = false;
    if (this.#state === 'late') this.#endLateness();
    else this.run();
  };

  #endIfComplete(): void {
    const isUpDone = !this.#isUp || this.#received >= this.#size;
    const isDownDone = !this.#isDown || this.#sent >= this.#size;
    if (isUpDone && isDownDone) this.end();
  }

  #endLateness(): void {
    if (this.#hasPeerStopped && !this.#isOut) this.#finish();
  }

  #finish(): void {
    this.#state = 'done';
    this.#cancelTimers();
    this.#init.place[Symbol.dispose]();
  }

  #scheduleReport(intervalMs: number): void {
    this.#after(intervalMs, () => {
      this.#scheduleReport(intervalMs);
      this.#reports.offer(encodePacket(encodeFloodReport(this.#report(false))));
    });
  }

  #report(isEnd: boolean): FloodReport {
    const elapsedMs = this.#init.clock.nowMs() - this.#startedMs;
    return { received: this.#received, sent: this.#sent, elapsedMs, ...this.#load.read(), isEnd };
  }

  #after(delayMs: number, callback: () => void): void {
    const cancel = this.#init.clock.after(delayMs, () => {
      this.#timers = this.#timers.filter((each) => each !== cancel);
      callback();
    });
    this.#timers.push(cancel);
  }

  #cancelTimers(): void {
    for (const cancel of this.#timers.splice(0)) cancel();
    this.#goOn?.();
  }
}
