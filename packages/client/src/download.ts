import type { FileHandle } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { Command, encodeDownloadRequest, Feature, ProtocolFlag, ResultCode } from '@sluice/wire';
import { abortable } from './cancellation.js';
import type { Connection } from './connection.js';
import { ClientError, localFileError } from './errors.js';
import { type ByteTarget, IncomingFile } from './incoming-file.js';
import { matchingPrefix } from './matching-prefix.js';
import { PartialFile } from './partial-file.js';
import type { RemotePath } from './remote-path.js';
import { type Attempt, withRetries } from './retry.js';
import { StreamTarget } from './stream-target.js';
import type { DownloadOptions, DownloadResult } from './transfer.js';
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
  const partial = await PartialFile.open(targetPath);
  try {
    const result = await new Download(context, remote, partial, partial, options).run();
    await partial.commit(result.bytes);
    return result;
  } finally {
    await partial.close();
  }
}

/** Downloads to a stream, in order; what was written to it cannot be taken back. */
export async function downloadToStream(
  context: TransferContext,
  remote: RemotePath,
  stream: Writable,
  options: DownloadOptions,
): Promise<DownloadResult> {
  const target = new StreamTarget(stream);
  try {
    const result = await new Download(context, remote, target, undefined, options).run();
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
  readonly #target: ByteTarget;
  /** The target, if what is in it can be read and dropped. */
  readonly #partial: PartialFile | undefined;
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
    target: ByteTarget,
    partial: PartialFile | undefined,
    options: DownloadOptions,
  ) {
    this.#context = context;
    this.#remote = remote;
    this.#target = target;
    this.#partial = partial;
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
        };
      }),
    );
  }

  async #attempt(connection: Connection, attempt: Attempt): Promise<void> {
    const offset = await this.#offset(connection);
    await this.#startAt(offset);
    try {
      await this.#fetch(connection, attempt);
    } catch (error) {
      // The partial is longer than the file: its length was trusted wrongly.
      const isBehindEnd = error instanceof ClientError && error.resultCode === ResultCode.ParameterError;
      if (!isBehindEnd || offset === 0 || !this.#partial) throw error;
      await this.#startAt(0);
      await this.#fetch(connection, attempt);
    }
  }

  /** Where to go on: every byte in front of it is known to be right. */
  async #offset(connection: Connection): Promise<number> {
    const isFirst = this.#isFirstAttempt;
    this.#isFirstAttempt = false;
    if (!this.#partial) return this.#bytesDone;
    if (this.#mustStartOver) {
      this.#mustStartOver = false;
      return 0;
    }
    const policy = this.#options.resume ?? 'verified';
    if (isFirst && policy === 'never') return 0;
    if (policy === 'trust-length') return this.#partial.length();
    if (connection.supports(Feature.VerifiedResume)) {
      this.#total = undefined; // what is kept is proven, whatever became of the rest
      return this.#matching(connection, this.#partial.handle);
    }
    return this.#bytesDone;
  }

  async #matching(connection: Connection, partial: FileHandle): Promise<number> {
    const { size } = await partial.stat();
    try {
      return await matchingPrefix(connection, this.#remote, partial, size);
    } catch (error) {
      if (error instanceof ClientError || this.#context.signal.aborted) throw error;
      throw localFileError('read', this.#partial?.path ?? '', error);
    }
  }

  async #startAt(offset: number): Promise<void> {
    await this.#partial?.keep(offset);
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
      const text = `${this.#remote.fileName} changed on the server while it was being downloaded`;
      throw new ClientError('ERR_SOURCE_CHANGED', text, { retryable: this.#partial !== undefined });
    }
    if (remaining < 0) throw new ClientError('ERR_PROTOCOL', `the server announced ${remaining} bytes`);
    this.#total = total;
    this.#report();
  }

  #report(): void {
    this.#options.onProgress?.({
      bytesDone: this.#bytesDone,
      bytesTotal: this.#total,
      bytesResumed: this.#bytesResumed,
    });
  }
}
