import { stat } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { Command, encodeDownloadRequest, Feature, ProtocolFlag, ResultCode } from '@sluice/wire';
import { abortable } from './cancellation.js';
import type { Connection } from './connection.js';
import { ClientError } from './errors.js';
import { IncomingFile } from './incoming-file.js';
import { JournaledPartial } from './journaled-partial.js';
import { localFileError } from './local-errors.js';
import { matchingPrefix } from './matching-prefix.js';
import { PartialFile, targetExists } from './partial-file.js';
import { downloadInRanges } from './ranged-download.js';
import type { RemotePath } from './remote-path.js';
import { type Attempt, withRetries } from './retry.js';
import { StreamTarget } from './stream-target.js';
import type { DownloadOptions, DownloadResult, ResumePolicy } from './transfer.js';
import type { TransferContext } from './transfer-context.js';

/** Data per packet that is asked for. */
const PACKET_BYTES = 256 << 10;

/** Downloads to a path, by way of a partial file beside it. */
export async function downloadToFile(
  context: TransferContext,
  remote: RemotePath,
  targetPath: string,
  options: DownloadOptions,
): Promise<DownloadResult> {
  const existing = await stat(targetPath).catch(() => undefined);
  if (existing && options.ifExists === 'fail') throw targetExists(targetPath);
  if (existing?.isFile() && options.ifExists === 'skip') return skippedResult;
  const file = await PartialFile.open(targetPath);
  try {
    const partial = await JournaledPartial.open(file);
    try {
      if (options.resume !== 'trust-length' && (await hasRanges(context))) {
        return await downloadInRanges(context, remote, partial, options);
      }
      if (existing && options.ifExists === 'newer') {
        const text = 'the server does not tell when its file was changed, which is needed to replace older files only';
        throw new ClientError('ERR_UNSUPPORTED', text);
      }
      // Where there was a journal there may be holes; what is written from now on is written without one.
      if (partial.hasJournal && options.resume === 'trust-length') await file.keep(partial.trustedPrefixBytes);
      await partial.forgetJournal();
    } finally {
      await partial.close();
    }
    const result = await new Download(context, remote, file, options).run();
    await file.commit(result.bytes, options.ifExists !== 'fail');
    return result;
  } finally {
    await file.close();
  }
}

const skippedResult: DownloadResult = {
  bytes: 0,
  bytesReceived: 0,
  bytesResumed: 0,
  seconds: 0,
  attempts: 0,
  damaged: [],
  skipped: 'exists',
};

/** Whether the server knows ranges; asked on a connection that stays for what follows. */
function hasRanges({ pool, options, signal }: TransferContext): Promise<boolean> {
  return withRetries(options, signal, () =>
    pool.use(ProtocolFlag.Download, signal, (connection) => connection.supports(Feature.Ranges)),
  );
}

/** Downloads to a stream, in order; what was written to it cannot be taken back. */
export async function downloadToStream(
  context: TransferContext,
  remote: RemotePath,
  stream: Writable,
  options: DownloadOptions,
): Promise<DownloadResult> {
  const target = await StreamTarget.open(stream);
  try {
    const result = await new Download(context, remote, target, options).run();
    await abortable(context.signal, target.finish());
    return result;
  } finally {
    target.close();
  }
}

/** The download of one file, through as many attempts as it takes. */
class Download {
  readonly #context: TransferContext;
  readonly #remote: RemotePath;
  readonly #target: PartialFile | StreamTarget;
  readonly #options: DownloadOptions;
  #bytesReceived = 0;
  /** Bytes that are with the target and right, as far as this call knows. */
  #bytesDone = 0;
  #bytesResumed = 0;
  #total: number | undefined;
  #isFirstAttempt = true;
  /** Whether the server's answer showed that what is there belongs to another state of its file. */
  #mustStartOver = false;

  constructor(
    context: TransferContext,
    remote: RemotePath,
    target: PartialFile | StreamTarget,
    options: DownloadOptions,
  ) {
    this.#context = context;
    this.#remote = remote;
    this.#target = target;
    this.#options = options;
  }

  /** @throws {ClientError}, or the signal's reason */
  async run(): Promise<DownloadResult> {
    const { pool, options, signal } = this.#context;
    const startedMs = options.clock.nowMs();
    return withRetries(options, signal, (attempt) =>
      pool.use(ProtocolFlag.Download, signal, async (connection) => {
        await this.#attempt(connection, attempt);
        return {
          bytes: this.#bytesDone,
          bytesReceived: this.#bytesReceived,
          bytesResumed: this.#bytesResumed,
          seconds: (options.clock.nowMs() - startedMs) / 1_000,
          attempts: attempt.number,
          damaged: [],
        };
      }),
    );
  }

