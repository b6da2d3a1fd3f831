import { constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { ChunkHash } from '@sluice/files';
import { ClientError } from './errors.js';
import type { JournaledPartial } from './journaled-partial.js';
import { DEFAULT_STREAMS } from './options.js';
import type { RemoteState } from './range-requests.js';
import type { RemotePath } from './remote-path.js';
import { pause } from './retry.js';
import type { DownloadOptions, DownloadResult } from './transfer.js';
import type { TransferContext } from './transfer-context.js';
import { VersionFetch } from './version-fetch.js';

/** Changes of the server's file that one call goes along with. */
const MAX_CHANGES = 5;
/** Pause before it does, in milliseconds. */
const CHANGE_PAUSE_MS = 200;

/**
 * The download of one file from a server with the extension Ranges: in chunks, each checked against the server's digest as it comes, over several
 * connections. Chunks that are here already, in the partial or in the file that is to be replaced, are not fetched; nor, when the file
 * changes on the server, those that have not changed.
 */
export class RangedDownload {
  readonly #context: TransferContext;
  readonly #remote: RemotePath;
  readonly #partial: JournaledPartial;
  readonly #options: DownloadOptions;
  readonly #newHash: () => ChunkHash;
  readonly #startedMs: number;
  /** Chunks that this call has fetched; the others that the file has were here before. */
  readonly #fetched = new Set<number>();
  #bytesReceived = 0;
  #bytesResumed = 0;
  #attempts = 1;

  private constructor(
    context: TransferContext,
    remote: RemotePath,
    partial: JournaledPartial,
    options: DownloadOptions,
    newHash: () => ChunkHash,
  ) {
    const { onRetry } = context.options;
    const counting = (info: Parameters<typeof onRetry>[0]) => {
      this.#attempts += 1;
      onRetry(info);
    };
    this.#context = { ...context, options: { ...context.options, onRetry: counting } };
    this.#remote = remote;
    this.#partial = partial;
    this.#options = options;
    this.#newHash = newHash;
    this.#startedMs = context.options.clock.nowMs();
  }

  /** Fetches the file and puts it in the place of the target. @throws {ClientError}, or the signal's reason */
  static async run(
    context: TransferContext,
    remote: RemotePath,
    partial: JournaledPartial,
    options: DownloadOptions,
  ): Promise<DownloadResult> {
    const download = new RangedDownload(context, remote, partial, options, await ChunkHash.maker());
    return await download.#run();
  }

  async #run(): Promise<DownloadResult> {
    const { ifExists, preserve = true, resume } = this.#options;
    const { file } = this.#partial;
    if (resume === 'never') await this.#partial.clear();
    const base = resume === 'never' ? undefined : await openBase(file.target);
    let state: RemoteState | undefined;
    try {
      state = await this.#fetch(base);
    } finally {
      await base?.close().catch(() => {}); // nothing was written to it
    }
    if (!state) return { ...this.#result(0), skipped: 'newer' };
    await this.#partial.commit({
      size: state.size,
      modifiedNs: preserve ? state.modifiedNs : undefined,
      mode: preserve ? state.mode & ~process.umask() : undefined,
      mayReplace: ifExists !== 'fail',
    });
    return this.#result(state.size);
  }

  /** @returns `undefined` if the target is not to be replaced by it */
  async #fetch(base: FileHandle | undefined): Promise<RemoteState | undefined> {
    const { clock, onRetry } = this.#context.options;
    for (let changes = 0; ; changes++) {
      this.#bytesResumed = 0;
      try {
        return await new VersionFetch({
          context: this.#context,
          remote: this.#remote,
          partial: this.#partial,
          base,
          newHash: this.#newHash,
          streams: this.#options.streams ?? DEFAULT_STREAMS,
          isWanted: await this.#wanted(),
          onReceived: (bytes) => {
            this.#bytesReceived += bytes;
          },
          onFetched: (chunk) => this.#fetched.add(chunk),
          onKept: (chunk, bytes) => {
            if (!this.#fetched.has(chunk)) this.#bytesResumed += bytes;
          },
          onProgress: (bytesDone, bytesTotal) =>
            this.#options.onProgress?.({ bytesDone, bytesTotal, bytesResumed: this.#bytesResumed }),
        }).run();
      } catch (error) {
        if (!(error instanceof ClientError) || error.code !== 'ERR_SOURCE_CHANGED') throw error;
        if (changes === MAX_CHANGES) {
          const text = `${this.#remote.fileName} keeps changing on the server; ${changes + 1} attempts have not brought one state of it here`;
          throw new ClientError('ERR_SOURCE_CHANGED', text, { cause: error, retryable: true });
        }
        onRetry({ attempt: this.#attempts, delayMs: CHANGE_PAUSE_MS, error });
        await pause(clock, this.#context.signal, CHANGE_PAUSE_MS);
      }
    }
  }

  /** For `ifExists: 'newer'`. Times are compared as far as a target can have them: to the microsecond. */
  async #wanted(): Promise<((state: RemoteState) => boolean) | undefined> {
    if (this.#options.ifExists !== 'newer') return undefined;
    const target = await stat(this.#partial.file.target, { bigint: true }).catch(() => undefined);
    return target && (({ modifiedNs }) => modifiedNs / 1_000n > target.mtimeNs / 1_000n);
  }

  #result(bytes: number): DownloadResult {
    return {
      bytes,
      bytesReceived: this.#bytesReceived,
      bytesResumed: this.#bytesResumed,
      seconds: (this.#context.options.clock.nowMs() - this.#startedMs) / 1_000,
      attempts: this.#attempts,
      damaged: this.#partial.damaged,
    };
  }
}

/** The file that is to be replaced, if there is one with anything in it that can be read. */
async function openBase(target: string): Promise<FileHandle | undefined> {
  const found = await stat(target).catch(() => undefined);
  if (!found?.isFile() || found.size === 0) return undefined; // opening something else may wait, or do something
  return await open(target, constants.O_RDONLY).catch(() => undefined);
}
