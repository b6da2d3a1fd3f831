import type { Writable } from 'node:stream';
import { downloadToFile, downloadToStream } from './download.js';
import { type Endpoint, resolveEndpoint } from './endpoint.js';
import { nodePlatform } from './node-platform.js';
import { type ConnectOptions, resolveConnectOptions } from './options.js';
import { directoryPath, parseRemotePath } from './remote-path.js';
import { ServerClient } from './server-client.js';
import { SourceFile } from './source-file.js';
import { uploadStream } from './stream-upload.js';
import type { DownloadOptions, DownloadResult, UploadOptions, UploadResult } from './transfer.js';
import {
  type DownloadFilesOptions,
  type DownloadTreeOptions,
  FilesDownload,
  type FileToDownload,
} from './trees/download-files.js';
import { filesOfListing } from './trees/download-tree.js';
import { digestLocal } from './trees/local-digest.js';
import { SmallFileReader } from './trees/small-file-reader.js';
import {
  type FilesResult,
  FilesUpload,
  type FileToUpload,
  type UploadFilesOptions,
  type UploadTreeOptions,
} from './trees/upload-files.js';
import { filesOfTree } from './trees/upload-tree.js';
import { uploadFile } from './upload-file.js';
import type { VerifyOptions, VerifyResult } from './verification.js';

/**
 * Connects to a server and logs in, once and without retries: a wrong address or password fails here.
 *
 * @param url `sluice://user:password@host:port/`, its path is ignored; or the same in parts
 * @throws {ClientError} `ERR_URL`, `ERR_CONNECT`, `ERR_TIMEOUT`, `ERR_LOGIN_REFUSED` and others
 * @throws {OptionsError} `ERR_OPTION_RANGE`
 */
export async function connect(url: string | URL | Endpoint, options: ConnectOptions = {}): Promise<SluiceClient> {
  const client = new SluiceClient(resolveEndpoint(url), resolveConnectOptions(options, nodePlatform));
  try {
    await client.firstPing(options);
    return client;
  } catch (error) {
    await client.close();
    throw error;
  }
}

/** A server as a place for files, with the files of this machine. Made by {@link connect}. */
export class SluiceClient extends ServerClient {
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
    return this.calls.run(options.signal, async (signal) => {
      if (typeof source !== 'string') return uploadStream(this.context(signal), source, remote, options);
      const file = await SourceFile.open(source);
      try {
        return await uploadFile(this.context(signal), file, remote, options);
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
    return this.calls.run(options.signal, (signal) =>
      typeof target === 'string'
        ? downloadToFile(this.context(signal), remote, target, options)
        : downloadToStream(this.context(signal), remote, target, options),
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
    return this.calls.run(given, (signal) =>
      new FilesUpload(
        this.context(signal),
        options,
        new SmallFileReader(),
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
    return this.calls.run(options.signal, (signal) => {
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
    const { local } = options;
    return this.verifyWith(
      remotePath,
      options,
      local === undefined ? undefined : (signal) => digestLocal(local, signal),
    );
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
    return this.calls.run(given, (signal) =>
      new FilesDownload(this.context(signal), options, (source, target, signal) =>
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
    return this.calls.run(options.signal, (signal) => {
      const entries = this.listTree(remoteDirectory, { signal });
      const files = filesOfListing(entries, directoryPath(remoteDirectory), directory, onSkipped);
      return this.downloadFiles(files, { ...forFiles, signal });
    });
  }
}
