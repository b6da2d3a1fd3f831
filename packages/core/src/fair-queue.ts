/** A queue in which those who have fewer in it do not wait for those who have many: the owners have their turns one after the other, each for one item. */
export class FairQueue<T> {
  /** By owner, who has its turn next first. */
  readonly #lines = new Map<string, T[]>();
  /** Items that wait, the oldest first, since when, and whose they are. */
  readonly #waiting = new Map<T, { readonly owner: string; readonly sinceMs: number }>();

  get size(): number {
    return this.#waiting.size;
  }

  /** @param item not in the queue already */
  push(item: T, owner: string, nowMs: number): void {
    this.#waiting.set(item, { owner, sinceMs: nowMs });
    const line = this.#lines.get(owner);
    if (line) line.push(item);
    else this.#lines.set(owner, [item]);
  }

  /** Takes the next item out. */
  shift(): T | undefined {
    for (const [owner, line] of this.#lines) {
      const item = line.shift()!;
      this.#lines.delete(owner);
      if (line.length > 0) this.#lines.set(owner, line); // behind the others
      this.#waiting.delete(item);
      return item;
    }
    return undefined;
  }

  /** Takes an item out, wherever it is. @returns whether it was there */
  remove(item: T): boolean {
    const entry = this.#waiting.get(item);
    if (!entry) return false;
    this.#waiting.delete(item);
    const line = this.#lines.get(entry.owner)!;
    line.splice(line.indexOf(item), 1);
    if (line.length === 0) this.#lines.delete(entry.owner);
    return true;
  }

  /** Takes out those that have waited since `sinceMs` or longer. */
  removeSince(sinceMs: number): T[] {
    const removed: T[] = [];
    for (const [item, entry] of this.#waiting) {
      if (entry.sinceMs > sinceMs) break;
      this.remove(item);
      removed.push(item);
    }
    return removed;
  }

  /** Takes all out. */
  clear(): T[] {
    const all = [...this.#waiting.keys()];
    this.#waiting.clear();
    this.#lines.clear();
    return all;
  }
}
