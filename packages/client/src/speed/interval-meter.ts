import type { Cancel, ClientClock } from '../clock.js';
import type { LatencyProbe } from './latency.js';
import type { SpeedFlow, SpeedInterval } from './speed-result.js';
import type { Moved, SpeedStream } from './speed-stream.js';

export interface IntervalMeterInit {
  readonly streams: readonly SpeedStream[];
  readonly probe: LatencyProbe;
  readonly clock: ClientClock;
  readonly intervalMs: number;
  readonly onInterval: (interval: SpeedInterval) => void;
}

const NOTHING: Moved = { bytes: 0, ms: 0 };

/** Looks at the streams at the end of every interval, from its making on. */
export class IntervalMeter {
  readonly intervals: SpeedInterval[] = [];
  readonly #init: IntervalMeterInit;
  readonly #startedMs: number;
  readonly #cancel: Cancel;
  #fromSeconds = 0;
  readonly #up: Moved[] = [];
  readonly #down: Moved[] = [];

  constructor(init: IntervalMeterInit) {
    this.#init = init;
    this.#startedMs = init.clock.nowMs();
    this.#cancel = init.clock.every(init.intervalMs, () => this.#look());
  }

  /** What is left since the last interval is one more, unless it is less than half of one. */
  stop(): void {
    this.cancel();
    const { clock, intervalMs } = this.#init;
    const leftMs = clock.nowMs() - this.#startedMs - this.#fromSeconds * 1000;
    if (leftMs >= intervalMs / 2) this.#look();
  }

  /** Nobody wants to know any more. */
  cancel(): void {
    this.#cancel();
  }

  #look(): void {
    const { streams, probe, clock, onInterval } = this.#init;
    const fromSeconds = this.#fromSeconds;
    const toSeconds = (clock.nowMs() - this.#startedMs) / 1000;
    this.#fromSeconds = toSeconds;
    const up = flowSince(
      this.#up,
      streams.map((stream) => stream.up),
    );
    const down = flowSince(
      this.#down,
      streams.map((stream) => stream.down),
    );
    const latency = probe.takeRecent();
    const interval = {
      fromSeconds,
      toSeconds,
      ...(up && { up }),
      ...(down && { down }),
      ...(latency && { latency }),
    };
    this.intervals.push(interval);
    onInterval(interval);
  }
}

/**
 * What has moved since the last call, with the time in which it has: what a server tells is a little older than now.
 *
 * @param last written to
 * @returns `undefined` when nothing new is known
 */
function flowSince(last: Moved[], now: readonly (Moved | undefined)[]): SpeedFlow | undefined {
  let [bytes, bytesPerSecond, longestMs] = [0, 0, 0];
  for (const [i, moved] of now.entries()) {
    const before = last[i] ?? NOTHING;
    if (!moved || moved.ms <= before.ms) continue;
    last[i] = moved;
    bytes += moved.bytes - before.bytes;
    bytesPerSecond += ((moved.bytes - before.bytes) * 1000) / (moved.ms - before.ms);
    longestMs = Math.max(longestMs, moved.ms - before.ms);
  }
  return longestMs === 0 ? undefined : { bytes, seconds: longestMs / 1000, bytesPerSecond };
}
