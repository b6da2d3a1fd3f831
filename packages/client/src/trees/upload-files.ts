import { loadXxh64 } from '@sluice/files/digests';
import {
  Feature,
  type IfExists,
  MAX_BATCHED_FILE_BYTES,
  ProtocolFlag,
  type PutFilesResult,
  ResultCode,
} from '@sluice/wire';
import type { Connection } from '../connection.js';
import { ClientError, remoteError } from '../errors.js';
import { parseRemotePath, type RemotePath } from '../remote-path.js';
import { type Attempt, withRetries } from '../retry.js';
import type { CallOptions, Durability, UploadResult } from '../transfer.js';
import type { TransferContext } from '../transfer-context.js';
import { endsAll, Lanes, retryIfBusy, Turns } from './lanes.js';
import type { LocalEntry } from './local-tree.js';
import { OutgoingBatch } from './outgoing-batch.js';
import type { SmallFile, SmallFiles } from './small-file.js';

/** Up to this size, in bytes, files are sent together. */
export const MAX_SMALL_FILE_BYTES = MAX_BATCHED_FILE_BYTES;

/** A file here, and where it goes on the server. In Node the source is a path. */
export interface FileToUpload<Source = string> {
  readonly source: Source;
  readonly target: string;
}

/** What became of one file of several. */
export interface UploadedFile<Source = string> extends FileToUpload<Source> {
  /** Missing when it failed. */
  readonly result?: UploadResult & { readonly skipped?: 'exists' | 'newer' };
  readonly error?: Error;
}

/** Options of an upload of several files. */
export interface UploadFilesOptions<Source = string> extends CallOptions {
  /** Told of each file once, when it is done or has failed. */
  readonly onFile?: (file: UploadedFile<Source>) => void;
  /** Batches of small files, and also large files, that are under way at once, 1 to 64. @default 4 */
  readonly parallel?: number;
  /** What to do when a file has the name already. @default 'replace' */
  readonly ifExists?: IfExists;
  /** How safe a file is to be when it counts as uploaded. @default what the server offers */
  readonly durability?: Durability;
  /** Give the files on the server the times of last change and the permissions of the local ones. @default true */
  readonly preserve?: boolean;
}

/** Options of an upload of a directory. */
export interface UploadTreeOptions extends UploadFilesOptions {
  /** Told of each entry that is neither a file nor a directory, and left out. */
  readonly onSkipped?: (entry: LocalEntry) => void;
}

/** What came of an upload of several files. */
export interface FilesResult {
  /** That are where they belong now. */
  readonly files: number;
  /** That were left as they were, by `ifExists`. */
  readonly skipped: number;
  readonly failed: number;
  /** Of the files that are there now. */
  readonly bytes: number;
  readonly seconds: number;
}

/** Uploads one file by itself. */
export type UploadOne<Source> = (source: Source, target: string, signal: AbortSignal) => Promise<UploadResult>;

/** Batches that are under way at once: some are being stored, some are on their way. */
const MAX_BATCHES = 4;

const DEFAULT_PARALLEL = 4;

/** The upload of several files: small ones together, large ones by themselves. */
export class FilesUpload<Source> {
  readonly #context: TransferContext;
  readonly #options: UploadFilesOptions<Source>;
  readonly #uploadOne: UploadOne<Source>;
  readonly #makeDirectory: (path: string) => Promise<void>;
  readonly #reader: SmallFiles<Source>;
  readonly #batches: Lanes;
  readonly #singles: Lanes;
  readonly #spare: Uint8Array[] = [];
  readonly #madeDirectories = new Map<string, Promise<void>>();
  readonly #startedMs: number;
  #batch: OutgoingBatch<FileToUpload<Source>> | undefined;
  /** Set before the first file is looked at. */
  #digestOf: ((content: Uint8Array) => bigint) | undefined;
  #files = 0;
  #skipped = 0;
  #failed = 0;
  #bytes = 0;

  constructor(
    context: TransferContext,
    options: UploadFilesOptions<Source>,
    reader: SmallFiles<Source>,
    uploadOne: UploadOne<Source>,
    makeDirectory: (path: string) => Promise<void>,
  ) {
    const parallel = options.parallel ?? DEFAULT_PARALLEL;
    this.#context = context;
    this.#options = options;
    this.#reader = reader;
    this.#uploadOne = uploadOne;
    this.#makeDirectory = makeDirectory;
    this.#batches = new Lanes(Math.min(MAX_BATCHES, parallel));
    this.#singles = new Lanes(parallel);
    this.#startedMs = context.options.clock.nowMs();
  }

