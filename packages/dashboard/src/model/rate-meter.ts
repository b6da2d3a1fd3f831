/** Rates are of the last few seconds. */
const WINDOW_MS = 4000;

/** How fast something moves, from how far it has come at some times. */
export class RateMeter {
  readonly #points: { readonly atMs: number; readonly bytes: number }[] = [];

  /** @param atMs of a clock that does not go back @param bytes moved so far; less than before begins anew */
  add(atMs: number, bytes: number): void {
    const last = this.#points.at(-1);
    if (last && bytes < last.bytes) this.#points.length = 0;
    if (last && atMs - last.atMs < 100 && this.#points.length > 1) this.#points.pop();
    this.#points.push({ atMs, bytes });
    while (this.#points.length > 2 && atMs - this.#points[1]!.atMs >= WINDOW_MS) this.#points.shift();
  }

  /** In bytes per second, 0 as long as it is not known. */
  get rate(): number {
    const [first, last] = [this.#points[0], this.#points.at(-1)];
    if (!first || !last || last.atMs <= first.atMs) return 0;
    return ((last.bytes - first.bytes) * 1000) / (last.atMs - first.atMs);
  }
}
