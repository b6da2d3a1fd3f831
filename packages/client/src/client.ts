import type { Writable } from 'node:stream';
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
import { downloadToFile, downloadToStream } from './download.js';
import { type Endpoint, resolveEndpoint } from './endpoint.js';
import { ClientError } from './errors.js';
import { type ListEntry, listEntries } from './listing.js';
import { type ConnectOptions, type ResolvedConnectOptions, resolveConnectOptions } from './options.js';
import { dropPartial, listPartials, type PartialUpload } from './partial-uploads.js';
import { type OpenRemoteFileOptions, RemoteFile } from './remote-file.js';
import { directoryPath, parseRemotePath } from './remote-path.js';
import { type RemoteStatus, remoteStatus } from './remote-status.js';
import { whileBusy, withRetries } from './retry.js';
import { SourceFile } from './source-file.js';
import { speedOf } from './speed/measure-speed.js';
import type { SpeedOptions } from './speed/speed-options.js';
import type { SpeedResult } from './speed/speed-result.js';
import { uploadStream } from './stream-upload.js';
import type { CallOptions, DownloadOptions, DownloadResult, UploadOptions, UploadResult } from './transfer.js';
import type { TransferContext } from './transfer-context.js';
import {
  type DownloadFilesOptions,
  type DownloadTreeOptions,
  FilesDownload,
  type FileToDownload,
} from './trees/download-files.js';
import { filesOfListing } from './trees/download-tree.js';
import { type ListTreeOptions, listTree, type TreeEntry } from './trees/remote-tree.js';
import {
  type FilesResult,
  FilesUpload,
  type FileToUpload,
  type UploadFilesOptions,
  type UploadTreeOptions,
} from './trees/upload-files.js';
import { filesOfTree } from './trees/upload-tree.js';
import { uploadFile } from './upload-file.js';
import { type VerifyOptions, type VerifyResult, verifyFile } from './verification.js';

/**
 * Connects to a server and logs in, once and without retries: a wrong address or password fails here.
 *
 * @param url `sluice://user:password@host:port/`, its path is ignored; or the same in parts
 * @throws {ClientError} `ERR_URL`, `ERR_CONNECT`, `ERR_TIMEOUT`, `ERR_LOGIN_REFUSED` and others
 * @throws {OptionsError} `ERR_OPTION_RANGE`
 */
export async function connect(url: string | URL | Endpoint, options: ConnectOptions = {}): Promise<SluiceClient> {
  const client = new SluiceClient(resolveEndpoint(url), resolveConnectOptions(options));
  try {
    await client.firstPing(options);
    return client;
  } catch (error) {
    await client.close();
    throw error;
  }
}

/**
 * A server as a place for files. Made by {@link connect}.
 *
 * Paths on the server are relative to its root and use `/`. Calls run at the same time, each on a connection of its own. Each one
 * rejects with {@link ClientError}, or with the reason of its signal.
 */
export class SluiceClient implements AsyncDisposable {
  readonly #endpoint: Endpoint;
  readonly #options: ResolvedConnectOptions;
  readonly #pool: ConnectionPool;
  readonly #calls = new Cancellation();
  readonly #files = new Set<RemoteFile>();

  /** @internal Use {@link connect}. */
  constructor(endpoint: Endpoint, options: ResolvedConnectOptions) {
    this.#endpoint = endpoint;
    this.#options = options;
    this.#pool = new ConnectionPool(endpoint, options);
  }

  /** @internal As `ping`, but waits while the server says that it is busy. */
  async firstPing(options: CallOptions): Promise<void> {
    await this.#calls.run(options.signal, (signal) => whileBusy(this.#options, signal, () => this.ping({ signal })));
  }

