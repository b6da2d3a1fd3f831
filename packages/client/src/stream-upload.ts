import { Feature, ProtocolFlag } from '@sluice/wire';
import { abortable } from './cancellation.js';
import type { Connection } from './connection.js';
import { ClientError } from './errors.js';
import { InPlaceStream } from './in-place-stream.js';
import type { RemotePath } from './remote-path.js';
import { withRetries } from './retry.js';
import { StagedStream } from './staged-stream.js';
import type { UploadOptions, UploadResult } from './transfer.js';
import type { TransferContext } from './transfer-context.js';
import { requireInPlace } from './upload-file.js';
import type { UploadOutcome } from './upload-outcome.js';

/** Where the pieces of a stream go. */
export interface StreamUpload {
  /** Settles when the piece may be overwritten. */
  write(piece: Uint8Array): Promise<void>;
  /** Ends the upload; only now the server has the file. */
  finish(): Promise<Pick<UploadOutcome, 'durability' | 'digest'>>;
  /** Drops what was sent, as far as that can be done. */
  abandon(): Promise<void>;
}

/** Uploads what a stream yields, in place of what is on the server. Once something was read, a lost connection cannot be mended. */
export async function uploadStream(
  context: TransferContext,
  source: AsyncIterable<Uint8Array>,
  remote: RemotePath,
  callOptions: UploadOptions,
): Promise<UploadResult> {
  const { pool, options, signal } = context;
  const startedMs = options.clock.nowMs();
  const iterator = source[Symbol.asyncIterator]();
  let bytesSent = 0;
  let hasRead = false;
  let hasEnded = false;

  const sendAll = async (upload: StreamUpload): Promise<Partial<UploadOutcome>> => {
    for (;;) {
      hasRead = true;
      const next = await abortable(signal, iterator.next());
      if (next.done) break;
      await upload.write(next.value);
      bytesSent += next.value.length;
      callOptions.onProgress?.({ bytesDone: bytesSent, bytesTotal: undefined, bytesResumed: 0 });
    }
    hasEnded = true;
    return await upload.finish();
  };

  const send = async (connection: Connection): Promise<Partial<UploadOutcome>> => {
    const upload = await open(connection, remote, callOptions);
    if ('skipped' in upload) return upload;
    try {
      return await sendAll(upload);
    } catch (error) {
      await upload.abandon();
      if (!hasRead || !(error instanceof ClientError) || !error.retryable) throw error;
      const text = `${error.message}; a stream cannot be read a second time`;
      throw new ClientError(error.code, text, { cause: error });
    }
  };

  try {
    return await withRetries(options, signal, (attempt) =>
      pool.use(ProtocolFlag.Upload, signal, async (connection) => {
        const outcome = await send(connection);
        const seconds = (options.clock.nowMs() - startedMs) / 1_000;
        return { bytes: bytesSent, bytesSent, bytesResumed: 0, ...outcome, seconds, attempts: attempt.number };
      }),
    );
  } finally {
    // Not awaited: a generator that waits for its next piece would hold the failure back.
    if (!hasEnded) iterator.return?.().catch(() => {});
  }
}

/** There is nothing to do. */
export type SkippedStream = Required<Pick<UploadOutcome, 'skipped'>>;

async function open(
  connection: Connection,
  remote: RemotePath,
  options: UploadOptions,
): Promise<StreamUpload | SkippedStream> {
  if (connection.supports(Feature.Staging)) {
    const staged = await StagedStream.open(connection, remote, options);
    if (staged) return staged;
  }
  requireInPlace(options);
  return await InPlaceStream.open(connection, remote);
}
