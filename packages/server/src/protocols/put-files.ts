import { contentDigestOf } from '@sluice/files';
import {
  type BatchFile,
  DIGEST_BYTES,
  type Durability,
  decodePutFilesRequest,
  decodePutFilesTable,
  encodeBatchCodes,
  Key,
  type PutFilesRequest,
  type PutFilesTable,
  putFilesResponseText,
  RequestError,
  ResultCode,
} from '@sluice/wire';
import { answerFor, codeOfStorageError } from '../answers.js';
import type { HookedFile } from '../hooks/upload-hooks.js';
import type { Request, Session } from '../protocol.js';
import type { BatchedFile, BatchOutcome } from '../storage/batches/batch-job.js';
import type { BatchContents } from '../storage/batches/file-batches.js';
import type { FileVersion, NamedDigest, RecordedDigest } from '../storage/content-digests.js';
import { forEachLimited } from '../storage/for-each-limited.js';
import type { HeldDirectory } from '../storage/held-directory.js';
import type { ReplaceClaim } from '../storage/open-files.js';
import { parseDirectoryName, parseFileName } from '../storage/path-name.js';
import { StorageError } from '../storage/storage-error.js';
import { DIRECTORIES_AT_ONCE, HeldDirectories, WALKS_AT_ONCE } from './held-directories.js';
import type { SharedFiles } from './shared-files.js';

/** What a client is told to wait when too much is to be stored already, in milliseconds. */
const RETRY_AFTER_MS = 250;

/**
 * Answers PutFiles. docs/protocol.md.
 *
 * @param durability that the server offers
 * @throws {RequestError} code 6 for data that cannot be read, 13
 */
export async function putFiles(
  session: Session,
  files: SharedFiles,
  durability: Durability,
  { command, text, data }: Request,
): Promise<void> {
  const request = decodePutFilesRequest(text);
  const table = decodePutFilesTable(data);
  const base = parseDirectoryName(request.dirName);
  session.requireMayChange();
  using contents = files.batches.keep(data.subarray(table.contentStart));
  if (!contents) {
    const error = new RequestError(ResultCode.Busy, 'too many files wait to be stored');
    return session.refuse(command, error, [[Key.RetryAfterMs, RETRY_AFTER_MS]]);
  }
  const reached = request.durability === 'memory' ? 'memory' : durability;
  const hooked = files.hooks.isNobody ? [] : hookedFiles(request.dirName, table);
  await files.hooks.before(session, hooked);
  const batch = new Batch(session, files, { request, table, base, contents, isDurable: reached === 'durable' });
  await batch.store();
  session.log.info('files stored', { directory: request.dirName, files: batch.storedFiles, of: table.files.length });
  const isStored = (_: unknown, index: number): boolean => batch.fileCodes[index] === ResultCode.Success;
  files.hooks.committed(session, hooked.filter(isStored), reached);
  session.reply(putFilesResponseText(command, reached), encodeBatchCodes(batch.directoryCodes, batch.fileCodes));
}

/** In the order of the table. */
function hookedFiles(dirName: string, { directories, files }: PutFilesTable): HookedFile[] {
  return files.map(({ directory, name, size }) => {
    const path = [dirName, directories[directory] ?? '', name].filter((part) => part !== '').join('/');
    return { name: path, size };
  });
}

interface BatchInit {
  readonly request: PutFilesRequest;
  readonly table: PutFilesTable;
  readonly base: readonly string[];
  readonly contents: BatchContents;
  readonly isDurable: boolean;
}

/** A file of the batch that can be stored. */
interface Placed {
  /** In the batch. */
  readonly index: number;
  readonly directory: HeldDirectory;
  readonly name: string;
  readonly file: BatchedFile;
}

