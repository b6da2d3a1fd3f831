import type { Writable } from 'node:stream';
import { ChunkDigester } from '@sluice/files';
import { DIGEST_BYTES, DIGEST_CHUNK_BYTES } from '@sluice/wire';
import { ClientError } from './errors.js';
import { systemText } from './local-errors.js';
import type { LocalDigests } from './matching-prefix.js';

/**
 * A stream that a download is written to, in order. Does not own the stream: it is not ended. What was written cannot be read again, so it
 * is digested on its way, to be compared with the server's file before a download goes on.
 */
export class StreamTarget {
  readonly #stream: Writable;
  #digester: ChunkDigester | undefined;
  #failure: ClientError | undefined;
  #lastWrite: Promise<void> = Promise.resolve();
  readonly #onError = (error: Error) => this.#fail(systemText(error), error);
  readonly #onClose = () => this.#fail('it was closed');
  #onFailure: (() => void) | undefined;

  private constructor(stream: Writable) {
    this.#stream = stream;
    stream.on('error', this.#onError);
    stream.on('close', this.#onClose);
    if (stream.destroyed || stream.writableEnded) this.#fail('it has ended');
  }

  /** Watches over the stream at once, before the promise settles. */
  static async open(stream: Writable): Promise<StreamTarget> {
    const target = new StreamTarget(stream);
    target.#digester = await ChunkDigester.create(DIGEST_CHUNK_BYTES);
    return target;
  }

  /** Of what was written. */
  readonly digests: LocalDigests = async ({ position, count }) => {
    const chunk = Math.floor(position / DIGEST_CHUNK_BYTES);
    const endChunk = Math.ceil((position + count) / DIGEST_CHUNK_BYTES);
    return (this.#digester?.digests() ?? new Uint8Array(0)).subarray(chunk * DIGEST_BYTES, endChunk * DIGEST_BYTES);
  };

  /** As FileWriter: the parts may be overwritten after the call. @returns a promise when the stream has had enough for now */
  write(parts: readonly Uint8Array[]): void | Promise<void> {
    if (this.#failure) throw this.#failure;
    const bytes = Buffer.concat(parts);
    this.#digester?.update(bytes);
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
