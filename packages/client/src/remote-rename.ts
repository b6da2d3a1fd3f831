import {
  Command,
  decodeStatFileResponse,
  encodeRenameRequest,
  encodeStatFileRequest,
  Feature,
  type IfTargetExists,
  ProtocolFlag,
  ResultCode,
  type StatFileAnswer,
} from '@sluice/wire';
import type { Connection } from './connection.js';
import { ClientError } from './errors.js';
import type { RemotePath } from './remote-path.js';
import { withRetries } from './retry.js';
import type { CallOptions } from './transfer.js';
import type { TransferContext } from './transfer-context.js';

export interface RenameOptions extends CallOptions {
  /** When a file has the new name. A directory never replaces anything, and is never replaced. @default 'fail' */
  readonly ifExists?: IfTargetExists;
}

/**
 * Attempts that were cut off may have been carried out: then the old name is gone, and what has the new one is what had the old one.
 *
 * @throws {ClientError}
 */
export async function renameRemote(
  { pool, options, signal }: TransferContext,
  from: RemotePath,
  to: RemotePath,
  ifExists: IfTargetExists | undefined,
): Promise<void> {
  let before: StatFileAnswer | undefined;
  let wasSent = false;
  await withRetries(options, signal, () =>
    pool.use(ProtocolFlag.Upload, signal, async (connection) => {
      if (!connection.supports(Feature.Rename) || !connection.supports(Feature.FileStatus))
        throw new ClientError('ERR_UNSUPPORTED', 'the server cannot rename');
      before ??= await statusOf(connection, from);
      const isRepeated = wasSent;
      wasSent = true;
      const request = { ...from, targetDir: to.dirName, targetName: to.fileName, ifExists };
      try {
        await connection.request(Command.Rename, encodeRenameRequest(request));
      } catch (error) {
        if (!isRepeated || !(error instanceof ClientError)) throw error;
        if (error.resultCode === ResultCode.FileIsInUse) throw stillAtWork(error);
        if (error.resultCode !== ResultCode.FileNotExist || !(await isThere(connection, to, before))) throw error;
      }
    }),
  );
}

async function isThere(connection: Connection, path: RemotePath, before: StatFileAnswer): Promise<boolean> {
  try {
    const now = await statusOf(connection, path);
    return now.kind === before.kind && now.size === before.size && now.modifiedNs === before.modifiedNs;
  } catch (error) {
    if (error instanceof ClientError && error.resultCode !== undefined) return false;
    throw error;
  }
}

async function statusOf(connection: Connection, path: RemotePath): Promise<StatFileAnswer> {
  const { response } = await connection.request(Command.StatFile, encodeStatFileRequest(path));
  return decodeStatFileResponse(response);
}

/** What uses the file may be the attempt before, of which only the answer is lost. */
function stillAtWork(error: ClientError): ClientError {
  return new ClientError(error.code, error.message, {
    cause: error,
    retryable: true,
    resultCode: ResultCode.FileIsInUse,
  });
}
