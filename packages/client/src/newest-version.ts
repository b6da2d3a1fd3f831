import { ChunkHash } from '@sluice/files/digests';
import { ClientError } from './errors.js';
import { DEFAULT_STREAMS } from './options.js';
import type { RemoteState } from './range-requests.js';
import { pause } from './retry.js';
import type { DownloadOptions, DownloadResult } from './transfer.js';
import type { TransferContext } from './transfer-context.js';
import { VersionFetch, type VersionFetchInit } from './version-fetch.js';

/** Changes of the server's file that one call goes along with. */
const MAX_CHANGES = 5;
/** Pause before it does, in milliseconds. */
const CHANGE_PAUSE_MS = 200;

/** What differs between downloads in ranges. */
export interface NewestVersionInit extends Pick<VersionFetchInit, 'remote' | 'partial' | 'readBase' | 'chunksAtOnce'> {
  readonly context: TransferContext;
  readonly options: Pick<DownloadOptions, 'streams' | 'onProgress'>;
  /** Asked before each attempt. See {@link VersionFetchInit.isWanted}. */
  readonly wanted?: () => Promise<VersionFetchInit['isWanted']>;
  /** Whether what has been written can become another version. @default true */
  readonly mayChange?: boolean;
}

/**
 * The download of one file from a server with the extension Ranges: in chunks, each checked against the server's digest as it comes, over several
 * connections. Chunks that are here already are not fetched; nor, when the file changes on the server, those that have not changed.
 */
export class NewestVersion {
  readonly #init: NewestVersionInit;
  readonly #context: TransferContext;
  readonly #startedMs: number;
  /** Chunks that this call has fetched; the others that the file has were here before. */
  readonly #fetched = new Set<number>();
  #bytesReceived = 0;
  #bytesResumed = 0;
  #attempts = 1;

  constructor(init: NewestVersionInit) {
    const { context } = init;
    const { onRetry } = context.options;
    const counting = (info: Parameters<typeof onRetry>[0]) => {
      this.#attempts += 1;
      onRetry(info);
    };
    this.#init = init;
    this.#context = { ...context, options: { ...context.options, onRetry: counting } };
    this.#startedMs = context.options.clock.nowMs();
  }

  /**
   * @returns the state that the partial has now; `undefined` if it is not wanted
   * @throws {ClientError}, or the signal's reason
   */
  async fetch(): Promise<RemoteState | undefined> {
    const { wanted, options, context: _, mayChange = true, ...init } = this.#init;
    const newHash = await ChunkHash.maker();
    for (let changes = 0; ; changes++) {
      this.#bytesResumed = 0;
      try {
        return await new VersionFetch({
          ...init,
          context: this.#context,
          newHash,
          streams: options.streams ?? DEFAULT_STREAMS,
          isWanted: await wanted?.(),
          onReceived: (bytes) => {
            this.#bytesReceived += bytes;
          },
          onFetched: (chunk) => this.#fetched.add(chunk),
          onKept: (chunk, bytes) => {
            if (!this.#fetched.has(chunk)) this.#bytesResumed += bytes;
          },
          onProgress: (bytesDone, bytesTotal) =>
            options.onProgress?.({ bytesDone, bytesTotal, bytesResumed: this.#bytesResumed }),
        }).run();
      } catch (error) {
        if (!(error instanceof ClientError) || error.code !== 'ERR_SOURCE_CHANGED' || !mayChange) throw error;
        await this.#goAlong(error, changes);
      }
    }
  }

  async #goAlong(error: ClientError, changes: number): Promise<void> {
    const { clock, onRetry } = this.#context.options;
    if (changes === MAX_CHANGES) {
      const text = `${this.#init.remote.fileName} keeps changing on the server; ${changes + 1} attempts have not brought one state of it here`;
      throw new ClientError('ERR_SOURCE_CHANGED', text, { cause: error, retryable: true });
    }
    onRetry({ attempt: this.#attempts, delayMs: CHANGE_PAUSE_MS, error });
    await pause(clock, this.#context.signal, CHANGE_PAUSE_MS);
  }

  /** What was done. @param bytes size of the file */
  result(bytes: number): Omit<DownloadResult, 'damaged'> {
    return {
      bytes,
      bytesReceived: this.#bytesReceived,
      bytesResumed: this.#bytesResumed,
      seconds: (this.#context.options.clock.nowMs() - this.#startedMs) / 1_000,
      attempts: this.#attempts,
    };
  }
}
