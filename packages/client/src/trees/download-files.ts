import { lstatSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { syncDirectory, xxh64 } from '@sluice/files';
import {
  BATCH_CONTENT_BYTES,
  type BatchName,
  Command,
  decodeFetchedTable,
  encodeGetFilesRequest,
  encodeGetFilesTable,
  Feature,
  type FetchedFile,
  type IfExists,
  Key,
  MAX_BATCHED_FILE_BYTES,
  ProtocolFlag,
  ResultCode,
  responseInteger,
} from '@sluice/wire';
import type { Connection } from '../connection.js';
import { ClientError, remoteError } from '../errors.js';
import { localFileError } from '../local-errors.js';
import { targetExists } from '../partial-file.js';
import { parseRemotePath, type RemotePath } from '../remote-path.js';
import { type Attempt, withRetries } from '../retry.js';
import type { CallOptions, DownloadResult } from '../transfer.js';
import type { TransferContext } from '../transfer-context.js';
import { endsAll, Lanes, retryIfBusy, Turns } from './lanes.js';
import type { TreeEntry } from './remote-tree.js';
import { type DirectoryState, prepareDirectory, SmallFileWriter } from './small-file-writer.js';
import type { FilesResult } from './upload-files.js';

/** A file on the server, and where it goes here. */
export interface FileToDownload {
  readonly source: string;
  readonly target: string;
  /** In bytes, if it is known: large files go by themselves from the start. */
  readonly size?: number;
}

/** What became of one file of several. */
export interface DownloadedFile extends FileToDownload {
  /** Missing when it failed. */
  readonly result?: DownloadResult;
  readonly error?: Error;
}

/** Options of a download of several files. */
export interface DownloadFilesOptions extends CallOptions {
  /** Told of each file once, when it is done or has failed. */
  readonly onFile?: (file: DownloadedFile) => void;
  /** Requests for small files, and also large files, that are under way at once, 1 to 64. @default 4 */
  readonly parallel?: number;
  /** What to do when a target is there already. @default 'replace' */
  readonly ifExists?: IfExists;
  /** Give the targets the times of last change, and as far as the umask allows the permissions, of the server's files. @default true */
  readonly preserve?: boolean;
}

/** Options of a download of a directory. */
export interface DownloadTreeOptions extends DownloadFilesOptions {
  /** Told of each entry that is left out: it is neither a file nor a directory, or it has a `problem`. */
  readonly onSkipped?: (entry: TreeEntry) => void;
}

/** Downloads one file by itself. */
export type DownloadOne = (source: string, target: string, signal: AbortSignal) => Promise<DownloadResult>;

const MAX_REQUESTS = 4;
const MAX_FILES = 1024;
const DEFAULT_PARALLEL = 4;
/** What a file counts with whose size is not known. */
const LIKELY_BYTES = 16 << 10;
/** Files that are written at once when the disk is slow. */
const MAX_WRITES = 8;

interface Wanted {
  readonly file: FileToDownload;
  readonly path: RemotePath;
}

/** The download of several files: small ones together, large ones by themselves. */
export class FilesDownload {
  readonly #context: TransferContext;
  readonly #options: DownloadFilesOptions;
  readonly #downloadOne: DownloadOne;
  readonly #writer = new SmallFileWriter();
  readonly #requests: Lanes;
  readonly #singles: Lanes;
  readonly #startedMs: number;
  /** Directories here that are there. */
  readonly #directories = new Map<string, DirectoryState>();
  #wanted: Wanted[] = [];
  #wantedBytes = 0;
  #files = 0;
  #skipped = 0;
  #failed = 0;
  #bytes = 0;

  constructor(context: TransferContext, options: DownloadFilesOptions, downloadOne: DownloadOne) {
    const parallel = options.parallel ?? DEFAULT_PARALLEL;
    this.#context = context;
    this.#options = options;
    this.#downloadOne = downloadOne;
    this.#requests = new Lanes(Math.min(MAX_REQUESTS, parallel));
    this.#singles = new Lanes(parallel);
    this.#startedMs = context.options.clock.nowMs();
  }

  /** @throws {ClientError} when the server cannot be reached at all; the signal's reason */
  async run(files: Iterable<FileToDownload> | AsyncIterable<FileToDownload>): Promise<FilesResult> {
    const { signal } = this.#context;
    try {
      const hasBatches = await this.#use((connection) => connection.supports(Feature.Batch));
      for await (const file of files) {
        signal.throwIfAborted();
        this.#requireRunning();
        const state = this.#prepare(file);
        if (!state) continue;
        const isSmall = (file.size ?? 0) <= MAX_BATCHED_FILE_BYTES;
        if (hasBatches && isSmall && !state.begun.has(basename(file.target))) await this.#want(file);
        else await this.#singles.run(() => this.#fetchSingle(file));
      }
      await this.#flush();
    } finally {
      await Promise.all([this.#requests.settled(), this.#singles.settled()]);
    }
    this.#requireRunning();
    return {
      files: this.#files,
      skipped: this.#skipped,
      failed: this.#failed,
      bytes: this.#bytes,
      seconds: (this.#context.options.clock.nowMs() - this.#startedMs) / 1_000,
    };
  }

  /** @throws what has ended the whole */
  #requireRunning(): void {
    const failure = this.#requests.failure ?? this.#singles.failure;
    if (failure) throw failure.error;
  }

  /** Makes the directory of the target. @returns `undefined` when the file is not to be fetched */
  #prepare(file: FileToDownload): DirectoryState | undefined {
    const { ifExists = 'replace' } = this.#options;
    try {
      if (ifExists !== 'replace' && ifExists !== 'newer' && lstatSync(file.target, { throwIfNoEntry: false })) {
        if (ifExists === 'skip') this.#skip(file, 'exists');
        else this.#fail(file, targetExists(file.target));
        return undefined;
      }
      const directory = dirname(file.target);
      const state = this.#directories.get(directory) ?? prepareDirectory(directory);
      this.#directories.set(directory, state);
      if (!state.taken.has(basename(file.target))) return state;
      throw new Error('is a directory, or not a regular file');
    } catch (error) {
      this.#fail(file, localFileError('write', file.target, error));
      return undefined;
    }
  }

  async #want(file: FileToDownload): Promise<void> {
    let path: RemotePath;
    try {
      path = parseRemotePath(file.source);
    } catch (error) {
      this.#fail(file, error);
      return;
    }
    const bytes = file.size ?? LIKELY_BYTES;
    const isFull = this.#wanted.length >= MAX_FILES || this.#wantedBytes + bytes > BATCH_CONTENT_BYTES;
    if (isFull) await this.#flush();
    this.#wanted.push({ file, path });
    this.#wantedBytes += bytes;
  }

  async #flush(): Promise<void> {
    const wanted = this.#wanted;
    this.#wanted = [];
    this.#wantedBytes = 0;
    if (wanted.length > 0) await this.#requests.run(() => this.#fetch(wanted));
  }

  /** Fetches files together, in as many answers as it takes. */
  async #fetch(wanted: readonly Wanted[]): Promise<void> {
    const { signal, options } = this.#context;
    for (let left = wanted; left.length > 0; ) {
      const startedMs = options.clock.nowMs();
      let attempts = 1;
      let answer: Fetched;
      try {
        answer = await this.#use(async (connection, attempt) => {
          attempts = attempt.number;
          return await ask(connection, left).catch(retryIfBusy);
        });
      } catch (error) {
        if (endsAll(error, signal)) throw error;
        // a server that has become another one since it was asked
        const isUnknown = error instanceof ClientError && error.resultCode === ResultCode.NotExistCommand;
        for (const { file } of left) {
          if (isUnknown) await this.#fetchSingle(file);
          else this.#fail(file, error);
        }
        return;
      }
      await this.#store(left, answer, { attempts, seconds: (options.clock.nowMs() - startedMs) / 1_000 });
      left = left.slice(answer.files.length);
    }
  }

  /** Writes what has come, syncs the directories, and tells. */
  async #store(
    wanted: readonly Wanted[],
    { files, contents }: Fetched,
    how: { readonly attempts: number; readonly seconds: number },
  ): Promise<void> {
    const turns = new Turns(this.#context.options.platform);
    const done: { readonly file: FileToDownload; readonly bytes: number }[] = [];
    const singles: FileToDownload[] = [];
    const writes: Promise<void>[] = [];
    let at = 0;
    for (const [i, { code, facts }] of files.entries()) {
      const { file } = wanted[i]!;
      const content = contents.subarray(at, at + facts.size);
      at += facts.size;
      if (code !== ResultCode.Success) {
        if (code === ResultCode.TooLarge || code === ResultCode.UnknownError) singles.push(file);
        else this.#fail(file, remoteError(code, ''));
      } else if (xxh64(content) !== facts.digest) singles.push(file);
      else if (this.#isNotOlder(file, facts.modifiedNs)) this.#skip(file, 'newer');
      else {
        try {
          const writing = this.#writer.store(file.target, content, this.#options.preserve === false ? {} : facts);
          if (writing) {
            writes.push(
              writing.then(
                () => void done.push({ file, bytes: facts.size }),
                (error: unknown) => this.#fail(file, error),
              ),
            );
          } else done.push({ file, bytes: facts.size });
        } catch (error) {
          this.#fail(file, error);
        }
      }
      if (writes.length >= MAX_WRITES) await Promise.all(writes.splice(0));
      const turn = turns.next();
      if (turn) await turn;
    }
    await Promise.all(writes);
    await this.#syncDirectories(done);
    for (const file of singles) await this.#fetchSingle(file);
    for (const { file, bytes } of done) {
      this.#done(file, { bytes, bytesReceived: bytes, bytesResumed: 0, damaged: [], ...how });
    }
  }

  async #syncDirectories(done: readonly { readonly file: FileToDownload }[]): Promise<void> {
    for (const directory of new Set(done.map(({ file }) => dirname(file.target)))) {
      await syncDirectory(directory).catch((error: unknown) => {
        throw localFileError('write', directory, error);
      });
    }
  }

  /** Whether the target is to stay, because it is not older than the file that has come. */
  #isNotOlder(file: FileToDownload, modifiedNs: bigint | undefined): boolean {
    if (this.#options.ifExists !== 'newer' || modifiedNs === undefined) return false;
    const found = lstatSync(file.target, { bigint: true, throwIfNoEntry: false });
    return found !== undefined && found.mtimeNs / 1000n >= modifiedNs / 1000n;
  }

  async #fetchSingle(file: FileToDownload): Promise<void> {
    try {
      this.#done(file, await this.#downloadOne(file.source, file.target, this.#context.signal));
    } catch (error) {
      if (endsAll(error, this.#context.signal)) throw error;
      this.#fail(file, error);
    }
  }

  #use<T>(work: (connection: Connection, attempt: Attempt) => T | Promise<T>): Promise<T> {
    const { pool, options, signal } = this.#context;
    return withRetries(options, signal, (attempt) =>
      pool.use(ProtocolFlag.Download, signal, (connection) => work(connection, attempt)),
    );
  }

  #done(file: FileToDownload, result: DownloadResult): void {
    if (result.skipped) this.#skipped += 1;
    else {
      this.#files += 1;
      this.#bytes += result.bytes;
    }
    this.#options.onFile?.({ ...file, result });
  }

  #skip(file: FileToDownload, skipped: 'exists' | 'newer'): void {
    const nothing = { bytes: 0, bytesReceived: 0, bytesResumed: 0, damaged: [], seconds: 0, attempts: 1 };
    this.#done(file, { ...nothing, skipped });
  }

  #fail(file: FileToDownload, error: unknown): void {
    this.#failed += 1;
    this.#options.onFile?.({ ...file, error: error instanceof Error ? error : new Error(String(error)) });
  }
}

/** The first of the files that were asked for. */
interface Fetched {
  readonly files: readonly FetchedFile[];
  readonly contents: Uint8Array;
}

/** @throws {ClientError} `ERR_REMOTE`, when the server refuses the whole; `ERR_PROTOCOL`; and whatever ends the connection */
async function ask(connection: Connection, wanted: readonly Wanted[]): Promise<Fetched> {
  const directories = new Map<string, number>();
  const names = wanted.map(({ path: { dirName, fileName } }): BatchName => {
    const directory = directories.get(dirName) ?? directories.size;
    directories.set(dirName, directory);
    return { directory, name: fileName };
  });
  const table = encodeGetFilesTable([...directories.keys()], names);
  const { response, data } = await connection.request(Command.GetFiles, encodeGetFilesRequest(''), table);
  const count = Number(responseInteger(response, Key.Count));
  const decoded = count >= 1 && count <= wanted.length ? decodeFetchedTable(data, count) : undefined;
  if (!decoded) throw new ClientError('ERR_PROTOCOL', 'the server has sent files that were not asked for');
  return { files: decoded.files, contents: data.subarray(decoded.contentStart) };
}