  async #attempt(connection: Connection, attempt: Attempt): Promise<void> {
    // Digest and Download follow each other on this one connection, which serves nobody else: a server can answer both from the same file,
    // also when another one takes its name in between.
    const offset =
      this.#target instanceof PartialFile
        ? await this.#offset(connection, this.#target)
        : await this.#streamOffset(connection, this.#target);
    await this.#startAt(offset);
    try {
      await this.#fetch(connection, attempt);
    } catch (error) {
      // The partial is longer than the file: its length was trusted wrongly.
      const isBehindEnd = error instanceof ClientError && error.resultCode === ResultCode.ParameterError;
      if (!isBehindEnd || offset === 0 || !(this.#target instanceof PartialFile)) {
        throw this.#canGoOn(connection) ? error : withoutRetry(error);
      }
      await this.#startAt(0);
      await this.#fetch(connection, attempt);
    }
  }

  /** Where to go on in the partial: every byte in front of it is known to be right. */
  async #offset(connection: Connection, partial: PartialFile): Promise<number> {
    const isFirst = this.#isFirstAttempt;
    this.#isFirstAttempt = false;
    if (this.#mustStartOver) {
      this.#mustStartOver = false;
      return 0;
    }
    if (isFirst && this.#resume === 'never') return 0;
    if (this.#resume === 'trust-length') return partial.length();
    if (connection.supports(Feature.VerifiedResume)) {
      this.#total = undefined; // what is kept is proven, whatever became of the rest
      return this.#matching(connection, partial);
    }
    return this.#bytesDone;
  }

  async #matching(connection: Connection, partial: PartialFile): Promise<number> {
    const length = await partial.length();
    try {
      return await matchingPrefix(connection, this.#remote, partial.digests, length);
    } catch (error) {
      if (error instanceof ClientError || this.#context.signal.aborted) throw error;
      throw localFileError('read', partial.path, error);
    }
  }

  /** Where to go on in a stream: behind all that was written, which must be what the server's file still begins with. */
  async #streamOffset(connection: Connection, stream: StreamTarget): Promise<number> {
    const done = this.#bytesDone;
    if (done === 0 || this.#resume === 'trust-length') return done;
    if (!this.#canGoOn(connection))
      throw withoutRetry(new ClientError('ERR_CONNECTION_LOST', 'the connection was lost'));
    this.#total = undefined;
    const common = await matchingPrefix(connection, this.#remote, stream.digests, done);
    if (common < done) throw this.#changedOnServer();
    return done;
  }

  /** Whether a broken link can be mended, as far as this server is concerned. */
  #canGoOn(connection: Connection): boolean {
    if (this.#target instanceof PartialFile || this.#bytesDone === 0) return true;
    return this.#resume === 'trust-length' || connection.supports(Feature.VerifiedResume);
  }

  async #startAt(offset: number): Promise<void> {
    if (this.#target instanceof PartialFile) await this.#target.keep(offset);
    if (offset === 0) this.#bytesResumed = 0;
    else if (this.#bytesReceived === 0) this.#bytesResumed = offset;
    else this.#bytesResumed = Math.min(this.#bytesResumed, offset);
    this.#bytesDone = offset;
  }

  /** Asks for everything from `#bytesDone` on, and settles when it has come. */
  async #fetch(connection: Connection, attempt: Attempt): Promise<void> {
    const incoming = new IncomingFile(this.#target, {
      onAnnounced: (remaining) => this.#onAnnounced(remaining),
      onWritten: (bytes) => {
        this.#bytesReceived += bytes;
        this.#bytesDone += bytes;
        attempt.progressed();
        this.#report();
      },
    });
    connection.receive(incoming);
    try {
      const request = encodeDownloadRequest({
        ...this.#remote,
        fileSize: BigInt(this.#bytesDone),
        packetSize: BigInt(PACKET_BYTES),
      });
      await connection.request(Command.Download, request);
      await incoming.done;
    } finally {
      connection.receive(undefined);
      await abortable(this.#context.signal, incoming.settle());
    }
  }

  #onAnnounced(remaining: number): void {
    const total = this.#bytesDone + remaining;
    const isOtherFile = remaining < 0 || (this.#total !== undefined && total !== this.#total);
    this.#total = isOtherFile ? undefined : total;
    if (isOtherFile && this.#bytesDone > 0) {
      this.#mustStartOver = true;
      throw this.#changedOnServer();
    }
    if (remaining < 0) throw new ClientError('ERR_PROTOCOL', `the server announced ${remaining} bytes`);
    this.#total = total;
    this.#report();
  }

  /** A partial can be started over, a stream cannot. */
  #changedOnServer(): ClientError {
    const text = `${this.#remote.fileName} changed on the server while it was being downloaded`;
    return new ClientError('ERR_SOURCE_CHANGED', text, { retryable: this.#target instanceof PartialFile });
  }

  get #resume(): ResumePolicy {
    return this.#options.resume ?? 'verified';
  }

  #report(): void {
    this.#options.onProgress?.({
      bytesDone: this.#bytesDone,
      bytesTotal: this.#total,
      bytesResumed: this.#bytesResumed,
    });
  }
}

/** For a stream that has got bytes of a server that cannot tell whether they are those of its file. */
function withoutRetry(error: unknown): unknown {
  if (!(error instanceof ClientError) || !error.retryable) return error;
  const text = `${error.message}; this server cannot tell whether its file is still the one that was begun`;
  return new ClientError(error.code, text, { cause: error });
}