/** The files of one request: first by their directories, of which only some are held at once. */
class Batch {
  readonly directoryCodes: number[];
  readonly fileCodes: number[];
  storedFiles = 0;
  readonly #session: Session;
  readonly #files: SharedFiles;
  readonly #init: BatchInit;
  /** Where the content of each file begins. */
  readonly #contentStarts: number[] = [];
  readonly #filesOf: number[][];

  constructor(session: Session, files: SharedFiles, init: BatchInit) {
    this.#session = session;
    this.#files = files;
    this.#init = init;
    const { directories, files: entries } = init.table;
    this.directoryCodes = directories.map(() => ResultCode.Success);
    this.fileCodes = entries.map(() => ResultCode.Success);
    this.#filesOf = directories.map(() => []);
    let at = 0;
    for (const [index, { directory, size }] of entries.entries()) {
      this.#contentStarts.push(at);
      at += size;
      this.#filesOf[directory]?.push(index);
    }
  }

  /** @throws the reason for which the session is gone */
  async store(): Promise<void> {
    for (let from = 0; from < this.directoryCodes.length; from += DIRECTORIES_AT_ONCE) {
      this.#session.gone.throwIfAborted();
      const to = Math.min(from + DIRECTORIES_AT_ONCE, this.directoryCodes.length);
      await this.#storeIn(Array.from({ length: to - from }, (_, i) => from + i));
    }
  }

