import {
  Command,
  dataRequestText,
  decodeFloodReport,
  decodeFloodResponse,
  encodeFloodRequest,
  type FloodDirection,
  FloodPackets,
  type FloodReport,
  MIN_REPORT_MS,
} from '@sluice/wire';
import type { Cancel, ClientClock } from '../clock.js';
import type { Connection } from '../connection.js';
import type { Platform } from '../platform.js';
import { processUse } from './process-load.js';
import type { ProcessUse } from './speed-result.js';
import type { Moved, SpeedStream } from './speed-stream.js';

/** Packets that are sent at once. */
const PACKETS_AT_ONCE = 8;

/** Sent before what has come is looked at, in bytes. */
const BYTES_PER_TURN = 1 << 20;

/** How long the last report may be late: it stands in line behind data. Then the one before it counts. */
const LAST_REPORT_MS = 2000;

/** Reports in an interval: its end and theirs do not meet, and the difference must not matter. */
const REPORTS_PER_INTERVAL = 5;

export interface FloodStreamInit {
  readonly connection: Connection;
  readonly clock: ClientClock;
  readonly platform: Platform;
  readonly direction: FloodDirection;
  readonly durationMs: number;
  /** Each way. */
  readonly bytes: number;
  readonly intervalMs: number;
}

/** Shared by all measurements: made by the first one. */
let sharedPackets: FloodPackets | undefined;

/** A connection on which the server was asked for a Flood. docs/protocol.md, section 17.11. */
export class FloodStream implements SpeedStream {
  durationMs = 0;
  serverCap = 0;
  readonly ended: Promise<void>;
  readonly #init: FloodStreamInit;
  readonly #isUp: boolean;
  readonly #isDown: boolean;
  #report: FloodReport | undefined;
  #startedMs = 0;
  #received = 0;
  /** Set at the end: what comes later does not count. */
  #down: Moved | undefined;
  #isOver = false;
  readonly #timers: Cancel[] = [];
  #onEnd: () => void = () => {};
  #onFailure: (error: unknown) => void = () => {};

  constructor(init: FloodStreamInit) {
    this.#init = init;
    this.#isUp = init.direction !== 'down';
    this.#isDown = init.direction !== 'up';
    this.ended = new Promise((resolve, reject) => {
      this.#onEnd = resolve;
      this.#onFailure = reject;
    });
    this.ended.catch(() => {}); // whoever starts it has waited for nothing yet
  }

  get up(): Moved | undefined {
    if (!this.#isUp) return undefined;
    return { bytes: this.#report?.received ?? 0, ms: this.#report?.elapsedMs ?? 0 };
  }

  get down(): Moved | undefined {
    if (!this.#isDown) return undefined;
    return this.#down ?? { bytes: this.#received, ms: this.#elapsedMs };
  }

  get server(): ProcessUse | undefined {
    return this.#report && processUse(this.#report.cpuMs, this.#report.busyMs, this.#report.elapsedMs);
  }

  async start(): Promise<void> {
    const { connection, clock, direction, durationMs, bytes, intervalMs } = this.#init;
    connection.receive({
      onAnnounced() {},
      onData: (_source, start, end) => {
        this.#received += end - start;
      },
      flush() {},
      onFailure: (error) => this.#fail(error),
    });
    const reportMs = Math.max(MIN_REPORT_MS, Math.floor(intervalMs / REPORTS_PER_INTERVAL));
    const request = encodeFloodRequest({ direction, durationMs, size: bytes, intervalMs: reportMs });
    this.#startedMs = clock.nowMs();
    await new Promise<void>((resolve, reject) => {
      const begin = async () => {
        const { response } = await connection.request(Command.Flood, request);
        const grant = decodeFloodResponse(response);
        this.durationMs = grant.durationMs;
        this.serverCap = grant.rate;
        this.#begun();
        resolve();
      };
      connection
        .watch(Command.FloodReport, begin, (response) => this.#onReport(decodeFloodReport(response)))
        .catch((error: unknown) => {
          const failure = connection.asFailure(error);
          reject(failure);
          this.#fail(failure);
        });
    });
  }

  get #elapsedMs(): number {
    return this.#init.clock.nowMs() - this.#startedMs;
  }

  #begun(): void {
    const { clock } = this.#init;
    if (this.#isOver) return;
    this.#timers.push(
      clock.after(this.durationMs, () => this.#stopCounting()),
      clock.after(this.durationMs + LAST_REPORT_MS, () => this.#end()),
    );
    if (this.#isUp) void this.#send().catch((error: unknown) => this.#fail(error));
  }

  #onReport(report: FloodReport): void {
    if (this.#isOver) return;
    this.#report = report;
    if (report.isEnd) this.#end();
  }

  /** Sends as fast as the system takes it. */
  async #send(): Promise<void> {
    const { connection, bytes } = this.#init;
    sharedPackets ??= new FloodPackets(dataRequestText(), PACKETS_AT_ONCE);
    let turnLeft = BYTES_PER_TURN;
    for (let left = bytes; left > 0 && !this.#isOver; ) {
      const part = sharedPackets.take(left);
      await connection.send([part.packets]);
      left -= part.dataBytes;
      turnLeft -= part.dataBytes;
      if (turnLeft > 0) continue;
      turnLeft = BYTES_PER_TURN;
      await this.#init.platform.nextTurn();
    }
  }

  #stopCounting(): void {
    this.#down ??= { bytes: this.#received, ms: this.#elapsedMs };
  }

  #end(): void {
    if (this.#isOver) return;
    this.#stop();
    this.#onEnd();
  }

  #fail(error: unknown): void {
    if (this.#isOver) return;
    this.#stop();
    this.#onFailure(error);
  }

  #stop(): void {
    this.#stopCounting();
    this.#isOver = true;
    for (const cancel of this.#timers) cancel();
  }
}
