import { DIGEST_CHUNK_BYTES, ResultCode } from '@sluice/wire';
import { ClientError } from '../errors.js';
import { NewestVersion } from '../newest-version.js';
import { randomHex } from '../random.js';
import { parseRemotePath } from '../remote-path.js';
import { pause } from '../retry.js';
import { ServerClient } from '../server-client.js';
import { uploadStream } from '../stream-upload.js';
import type { CallOptions, DownloadResult, UploadResult } from '../transfer.js';
import { type FilesResult, FilesUpload } from '../trees/upload-files.js';
import { uploadFile } from '../upload-file.js';
import type { UploadObserver } from '../upload-source.js';
import type { VerifyResult } from '../verification.js';
import { AssembledChunks, type ChunkSink } from './assembled-chunks.js';
import { BlobSource, digestsOfBlob } from './blob-source.js';
import type { ResolvedGateway } from './browser-options.js';
import type {
  BlobOptions,
  BrowserDownloadOptions,
  BrowserFileToUpload,
  BrowserSource,
  BrowserUploadFilesOptions,
  BrowserUploadOptions,
  BrowserVerifyOptions,
  PickedSource,
} from './browser-transfers.js';
import { blobSink, fileSink, streamSink } from './chunk-sinks.js';
import { type PendingUpload, PendingUploads } from './pending-uploads.js';
import { isPickedFile, openPickedFile } from './picked-file.js';
import { type PrefetchedSource, prefetched, prefetchedFiles } from './prefetched-files.js';
import { piecesOf } from './stream-pieces.js';
import { type MakeWorker, WorkerPacker } from './worker-packer.js';

/** Chunks that one request asks for: what was asked for comes, also when nothing is taken for a while. */
const CHUNKS_AT_ONCE = 2;

/** A server that has been left needs a moment to put away what was sent: so often it is looked, at least and at most, with pauses in milliseconds. */
const MIN_DROP_LOOKS = 3;
const MAX_DROP_LOOKS = 25;
const DROP_PAUSE_MS = 100;

/** A server as a place for files, with the files that a page is given. Made by `connect`. */
export class BrowserClient extends ServerClient {
  readonly #makeWorker: MakeWorker | undefined;
  readonly #pending: PendingUploads;
  #packer: WorkerPacker | undefined;

