import {
  Command,
  decodeDirResponse,
  decodeFileListResponse,
  decodeStatFileResponse,
  decodeStatResponse,
  encodeDirRequest,
  encodeFileListRequest,
  encodeStatFileRequest,
  encodeStatRequest,
  Feature,
  type FileKind,
  ProtocolFlag,
  ResultCode,
} from '@sluice/wire';
import type { Connection } from './connection.js';
import type { ConnectionPool } from './connection-pool.js';
import { ClientError, remoteError } from './errors.js';
import type { RemotePath } from './remote-path.js';

/** What a server tells about a name. */
export interface RemoteStatus {
  /** `other`: neither file nor directory, such as a link. */
  readonly kind: FileKind;
  /** In bytes; 0 unless it is a file. */
  readonly size: number;
  /** When the content was last changed, in nanoseconds since 1970-01-01 UTC. Missing when the server does not say: an original. */
  readonly modifiedNs?: bigint;
  /** Nine permission bits. Missing when the server does not say. */
  readonly mode?: number;
  /** Of a file: a text that stays the same as long as it is the same and unchanged. Missing when the server does not say. */
  readonly version?: string;
  /** Of a file of which the server has a record that is not out of date; 16 hexadecimal digits. docs/protocol.md, section 17.12. */
  readonly contentDigest?: string;
}

/** @throws {ClientError} `ERR_REMOTE` with `resultCode` 9 when nothing has the name */
export async function remoteStatus(pool: ConnectionPool, path: RemotePath, signal: AbortSignal): Promise<RemoteStatus> {
  const { dirName, fileName } = path;
  const known = await pool.use(ProtocolFlag.Upload, signal, (connection) => askFileStatus(connection, path));
  if (known) return known;
  if (await pool.serverIsExtended(signal)) {
    const name = dirName === '' ? fileName : `${dirName}/${fileName}`;
    const status = await pool.use(ProtocolFlag.RemoteStream, signal, (connection) => askStatus(connection, name));
    if (status) return status;
  }
  return pool.use(ProtocolFlag.Upload, signal, (connection) => findStatus(connection, path));
}

/** @returns `undefined` when the server cannot be asked */
async function askFileStatus(connection: Connection, path: RemotePath): Promise<RemoteStatus | undefined> {
  if (!connection.supports(Feature.FileStatus)) return undefined;
  const { response } = await connection.request(Command.StatFile, encodeStatFileRequest(path));
  const { size, version, contentDigest, ...status } = decodeStatFileResponse(response);
  return {
    ...status,
    size: Number(size),
    ...(version !== undefined && { version }),
    ...(contentDigest !== undefined && { contentDigest }),
  };
}

/** @returns `undefined` when the server cannot be asked */
async function askStatus(connection: Connection, name: string): Promise<RemoteStatus | undefined> {
  if (!connection.supports(Feature.RemoteFile)) return undefined;
  const { response } = await connection.request(Command.Stat, encodeStatRequest(name));
  const { kind, size, modifiedNs } = decodeStatResponse(response);
  return { kind, size: Number(size), modifiedNs };
}

/** What the lists of its directory say of a name. */
async function findStatus(connection: Connection, { dirName, fileName }: RemotePath): Promise<RemoteStatus> {
  const missing = remoteError(ResultCode.FileNotExist, '');
  try {
    const files = await connection.request(Command.FileList, encodeFileListRequest(dirName));
    const file = decodeFileListResponse(files.response).find(({ name }) => name === fileName);
    if (file) return { kind: 'file', size: Number(file.size) };
    const directories = await connection.request(Command.Dir, encodeDirRequest(dirName));
    if (decodeDirResponse(directories.response).includes(fileName)) return { kind: 'directory', size: 0 };
  } catch (error) {
    if (error instanceof ClientError && error.resultCode === ResultCode.DirNotExist) throw missing;
    throw error;
  }
  throw missing;
}
