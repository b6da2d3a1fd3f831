import {
  Command,
  encodeDeleteFileRequest,
  encodeDirectoryRequest,
  encodeDirRequest,
  encodeFileListRequest,
  ProtocolFlag,
  requestText,
} from '@sluice/wire';
import { Cancellation } from './cancellation.js';
import type { Connection } from './connection.js';
import { ConnectionPool } from './connection-pool.js';
import type { Endpoint } from './endpoint.js';
import { ClientError } from './errors.js';
import { type ListEntry, listEntries } from './listing.js';
import type { ResolvedConnectOptions } from './options.js';
import { dropPartial, listPartials, type PartialUpload } from './partial-uploads.js';
import { type OpenRemoteFileOptions, RemoteFile } from './remote-file.js';
import { directoryPath, parseRemotePath } from './remote-path.js';
import { type RenameOptions, renameRemote } from './remote-rename.js';
import { type RemoteStatus, remoteStatus } from './remote-status.js';
import { whileBusy, withRetries } from './retry.js';
import { speedOf } from './speed/speed-measurement.js';
import type { SpeedOptions } from './speed/speed-options.js';
import type { SpeedResult } from './speed/speed-result.js';
import type { CallOptions } from './transfer.js';
import type { TransferContext } from './transfer-context.js';
import { type ListTreeOptions, listTree, type TreeEntry } from './trees/remote-tree.js';
import { type DigestedFile, type VerifyProgressOptions, type VerifyResult, verifyFile } from './verification.js';

/**
 * What a client can do on a server wherever it runs: everything that touches no local file.
 *
 * Paths on the server are relative to its root and use `/`. Calls run at the same time, each on a connection of its own. Each one
 * rejects with {@link ClientError}, or with the reason of its signal.
 */
export class ServerClient implements AsyncDisposable {
  /** @internal */
  protected readonly endpoint: Endpoint;
  /** @internal */
  protected readonly options: ResolvedConnectOptions;
  /** @internal */
  protected readonly pool: ConnectionPool;
  /** @internal */
  protected readonly calls = new Cancellation();
  readonly #files = new Set<RemoteFile>();

  /** @internal Use `connect`. */
  constructor(endpoint: Endpoint, options: ResolvedConnectOptions) {
    this.endpoint = endpoint;
    this.options = options;
    this.pool = new ConnectionPool(endpoint, options);
  }

  /** @internal As `ping`, but waits while the server says that it is busy. */
  async firstPing(options: CallOptions): Promise<void> {
    await this.calls.run(options.signal, (signal) => whileBusy(this.options, signal, () => this.ping({ signal })));
  }

  /** Makes sure that the server is there and lets this user in: once, without retries. */
  async ping(options: CallOptions = {}): Promise<void> {
    await this.calls.run(options.signal, (signal) =>
      this.pool.use(ProtocolFlag.Upload, signal, (connection) =>
        connection.request(Command.Active, requestText(Command.Active)),
      ),
    );
  }

  /** Whether the server has an extension, `Trees` for one: what it announces where files are uploaded. docs/protocol.md, section 17.1. */
  async supports(feature: string, options: CallOptions = {}): Promise<boolean> {
    return this.ask(options, async (connection) => connection.supports(feature));
  }

  /**
   * All that is below a directory: in each directory first what is no directory, by name, then each directory, by name, with what is in it
   * directly behind it. An empty path is the root. The server is asked for more as the caller goes on; a server without the command ListTree is
   * asked for each directory, and its order of names is its own.
   *
   * @throws {ClientError} `ERR_REMOTE`, with `resultCode` 0x02000001 when there is no such directory, and others
   */
  listTree(remotePath: string, options: ListTreeOptions = {}): AsyncIterable<TreeEntry> {
    const lister = {
      ask: <T>(work: (connection: Connection) => Promise<T>) => this.ask(options, work),
      list: (path: string) => this.list(path, options),
    };
    return listTree(lister, directoryPath(remotePath), options);
  }

  /** What is in a directory: directories first, each kind sorted by name. An empty path is the root. */
  async list(remotePath: string, options: CallOptions = {}): Promise<ListEntry[]> {
    const path = directoryPath(remotePath);
    return this.ask(options, async (connection) => {
      const [directories, files] = await Promise.all([
        connection.request(Command.Dir, encodeDirRequest(path)),
        connection.request(Command.FileList, encodeFileListRequest(path)),
      ]);
      return listEntries(directories.response, files.response);
    });
  }

  /** Makes a directory and those above it. One that exists is fine. */
  async makeDirectory(remotePath: string, options: CallOptions = {}): Promise<void> {
    const dirName = directoryPath(remotePath);
    if (dirName === '') return; // the root
    await this.ask(options, (connection) =>
      connection.request(Command.CreateDir, encodeDirectoryRequest('CreateDir', { parentDir: '', dirName })),
    );
  }

  /** Removes a directory and everything in it. When a link breaks in the middle, it may fail because it is already gone. */
  async removeDirectory(remotePath: string, options: CallOptions = {}): Promise<void> {
    const { dirName: parentDir, fileName: dirName } = parseRemotePath(directoryPath(remotePath));
    await this.ask(options, (connection) =>
      connection.request(Command.DeleteDir, encodeDirectoryRequest('DeleteDir', { parentDir, dirName })),
    );
  }

