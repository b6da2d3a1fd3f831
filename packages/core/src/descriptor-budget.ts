/** Descriptors that the process needs for itself, until they were counted. */
export const OWN_DESCRIPTORS = 24;

export interface DescriptorPlan {
  /** What the process may hold; `undefined` where the system does not say. */
  readonly limit: number | undefined;
  /** Kept for telling newcomers that there is no room, and for what nobody has thought of. */
  readonly reserve: number;
  /** What others leave to connections, and to files, however much they would like to have. */
  readonly connectionShare: number;
  readonly fileShare: number;
}

/**
 * The descriptors of the process, shared by connections and files: each takes of what the other does not use, except for a share
 * that is kept for the other. It never runs out of them: Node would close new connections without a word.
 */
export class DescriptorBudget {
  readonly limit: number;
  readonly reserve: number;
  readonly #connectionShare: number;
  readonly #fileShare: number;
  #connections = 0;
  #files = 0;
  #own = OWN_DESCRIPTORS;

  constructor({ limit, reserve, connectionShare, fileShare }: DescriptorPlan) {
    this.limit = limit ?? Number.POSITIVE_INFINITY;
    this.reserve = reserve;
    this.#connectionShare = connectionShare;
    this.#fileShare = fileShare;
  }

  get connections(): number {
    return this.#connections;
  }

  /** Files that are open, or may be for a moment. */
  get files(): number {
    return this.#files;
  }

  /** Descriptors that neither connections nor files hold. */
  get own(): number {
    return this.#own;
  }

  /** Descriptors in use. */
  get used(): number {
    return this.#own + this.#connections + this.#files;
  }

  /** Takes one for a connection, if there is one; give it back with `giveConnection`. */
  takeConnection(): boolean {
    if (!this.hasRoomForConnection) return false;
    this.#connections += 1;
    return true;
  }

  get hasRoomForConnection(): boolean {
    return this.#connections < this.#usable - Math.max(this.#files, this.#fileShare);
  }

  giveConnection(): void {
    this.#connections -= 1;
  }

  /** Takes so many for files, if there are so many; give them back with `giveFiles`. */
  takeFiles(count: number): boolean {
    if (this.#files + count > this.#usable - Math.max(this.#connections, this.#connectionShare)) return false;
    this.#files += count;
    return true;
  }

  giveFiles(count: number): void {
    this.#files -= count;
  }

  /** @param open descriptors that the process was seen to hold: what is held by neither connections nor files is its own */
  noteOpen(open: number): void {
    this.#own = Math.max(OWN_DESCRIPTORS, open - this.#connections - this.#files);
  }

  get #usable(): number {
    return this.limit - this.reserve - this.#own;
  }
}