  /** @throws {ClientError} when the server cannot be reached at all; the signal's reason */
  async run(files: Iterable<FileToUpload<Source>> | AsyncIterable<FileToUpload<Source>>): Promise<FilesResult> {
    const { signal } = this.#context;
    try {
      const hasBatches = await this.#use((connection) => connection.supports(Feature.Batch));
      this.#digestOf = await loadXxh64();
      const turns = new Turns(this.#context.options.platform);
      for await (const file of files) {
        signal.throwIfAborted();
        this.#requireRunning();
        const turn = turns.next();
        if (turn) await turn;
        if (!hasBatches) await this.#addSingle(file);
        else {
          const added = this.#add(file);
          if (added) await added;
        }
      }
      await this.#flush();
    } finally {
      await Promise.all([this.#batches.settled(), this.#singles.settled()]);
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
    const failure = this.#batches.failure ?? this.#singles.failure;
    if (failure) throw failure.error;
  }

  /** @returns a promise when reading, or sending, has to be waited for */
  #add(file: FileToUpload<Source>): void | Promise<void> {
    try {
      const small = this.#reader.read(file.source);
      if (!small) return this.#addSingle(file);
      if (small instanceof Promise) {
        return small.then(
          (read) => (read ? this.#addSmall(file, read) : this.#addSingle(file)),
          (error: unknown) => this.#fail(file, error),
        );
      }
      return this.#addSmall(file, small);
    } catch (error) {
      this.#fail(file, error);
    }
  }

  #addSmall(file: FileToUpload<Source>, small: SmallFile): void | Promise<void> {
    const target = parseRemotePath(file.target);
    if (this.#batch && !this.#batch.hasRoomFor(small)) {
      const kept = { ...small, content: small.content.slice() };
      return this.#flush().then(() => this.#put(file, target, kept));
    }
    this.#put(file, target, small);
  }

  #put(file: FileToUpload<Source>, target: RemotePath, small: SmallFile): void {
    this.#batch ??= new OutgoingBatch(this.#spare.pop() ?? OutgoingBatch.memory(), this.#digestOf!);
    this.#batch.add(file, target, small, this.#options.preserve ?? true);
  }

  /** Sends what was collected, as soon as there is a lane; the next batch can be filled meanwhile. */
  async #flush(): Promise<void> {
    const batch = this.#batch;
    if (!batch) return;
    this.#batch = undefined;
    await this.#batches.run(async () => {
      await this.#send(batch);
      this.#spare.push(batch.memory);
    });
  }

  async #addSingle(file: FileToUpload<Source>): Promise<void> {
    await this.#singles.run(() => this.#sendSingle(file));
  }

  async #send(batch: OutgoingBatch<FileToUpload<Source>>): Promise<void> {
    const { ifExists, durability } = this.#options;
    const startedMs = this.#context.options.clock.nowMs();
    let attempts = 1;
    let outcome: PutFilesResult;
    try {
      outcome = await this.#use(async (connection, attempt) => {
        attempts = attempt.number;
        return await batch.send(connection, { ifExists, durability, makesParents: true }).catch(retryIfBusy);
      });
    } catch (error) {
      if (endsAll(error, this.#context.signal)) throw error;
      // a server that has become another one since it was asked
      const isUnknown = error instanceof ClientError && error.resultCode === ResultCode.NotExistCommand;
      for (const file of batch.files) {
        if (isUnknown) await this.#sendSingle(file);
        else this.#fail(file, error);
      }
      return;
    }
    const seconds = (this.#context.options.clock.nowMs() - startedMs) / 1_000;
    for (const [i, file] of batch.files.entries()) {
      const code = outcome.fileCodes[i]!;
      const bytes = batch.sizeOf(i);
      const result = { bytes, bytesSent: bytes, bytesResumed: 0, seconds, attempts, durability: outcome.durability };
      if (code === ResultCode.Success) this.#done(file, result);
      else if (code === ResultCode.FileExists && ifExists !== 'fail') {
        this.#done(file, { ...result, bytesSent: 0, skipped: ifExists === 'newer' ? 'newer' : 'exists' });
      } else if (code === ResultCode.UnknownError || code === ResultCode.ChunksMissing) await this.#sendSingle(file);
      else this.#fail(file, remoteError(code, ''));
    }
  }

  async #sendSingle(file: FileToUpload<Source>): Promise<void> {
    try {
      await this.#requireDirectory(parseRemotePath(file.target).dirName);
      this.#done(file, await this.#uploadOne(file.source, file.target, this.#context.signal));
    } catch (error) {
      if (endsAll(error, this.#context.signal)) throw error;
      this.#fail(file, error);
    }
  }

  #requireDirectory(path: string): Promise<void> {
    const known = this.#madeDirectories.get(path) ?? this.#makeDirectory(path);
    this.#madeDirectories.set(path, known);
    return known;
  }

  #use<T>(work: (connection: Connection, attempt: Attempt) => T | Promise<T>): Promise<T> {
    const { pool, options, signal } = this.#context;
    return withRetries(options, signal, (attempt) =>
      pool.use(ProtocolFlag.Upload, signal, (connection) => work(connection, attempt)),
    );
  }

  #done(file: FileToUpload<Source>, result: NonNullable<UploadedFile<Source>['result']>): void {
    if (result.skipped) this.#skipped += 1;
    else {
      this.#files += 1;
      this.#bytes += result.bytes;
    }
    this.#options.onFile?.({ ...file, result });
  }

  #fail(file: FileToUpload<Source>, error: unknown): void {
    this.#failed += 1;
    this.#options.onFile?.({ ...file, error: error instanceof Error ? error : new Error(String(error)) });
  }
}
