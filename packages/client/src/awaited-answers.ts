import { asciiFold, MAX_TAG, type Response, ResultCode, responseTag } from '@sluice/wire';
import { responseError } from './errors.js';

/** An answer; a successful one, unless failures were asked for, too. */
export interface Answer {
  readonly response: Response;
  /** The data of the packet, a copy. */
  readonly data: Uint8Array;
}

/** Where the data of a packet lies; overwritten when the call returns. */
export interface DataSpan {
  readonly source: Uint8Array;
  readonly start: number;
  readonly end: number;
}

interface Awaited {
  readonly foldedCommand: string;
  /** Whether an answer with a code other than 0 is an answer, and not a failure. */
  readonly takesAnyCode?: boolean;
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

const NO_DATA = new Uint8Array(0);

/** The requests of a connection that are not answered, and which answer belongs to which: by its Tag if it has one, else by the order. */
export class AwaitedAnswers {
  readonly #inOrder: Awaited[] = [];
  readonly #byTag = new Map<number, Awaited>();
  #lastTag = MAX_TAG;

  get isEmpty(): boolean {
    return this.#inOrder.length === 0 && this.#byTag.size === 0;
  }

  /** The answer to a request without a Tag: the next one of its command. */
  inOrder(command: string, { takesAnyCode = false }: Pick<Awaited, 'takesAnyCode'> = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#inOrder.push({ foldedCommand: asciiFold(command), takesAnyCode, resolve, reject });
    });
  }

  /** A Tag that no request waits under. docs/protocol.md, section 17.5. */
  freeTag(): number {
    do this.#lastTag = this.#lastTag === MAX_TAG ? 0 : this.#lastTag + 1;
    while (this.#byTag.has(this.#lastTag));
    return this.#lastTag;
  }

  /** The answer to a request with a Tag. */
  tagged(command: string, tag: number): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#byTag.set(tag, { foldedCommand: asciiFold(command), resolve, reject });
    });
  }

  /**
   * Hands an answer to the request that it belongs to.
   *
   * @param command of the answer, in small letters; empty in a failure of a request that the server could not read
   * @returns whether there is such a request
   */
  settle(command: string, response: Response, { source, start, end }: DataSpan): boolean {
    const isFailure = response.code !== ResultCode.Success;
    const awaited = this.#take(command, response, isFailure);
    if (!awaited) return false;
    if (isFailure && !awaited.takesAnyCode) awaited.reject(responseError(response));
    else awaited.resolve({ response, data: start === end ? NO_DATA : source.slice(start, end) });
    return true;
  }

  /** Rejects all of them. */
  failAll(reason: unknown): void {
    const all = [...this.#inOrder.splice(0), ...this.#byTag.values()];
    this.#byTag.clear();
    for (const awaited of all) awaited.reject(reason);
  }

  #take(command: string, response: Response, isFailure: boolean): Awaited | undefined {
    const tag = this.#byTag.size > 0 ? responseTag(response.text) : undefined;
    if (tag !== undefined) {
      const awaited = this.#byTag.get(tag);
      if (awaited?.foldedCommand !== command) return undefined;
      this.#byTag.delete(tag);
      return awaited;
    }
    const first = this.#inOrder[0];
    if (!first || (first.foldedCommand !== command && !(isFailure && command === ''))) return undefined;
    return this.#inOrder.shift();
  }
}
