const WINDOW_MS = 5000;
/** Closer samples are merged, so that the window holds a bounded number of them. */
const SAMPLE_EVERY_MS = 100;

interface Sample {
  readonly atMs: number;
  readonly bytes: number;
}

/** Bytes per second over the last five seconds. */
export class RateMeter {
  readonly #samples: Sample[];
  #total = 0;

  constructor(nowMs: number) {
    this.#samples = [{ atMs: nowMs, bytes: 0 }];
  }

  add(bytes: number, nowMs: number): void {
    this.#total += bytes;
    const last = this.#samples.at(-1);
    if (last && nowMs - last.atMs < SAMPLE_EVERY_MS) return;
    this.#samples.push({ atMs: nowMs, bytes: this.#total });
    while (this.#samples.length > 2 && (this.#samples[1]?.atMs ?? nowMs) <= nowMs - WINDOW_MS) this.#samples.shift();
  }

  /** Sinks to 0 while nothing is added. `undefined` until there is something to tell. */
  bytesPerSecond(nowMs: number): number | undefined {
    if (this.#total === 0) return undefined;
    const fromMs = nowMs - WINDOW_MS;
    const oldest = this.#samples.findLast(({ atMs }) => atMs <= fromMs) ?? this.#samples[0];
    if (!oldest) return undefined;
    const elapsedMs = nowMs - oldest.atMs;
    return elapsedMs < SAMPLE_EVERY_MS ? undefined : ((this.#total - oldest.bytes) / elapsedMs) * 1000;
  }
}
