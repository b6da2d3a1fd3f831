import { Feature, ProtocolFlag } from '@sluice/wire';
import { ClientError } from './errors.js';
import { FileUpload } from './file-upload.js';
import type { RemotePath } from './remote-path.js';
import { withRetries } from './retry.js';
import { StagedUpload } from './staged-upload.js';
import type { UploadOptions, UploadResult } from './transfer.js';
import type { TransferContext } from './transfer-context.js';
import type { UploadOutcome } from './upload-outcome.js';
import type { UploadObserver, UploadSource } from './upload-source.js';

/**
 * Uploads a file in the best way that the server knows: staged, or in place.
 *
 * @throws {ClientError}, or the signal's reason
 */
export async function uploadFile(
  context: TransferContext,
  source: UploadSource,
  remote: RemotePath,
  callOptions: UploadOptions,
  observer?: UploadObserver,
): Promise<UploadResult> {
  const { pool, options, signal } = context;
  const startedMs = options.clock.nowMs();
  const staged = new StagedUpload(context, source, remote, callOptions, observer);
  const inPlace = new FileUpload(context, source, remote, callOptions);
  return withRetries(options, signal, (attempt) =>
    pool.use(ProtocolFlag.Upload, signal, async (connection) => {
      let outcome: UploadOutcome | undefined;
      if (connection.supports(Feature.Staging)) outcome = await staged.attempt(connection, attempt);
      if (!outcome) {
        requireInPlace(callOptions);
        outcome = await inPlace.attempt(connection, attempt);
      }
      return {
        bytes: source.size,
        ...outcome,
        seconds: (options.clock.nowMs() - startedMs) / 1_000,
        attempts: attempt.number,
      };
    }),
  );
}

/** @throws {ClientError} `ERR_UNSUPPORTED` for what cannot be asked of a server that does not stage uploads */
export function requireInPlace({ ifExists = 'replace' }: UploadOptions): void {
  if (ifExists === 'replace') return;
  throw new ClientError('ERR_UNSUPPORTED', `the server can only replace files: it does not know '${ifExists}'`);
}