  async #storeIn(directories: readonly number[]): Promise<void> {
    await using held = new HeldDirectories();
    await forEachLimited(directories, WALKS_AT_ONCE, async (index) => {
      try {
        const directory = await held.add(index, this.#files.descriptors, () => this.#resolve(index));
        if (await this.#files.batches.canReach(directory)) return;
        await held.drop(index);
        throw new StorageError('ERR_OTHER_DEVICE', 'the directory is on another file system than the root');
      } catch (error) {
        this.#failDirectory(index, error);
      }
    });
    const claims: ReplaceClaim[] = [];
    try {
      const placed = await this.#place(held, claims);
      const recording = await this.#write(await this.#withinQuota(placed));
      // also one in which nothing was stored: an earlier batch may have been broken off before it came here
      if (this.#init.isDurable) await this.#sync(held);
      await recording?.done;
    } finally {
      for (const claim of claims) claim.release();
    }
  }

  /** The directory, made if that is wanted. @throws {StorageError} */
  #resolve(index: number): Promise<HeldDirectory> {
    const { table, base, request } = this.#init;
    const { tree } = this.#session.principal;
    const components = [...base, ...parseDirectoryName(table.directories[index]!)];
    return request.makesParents ? tree.resolveOrCreate(components) : tree.resolve(components);
  }

  /** Claims the names, so that nobody writes or removes those files meanwhile. */
  async #place(held: HeldDirectories, claims: ReplaceClaim[]): Promise<Placed[]> {
    const placed: Placed[] = [];
    const removals: Promise<void>[] = [];
    const keys = new Set<string>();
    for (const [directoryIndex, directory] of held.all) {
      for (const index of this.#filesOf[directoryIndex]!) {
        try {
          const entry = this.#init.table.files[index]!;
          const name = parseFileName(entry.name);
          const key = directory.entryKey(name);
          if (keys.has(key)) throw new StorageError('ERR_NAME_INVALID', 'name that occurs twice');
          keys.add(key);
          const known = this.#files.openFiles.knownElsewhere(key);
          if (known) await known;
          claims.push(this.#files.openFiles.claimForReplacing(key));
          const { path, settled } = directory.pathOf(name);
          if (settled) removals.push(settled);
          placed.push({ index, directory, name, file: batchedFile(entry, path, this.#contentStarts[index]!) });
        } catch (error) {
          this.fileCodes[index] = answerFor(error).code;
        }
      }
    }
    await Promise.all(removals);
    return placed;
  }

  /** Those for which the user has room. */
  async #withinQuota(placed: Placed[]): Promise<Placed[]> {
    const { quota } = this.#session.principal;
    if (!quota) return placed;
    if (await quota.take(placed.reduce((sum, { file }) => sum + file.size, 0))) return placed;
    const fitting: Placed[] = [];
    for (const one of placed) {
      if (await quota.take(one.file.size)) fitting.push(one);
      else this.fileCodes[one.index] = ResultCode.QuotaExceeded;
    }
    return fitting;
  }

  /** @returns what goes on with their digests */
  async #write(placed: readonly Placed[]): Promise<{ readonly done: Promise<unknown> } | undefined> {
    const { contents, request, isDurable } = this.#init;
    if (placed.length === 0) return undefined;
    try {
      const files = placed.map(({ file }) => file);
      const options = { ifExists: request.ifExists ?? 'replace', isDurable };
      const { outcomes, versions, failure } = await this.#files.batches.write(contents, files, options);
      if (failure !== undefined) this.#session.log.error('storing files failed', { detail: failure });
      for (const [i, { index }] of placed.entries()) {
        const outcome = outcomes[i]!;
        if (outcome === 'stored') this.storedFiles += 1;
        this.fileCodes[index] = codeOfOutcome(outcome);
      }
      return { done: this.#recordDigests(placed, versions) };
    } catch (error) {
      this.#session.log.error('storing files failed', { detail: String(error) });
      for (const { index } of placed) this.fileCodes[index] = answerFor(error).code;
      return undefined;
    }
  }

  /** Not durably: a digest that is lost with the power is not known later, and nothing else. */
  async #recordDigests(placed: readonly Placed[], versions: readonly (FileVersion | undefined)[]): Promise<void> {
    const entries = new Map<HeldDirectory, NamedDigest[]>();
    for (const [i, { directory, name, file }] of placed.entries()) {
      const version = versions[i];
      if (!version) continue;
      const named = { name, digest: recordedDigest(version, file.digest) };
      const others = entries.get(directory);
      if (others) others.push(named);
      else entries.set(directory, [named]);
    }
    const { digests } = this.#files;
    await Promise.all(Array.from(entries, ([directory, named]) => digests.record(directory, named, false)));
  }

  async #sync(held: HeldDirectories): Promise<void> {
    await forEachLimited([...held.all], WALKS_AT_ONCE, async ([index, directory]) => {
      if (this.#filesOf[index]!.length === 0) return;
      try {
        await directory.sync();
      } catch (error) {
        this.#failDirectory(index, error);
      }
    });
  }

  #failDirectory(index: number, error: unknown): void {
    const { code, message, isExpected } = answerFor(error);
    if (!isExpected) this.#session.log.error('storing files failed', { detail: message });
    this.directoryCodes[index] = code;
    for (const file of this.#filesOf[index]!) this.fileCodes[file] = code;
  }
}

function batchedFile({ size, digest, modifiedNs, mode }: BatchFile, path: string, at: number): BatchedFile {
  return { path, at, size, digest, mode, modifiedUs: modifiedNs === undefined ? undefined : microseconds(modifiedNs) };
}

/** Rounded down. */
function microseconds(ns: bigint): number {
  return Number(ns >= 0n ? ns / 1000n : (ns - 999n) / 1000n);
}

function recordedDigest(version: FileVersion, digest: bigint): RecordedDigest {
  const chunkDigests = Buffer.allocUnsafe(version.size === 0 ? 0 : DIGEST_BYTES);
  if (version.size > 0) chunkDigests.writeBigUInt64BE(digest);
  return { ...version, chunkDigests, contentDigest: contentDigestOf(chunkDigests), sourceId: undefined };
}

function codeOfOutcome(outcome: BatchOutcome): number {
  switch (outcome) {
    case 'stored':
      return ResultCode.Success;
    case 'kept':
      return ResultCode.FileExists;
    case 'damaged':
      return ResultCode.ChunksMissing;
    default:
      return codeOfStorageError(outcome);
  }
}
