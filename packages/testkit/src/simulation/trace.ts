/** Lines that are kept for whoever looks at a failure. */
const KEPT_LINES = 400;

/** What has happened in a simulation: two runs of the same seed have the same. */
export class Trace {
  readonly #lines: string[] = [];
  #hash = 0x811c9dc5;
  #events = 0;

  add(atMs: number, event: string): void {
    const line = `${atMs.toFixed(3)} ${event}`;
    for (let i = 0; i < line.length; i++) this.#hash = Math.imul(this.#hash ^ line.charCodeAt(i), 0x01000193);
    this.#events += 1;
    this.#lines.push(line);
    if (this.#lines.length > KEPT_LINES * 2) this.#lines.splice(0, KEPT_LINES);
  }

  /** Of all that has happened (FNV-1a). */
  get digest(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0');
  }

  get events(): number {
    return this.#events;
  }

  /** The newest lines: milliseconds, and what happened. */
  get lines(): readonly string[] {
    return this.#lines.slice(-KEPT_LINES);
  }
}
