const BOUNDS_MS = [0.1, 0.5, 1, 5, 10, 50, 100, 500, 1000];

/** Times that add up as those of a server do. */
export class DemoTimings {
  readonly #handling = new DemoTimes();
  readonly #loopDelay = new DemoTimes();
  #readMs = performance.now() - 1000;

  /** @param load 0 to 1 */
  read(load: number): object {
    const nowMs = performance.now();
    const seconds = (nowMs - this.#readMs) / 1000;
    this.#readMs = nowMs;
    for (let i = 0; i < 800 * seconds; i++) this.#handling.add(0.05 + Math.random() ** 6 * (1 + 6 * load));
    for (let i = 0; i < 60 * seconds; i++) this.#loopDelay.add(0.08 + Math.random() ** 5 * (1 + 8 * load));
    return { boundsMs: BOUNDS_MS, handling: this.#handling.figures, loopDelay: this.#loopDelay.figures };
  }
}

class DemoTimes {
  #sumMs = 0;
  readonly #counts = new Array<number>(BOUNDS_MS.length + 1).fill(0);

  get figures(): object {
    return { sumMs: this.#sumMs, counts: [...this.#counts] };
  }

  add(ms: number): void {
    const bucket = BOUNDS_MS.findIndex((bound) => ms <= bound);
    const index = bucket < 0 ? BOUNDS_MS.length : bucket;
    this.#counts[index] = this.#counts[index]! + 1;
    this.#sumMs += ms;
  }
}
