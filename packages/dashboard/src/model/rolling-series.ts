/** Values over time, the newest last; what is too old is dropped. For charts: columns, not points. */
export class RollingSeries {
  readonly #columns: number[][];
  readonly #keepSeconds: number;

  /** @param columns values at each time @param keepSeconds how long they are kept */
  constructor(columns: number, keepSeconds: number) {
    this.#columns = Array.from({ length: columns + 1 }, () => []);
    this.#keepSeconds = keepSeconds;
  }

  get length(): number {
    return this.#columns[0]!.length;
  }

  /** @param seconds since 1970; not before the last one @param values NaN where nothing is known */
  add(seconds: number, values: readonly number[]): void {
    const [times, ...others] = this.#columns as [number[], ...number[][]];
    times.push(seconds);
    for (const [index, column] of others.entries()) column.push(values[index] ?? Number.NaN);
    const old = times.findIndex((time) => time > seconds - this.#keepSeconds);
    // in steps: each value would move all that are behind it
    if (old >= 60) for (const column of this.#columns) column.splice(0, old);
  }

  /** Times, then the columns; those of the last `seconds`. Where nothing is known is `null`. */
  last(seconds: number): (number | null)[][] {
    const times = this.#columns[0]!;
    const from = (times.at(-1) ?? 0) - seconds;
    const begin = times.findIndex((time) => time >= from);
    return this.#columns.map((column) =>
      column.slice(Math.max(0, begin)).map((value) => (Number.isNaN(value) ? null : value)),
    );
  }
}
