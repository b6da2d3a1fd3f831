import type { Writable } from 'node:stream';
import { type Endpoint, resolveEndpoint } from './endpoint.js';
import type { ListEntry } from './listing.js';
import { type ConnectOptions, type ResolvedConnectOptions, resolveConnectOptions } from './options.js';
import type { CallOptions, DownloadOptions, DownloadResult, UploadOptions, UploadResult } from './transfer.js';

/**
 * Connects to a server and logs in, once and without retries: a wrong address or password fails here.
 *
 * @param url `sluice://user:password@host:port/`, its path is ignored; or the same in parts
 * @throws {ClientError} `ERR_URL`, `ERR_CONNECT`, `ERR_TIMEOUT`, `ERR_LOGIN_REFUSED` and others
 * @throws {OptionsError} `ERR_OPTION_RANGE`
 */
export async function connect(url: string | URL | Endpoint, options: ConnectOptions = {}): Promise<SluiceClient> {
  return new SluiceClient(resolveEndpoint(url), resolveConnectOptions(options));
}

/**
 * A server as a place for files. Made by {@link connect}.
 *
 * Paths on the server are relative to its root and use `/`. Calls run at the same time, each on a connection of its own. Each one
 * rejects with {@link ClientError}, or with the reason of its signal.
 */
export class SluiceClient implements AsyncDisposable {
  readonly endpoint: Endpoint;
  readonly #options: ResolvedConnectOptions;

  /** @internal Use {@link connect}. */
  constructor(endpoint: Endpoint, options: ResolvedConnectOptions) {
    this.endpoint = endpoint;
    this.#options = options;
  }

  /**
   * Sends a file, or the bytes of a stream. A file is resumed and retried; a stream replaces what is there, and is retried only as long as
   * nothing was read from it.
   *
   * @param source a local path, or a stream
   * @throws {ClientError} `ERR_REMOTE_LONGER`, `ERR_SOURCE_CHANGED`, `ERR_LOCAL_FILE`, `ERR_REMOTE` and others
   */
  async upload(
    source: string | AsyncIterable<Uint8Array>,
    remotePath: string,
    options: UploadOptions = {},
  ): Promise<UploadResult> {
    void [source, remotePath, options, this.#options];
    throw new Error('not built yet');
  }

  /**
   * Fetches a file. A path is replaced when the file is complete and on the disk; until then the bytes are in `<target>.sluice-part`,
   * which is kept for the next call when this one fails.
   *
   * @param target a local path, or a stream; the stream is not ended
   * @throws {ClientError} `ERR_LOCAL_FILE`, `ERR_SOURCE_CHANGED`, `ERR_REMOTE` and others
   */
  async download(
    remotePath: string,
    target: string | Writable,
    options: DownloadOptions = {},
  ): Promise<DownloadResult> {
    void [remotePath, target, options];
    throw new Error('not built yet');
  }

  /** What is in a directory: directories first, each kind sorted by name. An empty path is the root. */
  async list(remotePath: string, options: CallOptions = {}): Promise<ListEntry[]> {
    void [remotePath, options];
    throw new Error('not built yet');
  }

  /** Makes a directory and those above it. One that exists is fine. */
  async makeDirectory(remotePath: string, options: CallOptions = {}): Promise<void> {
    void [remotePath, options];
    throw new Error('not built yet');
  }

  /** Removes a directory and everything in it. */
  async removeDirectory(remotePath: string, options: CallOptions = {}): Promise<void> {
    void [remotePath, options];
    throw new Error('not built yet');
  }

  /** Removes a file. One that does not exist is fine. */
  async removeFile(remotePath: string, options: CallOptions = {}): Promise<void> {
    void [remotePath, options];
    throw new Error('not built yet');
  }

  /** Ends every connection; calls that are going on reject with `ERR_CLOSED`. May be called twice. */
  async close(): Promise<void> {}

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
