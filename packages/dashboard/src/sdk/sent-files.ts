import type { BrowserClient, IfExists } from '@sluice/client/browser';
import type { FileToSend, SendOptions, SentFile, TransferProgress } from '../server-api.js';
import { serverError } from './server-errors.js';

/** Files above it go by themselves, tell how far they are, and can go on after a reload; the SDK remembers none that is smaller. */
const LARGE_BYTES = 4 << 20;

/** Large files that are under way at once: each has several connections. */
const LARGE_AT_ONCE = 2;

/** Sends files, small ones together, and tells how far all of them are. A file that fails does not end the others. */
export class SentFiles {
  readonly #client: BrowserClient;
  readonly #options: SendOptions;
  readonly #totalBytes: number;
  /** Of those that are under way. */
  readonly #progress = new Map<FileToSend, TransferProgress>();
  #endedBytes = 0;
  #resumedBytes = 0;
  /** The first failure that concerns all files. */
  #failure: unknown;

  constructor(client: BrowserClient, files: readonly FileToSend[], options: SendOptions) {
    this.#client = client;
    this.#options = options;
    this.#totalBytes = files.reduce((sum, { file }) => sum + file.size, 0);
  }

  async run(files: readonly FileToSend[]): Promise<void> {
    const large = files.filter(({ file }) => file.size > LARGE_BYTES);
    const small = files.filter(({ file }) => file.size <= LARGE_BYTES);
    const lanes = Array.from({ length: Math.min(LARGE_AT_ONCE, large.length) }, () => this.#sendLarge(large));
    if (small.length > 0) lanes.push(this.#sendSmall(small));
    const ends = await Promise.allSettled(lanes);
    this.#options.signal?.throwIfAborted();
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed) throw serverError(failed.reason);
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Sends one after the other of those that nobody has begun. */
  async #sendLarge(queue: FileToSend[]): Promise<void> {
    for (let next = queue.shift(); next && this.#failure === undefined; next = queue.shift()) {
      const sent = next;
      const { signal, ifExists } = this.#options;
      try {
        const { bytes, skipped } = await this.#client.upload(sent.handle ?? sent.file, sent.path, {
          ...(signal && { signal }),
          ifExists,
          onProgress: ({ bytesDone, bytesResumed }) => {
            this.#progress.set(sent, { doneBytes: bytesDone, resumedBytes: bytesResumed });
            this.#tell();
          },
        });
        this.#end(sent, { bytes, ...(skipped && { skipped }) });
      } catch (error) {
        signal?.throwIfAborted();
        const failure = serverError(error) as Error;
        if (isOfAll(failure)) this.#failure = failure;
        else this.#end(sent, { bytes: 0, error: failure });
      }
    }
  }

  async #sendSmall(files: readonly FileToSend[]): Promise<void> {
    const byPath = new Map(files.map((each) => [each.path, each]));
    const { signal, ifExists } = this.#options;
    await this.#client.uploadFiles(
      files.map(({ file, path }) => ({ source: file, target: path })),
      {
        ...(signal && { signal }),
        ifExists: ifExists satisfies IfExists,
        onFile: ({ target, result, error }) => {
          const sent = byPath.get(target);
          if (!sent) return;
          const skipped = result?.skipped;
          this.#end(sent, {
            bytes: result?.bytes ?? 0,
            ...(skipped && { skipped }),
            ...(error && { error: serverError(error) as Error }),
          });
        },
      },
    );
  }

  #end(sent: FileToSend, outcome: SentFile): void {
    this.#resumedBytes += this.#progress.get(sent)?.resumedBytes ?? 0;
    this.#progress.delete(sent);
    this.#endedBytes += sent.file.size;
    this.#options.onFile?.(sent.path, outcome);
    this.#tell();
  }

  #tell(): void {
    let [doneBytes, resumedBytes] = [this.#endedBytes, this.#resumedBytes];
    for (const progress of this.#progress.values()) {
      doneBytes += progress.doneBytes;
      resumedBytes += progress.resumedBytes;
    }
    this.#options.onProgress?.({ doneBytes, totalBytes: this.#totalBytes, resumedBytes });
  }
}

/** Whether a failure would meet each of the files. */
function isOfAll(error: unknown): boolean {
  const kind = (error as { readonly kind?: string }).kind;
  return kind === 'lost' || kind === 'not-logged-in' || kind === 'forbidden';
}
