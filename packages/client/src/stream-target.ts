import type { Writable } from 'node:stream';
import { ClientError, systemText } from './errors.js';

/** A stream that a download is written to, in order. Does not own the stream: it is not ended. */
export class StreamTarget {
  readonly #stream: Writable;
  #failure: ClientError | undefined;
  #lastWrite: Promise<void> = Promise.resolve();
  readonly #onError = (error: Error) => this.#fail(systemText(error), error);
  readonly #onClose = () => this.#fail('it was closed');
  #onFailure: (() => void) | undefined;

  constructor(stream: Writable) {
    this.#stream = stream;
    stream.on('error', this.#onError);
    stream.on('close', this.#onClose);
    if (stream.destroyed || stream.writableEnded) this.#fail('it has ended');
  }

  /** As FileWriter: the parts may be overwritten after the call. @returns a promise when the stream has had enough for now */
  write(parts: readonly Uint8Array[]): void | Promise<void> {
    if (this.#failure) throw this.#failure;
    const bytes = Buffer.concat(parts);
    let wantsMore = true;
    this.#lastWrite = new Promise((resolve, reject) => {
      this.#onFailure = () => reject(this.#failure);
      wantsMore = this.#stream.write(bytes, (error) => (error ? this.#fail(systemText(error), error) : resolve()));
    });
    this.#lastWrite.catch(() => {}); // awaited at the latest by `finish`
    if (!wantsMore) return this.#lastWrite;
  }

  /** Settles when the stream has taken everything. @throws {ClientError} `ERR_LOCAL_FILE` */
  async finish(): Promise<void> {
    await this.#lastWrite;
    if (this.#failure) throw this.#failure;
  }

  /** Lets go of the stream. */
  close(): void {
    this.#stream.off('error', this.#onError);
    this.#stream.off('close', this.#onClose);
  }

  #fail(why: string, cause?: unknown): void {
    this.#failure ??= new ClientError('ERR_LOCAL_FILE', `cannot write to the stream: ${why}`, { cause });
    this.#onFailure?.();
  }
}