  /** @internal Use `connect`. */
  constructor({ url, endpoint, options }: ResolvedGateway, makeWorker: MakeWorker | undefined) {
    super(endpoint, options);
    this.#makeWorker = makeWorker;
    this.#pending = new PendingUploads(url.href, endpoint.userName, (blob, target, sourceId, how, observer) =>
      this.#uploadBlob(blob, target, sourceId, how, observer),
    );
  }

  /**
   * Sends a file, bytes or a stream. Only what the server does not have goes there, chunk by chunk; several connections share a large file. A
   * broken link is mended. What is longer than a chunk of 4 MiB is remembered until it is complete, and can be gone on with after a reload: see
   * {@link listPendingUploads}. A stream replaces what is there, and is tried again only as long as nothing was read from it.
   *
   * @throws {ClientError} `ERR_SOURCE_CHANGED`, `ERR_EXISTS`, `ERR_NO_SPACE`, `ERR_LOCAL_FILE`, `ERR_REMOTE` and others
   */
  async upload(source: BrowserSource, remotePath: string, options: BrowserUploadOptions = {}): Promise<UploadResult> {
    const remote = parseRemotePath(remotePath);
    if (isStream(source)) {
      const pieces = source instanceof ReadableStream ? piecesOf(source) : source;
      return this.calls.run(options.signal, (signal) => uploadStream(this.context(signal), pieces, remote, options));
    }
    if (isPickedFile(source)) return this.#uploadPicked(await openPickedFile(source), source, remotePath, options);
    const blob = source instanceof Blob ? source : new Blob([source as Uint8Array<ArrayBuffer>]);
    return this.#uploadPicked(blob, undefined, remotePath, options);
  }

  /** The uploads to this server that this browser has begun and not finished, oldest first; none where it keeps nothing. */
  async listPendingUploads(): Promise<PendingUpload[]> {
    return this.#pending.list();
  }

  /**
   * Goes on with an upload that was begun before. The file is compared with what was sent of it, chunk by chunk: another one of the same name and
   * size is refused.
   *
   * @param id of {@link PendingUpload}
   * @param source the file, picked again; not needed when `needsFile` is false. To be called upon a click then: the browser may ask for leave
   * @throws {ClientError} `ERR_SOURCE_CHANGED` when it is another file; `ERR_LOCAL_FILE`; and as {@link upload}
   */
  async resumeUpload(id: string, source?: PickedSource, options: BrowserUploadOptions = {}): Promise<UploadResult> {
    return this.#pending.resume(id, source, options);
  }

  /**
   * Forgets an upload, here and on the server; one that has just been called off, as soon as the server has noticed.
   *
   * @throws {ClientError} `ERR_REMOTE` with `resultCode` 9 when somebody is at it
   */
  async dropPendingUpload(id: string, options: CallOptions = {}): Promise<void> {
    const uploadId = await this.#pending.forget(id);
    if (uploadId === undefined) return;
    await this.calls.run(options.signal, async (signal) => {
      for (let looks = 1; ; looks++) {
        try {
          await this.dropPartial(uploadId, { signal });
          return;
        } catch (error) {
          // Either it is gone, or it is still being put away.
          if (!(error instanceof ClientError) || error.resultCode !== ResultCode.FileNotExist) throw error;
          const isThere = (await this.listPartials({ signal })).some((partial) => partial.id === uploadId);
          if (!isThere && looks >= MIN_DROP_LOOKS) return;
          if (looks === MAX_DROP_LOOKS) throw error;
        }
        await pause(this.options.clock, signal, DROP_PAUSE_MS);
      }
    });
  }

  /**
   * Sends many files. Small ones go together, thousands in a second; large ones by themselves. Directories on the server are made as needed. A
   * file that fails is told of, and does not end the others.
   *
   * @param files are read as they are needed, so there may be any number
   * @throws {ClientError} `ERR_CONNECT`, `ERR_LOGIN_REFUSED` and others that concern all of them
   */
  async uploadFiles(
    files: Iterable<BrowserFileToUpload> | AsyncIterable<BrowserFileToUpload>,
    options: BrowserUploadFilesOptions = {},
  ): Promise<FilesResult> {
    const { onFile, parallel: _, signal: given, ...forEach } = options;
    return this.calls.run(given, (signal) =>
      new FilesUpload<PrefetchedSource>(
        this.context(signal),
        {
          ...options,
          onFile: ({ source: { picked }, ...file }) => onFile?.({ ...file, source: picked }),
        },
        prefetched,
        ({ picked }, target, signal) => this.upload(picked, target, { ...forEach, signal }),
        (path) => this.makeDirectory(path, { signal }),
      ).run(prefetchedFiles(files)),
    );
  }

  /**
   * Fetches a file, in chunks that are each checked as they come, over several connections.
   *
   * @param target a file of the File System Access API, which is replaced when all has come; or a stream, in order, which is not closed
   * @throws {ClientError} `ERR_LOCAL_FILE`, `ERR_SOURCE_CHANGED`, `ERR_DAMAGED`, `ERR_REMOTE` and others
   */
  async download(
    remotePath: string,
    target: FileSystemFileHandle | WritableStream<Uint8Array>,
    options: BrowserDownloadOptions = {},
  ): Promise<DownloadResult> {
    if ('getWriter' in target) return this.#downloadToStream(remotePath, target, options);
    const file = await target.createWritable();
    try {
      const result = await this.#fetch(remotePath, target.name, fileSink(file), options);
      await file.close();
      return result;
    } catch (error) {
      await file.abort().catch(() => {}); // what was there before stays
      throw error;
    }
  }

  /** Fetches a file as a blob; large ones the browser keeps on its disk. @throws as {@link download} */
  async downloadBlob(remotePath: string, options: BlobOptions = {}): Promise<Blob> {
    const parts: Blob[] = [];
    await this.#fetch(remotePath, 'the blob', blobSink(parts), options);
    return new Blob(parts, { type: options.type ?? '' });
  }

  /** Fetches a file as a stream, as fast as it is read. It errors as {@link download} throws; when it is cancelled, the download ends. */
  downloadStream(remotePath: string, options: BrowserDownloadOptions = {}): ReadableStream<Uint8Array> {
    const end = new AbortController();
    const signal = options.signal ? AbortSignal.any([options.signal, end.signal]) : end.signal;
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    this.#downloadToStream(remotePath, writable, { ...options, signal }).then(
      () => writable.close().catch(() => {}), // it was cancelled at the last moment
      (error) => writable.abort(error).catch(() => {}),
    );
    const reader = readable.getReader();
    return new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const { done, value } = await reader.read();
          if (done) controller.close();
          else controller.enqueue(value);
        },
        async cancel(reason) {
          end.abort(reason ?? new DOMException('nobody reads it any more', 'AbortError'));
          await reader.cancel(reason);
        },
      },
      { highWaterMark: 0 },
    );
  }

  /**
   * Has the server read a file from its disk and compare it with what it has recorded of it; and compares it with a file here, if one is
   * given. Large files take their time.
   *
   * @throws {ClientError} `ERR_UNSUPPORTED` with a server that has no records; `ERR_SOURCE_CHANGED`, `ERR_LOCAL_FILE`, `ERR_REMOTE` and others
   */
  async verify(remotePath: string, options: BrowserVerifyOptions = {}): Promise<VerifyResult> {
    const { local } = options;
    return this.verifyWith(
      remotePath,
      options,
      local && (async (signal) => ({ bytes: local.size, digests: await digestsOfBlob(local, signal) })),
    );
  }

  override async close(): Promise<void> {
    await super.close();
    this.#packer?.close();
    this.#packer = undefined;
    await this.#pending.close();
  }

  async #uploadPicked(
    blob: Blob,
    handle: FileSystemFileHandle | undefined,
    target: string,
    options: BrowserUploadOptions,
  ): Promise<UploadResult> {
    const { isRemembered = true } = options;
    return isRemembered && blob.size > DIGEST_CHUNK_BYTES
      ? this.#pending.begin(blob, handle, target, options)
      : this.#uploadBlob(blob, target, randomHex(16), options, undefined);
  }

  async #uploadBlob(
    blob: Blob,
    target: string,
    sourceId: string,
    options: BrowserUploadOptions,
    observer: UploadObserver | undefined,
  ): Promise<UploadResult> {
    const remote = parseRemotePath(target);
    this.#packer ??= new WorkerPacker(this.#makeWorker);
    const packer = this.#packer;
    const source = new BlobSource(blob, sourceId, packer);
    try {
      return await this.calls.run(options.signal, (signal) =>
        uploadFile(this.context(signal), source, remote, options, observer),
      );
    } finally {
      packer.release(blob);
    }
  }

  async #downloadToStream(
    remotePath: string,
    stream: WritableStream<Uint8Array>,
    options: BrowserDownloadOptions,
  ): Promise<DownloadResult> {
    const writer = stream.getWriter();
    try {
      return await this.#fetch(remotePath, 'the stream', streamSink(writer), options);
    } finally {
      writer.releaseLock();
    }
  }

  async #fetch(
    remotePath: string,
    name: string,
    sink: ChunkSink,
    options: BrowserDownloadOptions,
  ): Promise<DownloadResult> {
    const remote = parseRemotePath(remotePath);
    return this.calls.run(options.signal, async (signal) => {
      const partial = new AssembledChunks(name, sink);
      const newest = new NewestVersion({
        context: this.context(signal),
        remote,
        partial,
        options,
        readBase: undefined,
        chunksAtOnce: CHUNKS_AT_ONCE,
        mayChange: !sink.isOrdered,
      });
      const state = await newest.fetch();
      await partial.finish();
      return { ...newest.result(state?.size ?? 0), damaged: [] };
    });
  }
}

function isStream(source: BrowserSource): source is ReadableStream<Uint8Array> | AsyncIterable<Uint8Array> {
  return source instanceof ReadableStream || Symbol.asyncIterator in source;
}