  /** Removes a file. One that does not exist is fine. */
  async removeFile(remotePath: string, options: CallOptions = {}): Promise<void> {
    const { dirName, fileName } = parseRemotePath(remotePath);
    await this.ask(options, (connection) =>
      connection.request(Command.DeleteFile, encodeDeleteFileRequest({ dirName, names: [fileName] })),
    );
  }

  /**
   * Gives a file or a directory another name, at once, in the same directory or in another one, which must exist. What the server has recorded
   * of a file stays known. A call whose link breaks is made again; that it was carried out already is seen by the new name: what has it is as
   * large and as old as what had the old one.
   *
   * @throws {ClientError} `ERR_EXISTS`; `ERR_UNSUPPORTED` when the server cannot rename; `ERR_REMOTE`, among others with `resultCode` 9: there is
   * nothing of the old name, 11: one of the files is being written, and 0x02000001: one of the directories is missing
   */
  async rename(remotePath: string, newRemotePath: string, options: RenameOptions = {}): Promise<void> {
    const from = parseRemotePath(directoryPath(remotePath));
    const to = parseRemotePath(directoryPath(newRemotePath));
    await this.calls.run(options.signal, (signal) => renameRemote(this.context(signal), from, to, options.ifExists));
  }

  /**
   * Opens a file on the server for reading or writing anywhere in it. Each has a connection of its own, which does not count among
   * `maxConnections`. To be closed by the caller; `close` of the client ends those that are left.
   *
   * @throws {ClientError} `ERR_REMOTE`, among others with `resultCode` 9: there is no such file, and 11: somebody else has it
   * @throws {OptionsError} `ERR_OPTION_RANGE`
   */
  async openRemoteFile(remotePath: string, options: OpenRemoteFileOptions = {}): Promise<RemoteFile> {
    const { dirName, fileName } = parseRemotePath(remotePath);
    const path = dirName === '' ? fileName : `${dirName}/${fileName}`;
    const { signal: given, ...how } = options;
    return this.calls.run(given, async (signal) => {
      const context = { pool: this.pool, options: this.options };
      const file = await RemoteFile.open(context, path, how, signal, (closed) => this.#files.delete(closed));
      this.#files.add(file);
      return file;
    });
  }

  /**
   * What the server says of a file or directory, by its name; links are not followed. An original server tells kind and size only.
   *
   * @throws {ClientError} `ERR_REMOTE`, with `resultCode` 9 when there is none
   */
  async stat(remotePath: string, options: CallOptions = {}): Promise<RemoteStatus> {
    const path = parseRemotePath(remotePath);
    return this.calls.run(options.signal, (signal) =>
      withRetries(this.options, signal, () => remoteStatus(this.pool, path, signal)),
    );
  }

  /**
   * Measures what the server and the way to it move, on connections of its own, which `maxConnections` does not count. See `measureSpeed`.
   *
   * @throws as `measureSpeed`
   */
  async measureSpeed(options: SpeedOptions = {}): Promise<SpeedResult> {
    return this.calls.run(options.signal, (signal) => speedOf(this.endpoint, this.options, options, signal));
  }

  /**
   * Uploads that are not complete: of all users for one with the role admin, else of this user.
   *
   * @throws {ClientError} `ERR_UNSUPPORTED` when the server does not stage uploads
   */
  async listPartials(options: CallOptions = {}): Promise<PartialUpload[]> {
    return this.ask(options, listPartials);
  }

  /** Drops what is staged of an upload that nobody is at. @param id of {@link PartialUpload} */
  async dropPartial(id: string, options: CallOptions = {}): Promise<void> {
    await this.ask(options, (connection) => dropPartial(connection, id));
  }

  /** Ends every connection; calls that are going on reject with `ERR_CLOSED`. May be called twice. */
  async close(): Promise<void> {
    const reason = new ClientError('ERR_CLOSED', 'the client is closed');
    await this.calls.abortAll(reason);
    for (const file of this.#files) file.destroy(reason);
    this.pool.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @internal @param digestLocal reads what the server's file is to be compared with */
  protected verifyWith(
    remotePath: string,
    options: VerifyProgressOptions,
    digestLocal?: (signal: AbortSignal) => Promise<DigestedFile>,
  ): Promise<VerifyResult> {
    const remote = parseRemotePath(remotePath);
    return this.calls.run(options.signal, (signal) => verifyFile(this.context(signal), remote, options, digestLocal));
  }

  /** @internal What a transfer of this client works with. */
  protected context(signal: AbortSignal): TransferContext {
    return { pool: this.pool, options: this.options, signal };
  }

  /** @internal A call without a transfer. All of them may be made twice. */
  protected ask<T>(options: CallOptions, work: (connection: Connection) => Promise<T>): Promise<T> {
    return this.calls.run(options.signal, (signal) =>
      withRetries(this.options, signal, () => this.pool.use(ProtocolFlag.Upload, signal, work)),
    );
  }
}
