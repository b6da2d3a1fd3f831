import { Key, ProtocolError, parseInteger, type Response } from '@sluice/wire';
import type { DataReceiver } from './connection.js';

/** Where the bytes of a download go. */
export interface ByteTarget {
  /** Writes all parts; they may be overwritten after the call. @returns a promise to be waited for before the next call */
  write(parts: readonly Uint8Array[]): void | Promise<void>;
}

/** What a download tells its caller. */
export interface IncomingFileEvents {
  /** @param remaining may be negative: some servers answer so when the offset lies behind the end of the file (D32) */
  onAnnounced(remaining: number): void;
  /** So many more bytes are with the target. */
  onWritten(bytes: number): void;
}

/** One transfer from a server: counts what comes, and passes it on straight from the receive buffer. */
export class IncomingFile implements DataReceiver {
  /** Settles when everything that was announced is with the target; rejects with what ended the connection. */
  readonly done: Promise<void>;
  readonly #target: ByteTarget;
  readonly #events: IncomingFileEvents;
  readonly #parts: Uint8Array[] = [];
  #pendingBytes = 0;
  /** Announced and not yet received; `undefined` before the announcement. */
  #remaining: number | undefined;
  #flushing: Promise<void> | undefined;
  #resolve!: () => void;
  #reject!: (error: unknown) => void;

  constructor(target: ByteTarget, events: IncomingFileEvents) {
    this.#target = target;
    this.#events = events;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.done.catch(() => {}); // the request of the download may fail first
  }

  onAnnounced(announcement: Response): void {
    const remaining = parseInteger(announcement.text.first(Key.FileSize) ?? '', 64);
    if (remaining === undefined || this.#remaining !== undefined) {
      throw new ProtocolError('ERR_RESPONSE_INVALID', 'SendFile twice, or without a usable FileSize');
    }
    this.#events.onAnnounced(Number(remaining));
    this.#remaining = Number(remaining);
  }

  onData(source: Uint8Array, start: number, end: number): void {
    if (start === end) return;
    if (this.#remaining === undefined || end - start > this.#remaining) {
      throw new ProtocolError('ERR_RESPONSE_INVALID', 'more data than announced');
    }
    this.#parts.push(source.subarray(start, end));
    this.#pendingBytes += end - start;
    this.#remaining -= end - start;
  }

  flush(): void | Promise<void> {
    if (this.#pendingBytes > 0) {
      const writing = this.#target.write(this.#parts);
      if (writing) {
        this.#flushing = writing.then(() => this.#onWritten());
        return this.#flushing;
      }
      this.#onWritten();
    } else if (this.#remaining === 0) {
      this.#resolve();
    }
  }

  /** Settles when the target works on nothing any more: only then may it be used for something else. */
  async settle(): Promise<void> {
    await this.#flushing?.catch(() => {}); // a failure has ended the connection
  }

  onFailure(error: unknown): void {
    this.#reject(error);
  }

  #onWritten(): void {
    const bytes = this.#pendingBytes;
    this.#parts.length = 0;
    this.#pendingBytes = 0;
    this.#events.onWritten(bytes);
    if (this.#remaining === 0) this.#resolve();
  }
}