  /** Makes sure that the server is there and lets this user in: once, without retries. */
  async ping(options: CallOptions = {}): Promise<void> {
    await this.#calls.run(options.signal, (signal) =>
      this.#pool.use(ProtocolFlag.Upload, signal, (connection) =>
        connection.request(Command.Active, requestText(Command.Active)),
      ),
    );
  }

  /** Whether the server has an extension, `Trees` for one: what it announces where files are uploaded. docs/protocol.md, section 17.1. */
  async supports(feature: string, options: CallOptions = {}): Promise<boolean> {
    return this.#ask(options, async (connection) => connection.supports(feature));
  }

  /**
   * Sends a file, or the bytes of a stream. A file is resumed and retried; a stream replaces what is there, and is retried only as long as
   * nothing was read from it.
   *
   * A server that stages uploads shows the file under its name only when it is complete and verified; what a broken attempt has brought there
   * is kept for the next one, and what has changed since is noticed chunk by chunk. Other servers show it as it grows.
   *
   * @param source a local path, or a stream
   * @throws {ClientError} `ERR_SOURCE_CHANGED`, `ERR_EXISTS`, `ERR_NO_SPACE`, `ERR_REMOTE_LONGER`, `ERR_LOCAL_FILE`, `ERR_REMOTE` and others
   */
  async upload(
    source: string | AsyncIterable<Uint8Array>,
    remotePath: string,
    options: UploadOptions = {},
  ): Promise<UploadResult> {
    const remote = parseRemotePath(remotePath);
    return this.#calls.run(options.signal, async (signal) => {
      if (typeof source !== 'string') return uploadStream(this.#context(signal), source, remote, options);
      const file = await SourceFile.open(source);
      try {
        return await uploadFile(this.#context(signal), file, remote, options);
      } finally {
        await file.close();
      }
    });
  }

  /**
   * Fetches a file. A path is replaced when the file is complete and on the disk; until then the bytes are in `<target>.sluice-part`,
   * and what is known of them in `<target>.sluice-journal`; both are kept for the next call when this one fails. Meanwhile `<target>.sluice-lock` is there, and another download to that path fails.
   *
   * What was written to a stream cannot be taken back: after a broken link it is compared with the server's file, and with a server that
   * cannot prove that they are equal the call fails, unless `resume` is `trust-length`.
   *
   * @param target a local path, or a stream; the stream is not ended
   * @throws {ClientError} `ERR_LOCAL_FILE`, `ERR_EXISTS`, `ERR_SOURCE_CHANGED`, `ERR_DAMAGED`, `ERR_REMOTE` and others
   */
  async download(
    remotePath: string,
    target: string | Writable,
    options: DownloadOptions = {},
  ): Promise<DownloadResult> {
    const remote = parseRemotePath(remotePath);
    return this.#calls.run(options.signal, (signal) =>
      typeof target === 'string'
        ? downloadToFile(this.#context(signal), remote, target, options)
        : downloadToStream(this.#context(signal), remote, target, options),
    );
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
    return this.#calls.run(given, async (signal) => {
      const context = { pool: this.#pool, options: this.#options };
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
    return this.#calls.run(options.signal, (signal) =>
      withRetries(this.#options, signal, () => remoteStatus(this.#pool, path, signal)),
    );
  }

  /**
   * Sends many files. Small ones go together, thousands in a second, where the server has batches; large ones, and all to other servers, by
   * themselves. Directories on the server are made as needed. A file that fails is told of, and does not end the others.
   *
   * @param files are read as they are needed, so there may be any number
   * @throws {ClientError} `ERR_CONNECT`, `ERR_LOGIN_REFUSED` and others that concern all of them
   */
  async uploadFiles(
    files: Iterable<FileToUpload> | AsyncIterable<FileToUpload>,
    options: UploadFilesOptions = {},
  ): Promise<FilesResult> {
    const { onFile: _, parallel: __, signal: given, ...forEach } = options;
    return this.#calls.run(given, (signal) =>
      new FilesUpload(
        this.#context(signal),
        options,
        (source, target, signal) => this.upload(source, target, { ...forEach, signal }),
        (path) => this.makeDirectory(path, { signal }),
      ).run(files),
    );
  }

  /**
   * Sends a directory with all that is in it, as {@link uploadFiles} does. Links are not followed: they, and what is neither a file nor a directory,
   * are left out.
   *
   * @param onSkipped of the options is told of what is left out
   * @throws {ClientError} as `uploadFiles`; `ERR_LOCAL_FILE` for a directory that cannot be read
   */
  async uploadTree(directory: string, remoteDirectory: string, options: UploadTreeOptions = {}): Promise<FilesResult> {
    const { onSkipped, ...forFiles } = options;
    const base = directoryPath(remoteDirectory);
    return this.#calls.run(options.signal, (signal) => {
      const makeDirectory = (path: string) => this.makeDirectory(path, { signal });
      const files = filesOfTree(directory, base, makeDirectory, signal, onSkipped);
      return this.uploadFiles(files, { ...forFiles, signal });
    });
  }

  /**
   * Has the server read a file from its disk and compare it with what it has recorded of it; and compares it with a file here, if one is
   * named. Large files take their time: the disk is read, and other transfers go on.
   *
   * @throws {ClientError} `ERR_UNSUPPORTED` with a server that has no records; `ERR_SOURCE_CHANGED`, `ERR_LOCAL_FILE`, `ERR_REMOTE` and others
   */
  async verify(remotePath: string, options: VerifyOptions = {}): Promise<VerifyResult> {
    const remote = parseRemotePath(remotePath);
    return this.#calls.run(options.signal, (signal) => verifyFile(this.#context(signal), remote, options));
  }

  /**
   * Fetches many files. Small ones come together, thousands in a second, where the server has batches; large ones, and all of other servers, by
   * themselves. Local directories are made as needed. A file that fails is told of, and does not end the others.
   *
   * @param files are read as they are needed, so there may be any number
   * @throws {ClientError} `ERR_CONNECT`, `ERR_LOGIN_REFUSED` and others that concern all of them
   */
  async downloadFiles(
    files: Iterable<FileToDownload> | AsyncIterable<FileToDownload>,
    options: DownloadFilesOptions = {},
  ): Promise<FilesResult> {
    const { onFile: _, parallel: __, signal: given, ...forEach } = options;
    return this.#calls.run(given, (signal) =>
      new FilesDownload(this.#context(signal), options, (source, target, signal) =>
        this.download(source, target, { ...forEach, signal }),
      ).run(files),
    );
  }

  /**
   * Fetches a directory with all that is in it, as {@link downloadFiles} does.
   *
   * @throws {ClientError} as `downloadFiles` and `listTree`; `ERR_LOCAL_FILE` for a directory that cannot be made
   */
  async downloadTree(
    remoteDirectory: string,
    directory: string,
    options: DownloadTreeOptions = {},
  ): Promise<FilesResult> {
    const { onSkipped, ...forFiles } = options;
    return this.#calls.run(options.signal, (signal) => {
      const entries = this.listTree(remoteDirectory, { signal });
      const files = filesOfListing(entries, directoryPath(remoteDirectory), directory, onSkipped);
      return this.downloadFiles(files, { ...forFiles, signal });
    });
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
      ask: <T>(work: (connection: Connection) => Promise<T>) => this.#ask(options, work),
      list: (path: string) => this.list(path, options),
    };
    return listTree(lister, directoryPath(remotePath), options);
  }

  /** What is in a directory: directories first, each kind sorted by name. An empty path is the root. */
  async list(remotePath: string, options: CallOptions = {}): Promise<ListEntry[]> {
    const path = directoryPath(remotePath);
    return this.#ask(options, async (connection) => {
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
    await this.#ask(options, (connection) =>
      connection.request(Command.CreateDir, encodeDirectoryRequest('CreateDir', { parentDir: '', dirName })),
    );
  }

  /** Removes a directory and everything in it. When a link breaks in the middle, it may fail because it is already gone. */
  async removeDirectory(remotePath: string, options: CallOptions = {}): Promise<void> {
    const { dirName: parentDir, fileName: dirName } = parseRemotePath(directoryPath(remotePath));
    await this.#ask(options, (connection) =>
      connection.request(Command.DeleteDir, encodeDirectoryRequest('DeleteDir', { parentDir, dirName })),
    );
  }

  /** Removes a file. One that does not exist is fine. */
  async removeFile(remotePath: string, options: CallOptions = {}): Promise<void> {
    const { dirName, fileName } = parseRemotePath(remotePath);
    await this.#ask(options, (connection) =>
      connection.request(Command.DeleteFile, encodeDeleteFileRequest({ dirName, names: [fileName] })),
    );
  }

  /**
   * Measures what the server and the way to it move, on connections of its own, which `maxConnections` does not count. See {@link measureSpeed}.
   *
   * @throws as {@link measureSpeed}
   */
  async measureSpeed(options: SpeedOptions = {}): Promise<SpeedResult> {
    return this.#calls.run(options.signal, (signal) => speedOf(this.#endpoint, this.#options, options, signal));
  }

  /**
   * Uploads that are not complete: of all users for one with the role admin, else of this user.
   *
   * @throws {ClientError} `ERR_UNSUPPORTED` when the server does not stage uploads
   */
  async listPartials(options: CallOptions = {}): Promise<PartialUpload[]> {
    return this.#ask(options, listPartials);
  }

  /** Drops what is staged of an upload that nobody is at. @param id of {@link PartialUpload} */
  async dropPartial(id: string, options: CallOptions = {}): Promise<void> {
    await this.#ask(options, (connection) => dropPartial(connection, id));
  }

  /** Ends every connection; calls that are going on reject with `ERR_CLOSED`. May be called twice. */
  async close(): Promise<void> {
    const reason = new ClientError('ERR_CLOSED', 'the client is closed');
    await this.#calls.abortAll(reason);
    for (const file of this.#files) file.destroy(reason);
    this.#pool.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #context(signal: AbortSignal): TransferContext {
    return { pool: this.#pool, options: this.#options, signal };
  }

  /** A call without a transfer. All of them may be made twice. */
  #ask<T>(options: CallOptions, work: (connection: Connection) => Promise<T>): Promise<T> {
    return this.#calls.run(options.signal, (signal) =>
      withRetries(this.#options, signal, () => this.#pool.use(ProtocolFlag.Upload, signal, work)),
    );
  }
}
