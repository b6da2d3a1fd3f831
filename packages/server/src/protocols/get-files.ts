import {
  BATCH_CONTENT_BYTES,
  type BatchFacts,
  type BatchName,
  decodeGetFilesRequest,
  decodeGetFilesTable,
  encodeFetchedTable,
  type FetchedFile,
  getFilesResponseText,
  MAX_BATCHED_FILE_BYTES,
  RequestError,
  ResultCode,
} from '@sluice/wire';
import { answerFor, codeOfStorageError } from '../answers.js';
import type { Request, Session } from '../protocol.js';
import type { ReadJobResult, ReadOutcome } from '../storage/batches/read-job.js';
import { forEachLimited } from '../storage/for-each-limited.js';
import type { HeldDirectory } from '../storage/held-directory.js';
import type { ReadClaim } from '../storage/open-files.js';
import { parseDirectoryName, parseFileName } from '../storage/path-name.js';
import { DIRECTORIES_AT_ONCE, HeldDirectories, WALKS_AT_ONCE } from './held-directories.js';
import type { SharedFiles } from './shared-files.js';

/**
 * Answers GetFiles: the first of the files that are asked for, as many as fit. docs/protocol.md.
 *
 * @throws {RequestError} code 6 for data that cannot be read; the reason for which the session is gone
 */
export async function getFiles(session: Session, files: SharedFiles, { command, text, data }: Request): Promise<void> {
  if (!session.knowsExtensions) throw new RequestError(ResultCode.NotExistCommand);
  const { directories, files: names } = decodeGetFilesTable(data);
  const base = parseDirectoryName(decodeGetFilesRequest(text));
  await session.memory.roomToSend(ANSWER_BYTES);
  const answer = new Answer(session, files, base, directories, names);
  // What is read, and the answer that it is put together to.
  using _held = await session.memory.holdWhenRoom(2 * ANSWER_BYTES);
  await answer.fill();
  session.log.debug('files sent', { files: answer.fetched.length, of: names.length });
  const contents = Buffer.concat([encodeFetchedTable(answer.fetched), ...answer.contents]);
  session.reply(getFilesResponseText(command, answer.fetched.length), contents);
}

/** An answer is not larger: the buffers that files are read into are of this size. */
const ANSWER_BYTES = 1 << 20;

const NO_FACTS: BatchFacts = { size: 0, digest: 0n };

/** A file that can be read, by its place in the group that is read together. */
interface Placed {
  readonly index: number;
  readonly path: string;
}

class Answer {
  readonly fetched: FetchedFile[] = [];
  readonly contents: Uint8Array[] = [];
  readonly #session: Session;
  readonly #files: SharedFiles;
  readonly #base: readonly string[];
  readonly #directories: readonly string[];
  readonly #names: readonly BatchName[];
  #roomBytes = BATCH_CONTENT_BYTES;

  constructor(
    session: Session,
    files: SharedFiles,
    base: readonly string[],
    directories: readonly string[],
    names: readonly BatchName[],
  ) {
    this.#session = session;
    this.#files = files;
    this.#base = base;
    this.#directories = directories;
    this.#names = names;
  }

  /** Reads until there is no room for the next one, or all are read. */
  async fill(): Promise<void> {
    for (let isFull = false; !isFull && this.fetched.length < this.#names.length; ) {
      this.#session.gone.throwIfAborted();
      isFull = await this.#fetch(this.#nextGroup());
    }
  }

  /** The next files, whose directories can be held at once. */
  #nextGroup(): BatchName[] {
    const directories = new Set<number>();
    const from = this.fetched.length;
    let end = from;
    for (; end < this.#names.length; end++) {
      directories.add(this.#names[end]!.directory);
      if (directories.size > DIRECTORIES_AT_ONCE) break;
    }
    return this.#names.slice(from, end);
  }

  /** @returns whether not all of them had room */
  async #fetch(group: readonly BatchName[]): Promise<boolean> {
    const { descriptors, batches } = this.#files;
    await using held = new HeldDirectories();
    const failures = new Map<number, number>();
    const needed = [...new Set(group.map(({ directory }) => directory))];
    await forEachLimited(needed, WALKS_AT_ONCE, async (index) => {
      try {
        await held.add(index, descriptors, () => this.#resolve(index));
      } catch (error) {
        failures.set(index, this.#codeOf(error));
      }
    });
    const claims: ReadClaim[] = [];
    try {
      const codes = group.map(() => 0);
      const placed = await this.#place(group, held, failures, codes, claims);
      const limits = { roomBytes: this.#roomBytes, maxFileBytes: MAX_BATCHED_FILE_BYTES };
      const paths = placed.map(({ path }) => path);
      return await batches.read(paths, limits, (result) => this.#take(codes, placed, result));
    } finally {
      for (const claim of claims) claim.release();
    }
  }

  #resolve(index: number): Promise<HeldDirectory> {
    const { tree } = this.#session.principal;
    return tree.resolve([...this.#base, ...parseDirectoryName(this.#directories[index]!)]);
  }

  /** Claims the files, so that nobody begins to write them meanwhile. @param codes gets why others cannot be read */
  async #place(
    group: readonly BatchName[],
    held: HeldDirectories,
    failures: ReadonlyMap<number, number>,
    codes: number[],
    claims: ReadClaim[],
  ): Promise<Placed[]> {
    const placed: Placed[] = [];
    const removals: Promise<void>[] = [];
    for (const [index, { directory: number, name }] of group.entries()) {
      const directory = held.all.get(number);
      try {
        if (!directory) codes[index] = failures.get(number) ?? ResultCode.UnknownError;
        else {
          const key = directory.entryKey(parseFileName(name));
          const known = this.#files.openFiles.knownElsewhere(key);
          if (known) await known;
          claims.push(this.#files.openFiles.claimForReading(key));
          const { path, settled } = directory.pathOf(name);
          if (settled) removals.push(settled);
          placed.push({ index, path });
        }
      } catch (error) {
        codes[index] = this.#codeOf(error);
      }
    }
    await Promise.all(removals);
    return placed;
  }

  /** @returns whether not all of them had room */
  #take(codes: readonly number[], placed: readonly Placed[], result: ReadJobResult): boolean {
    const { outcomes, numbers, wide, failure } = result;
    if (failure !== undefined) this.#session.log.error('reading files failed', { detail: failure });
    const fetched = codes.map((code): FetchedFile => ({ code, facts: NO_FACTS }));
    let end = 0;
    for (const [i, outcome] of outcomes.entries()) {
      const size = numbers[2 * i]!;
      const facts: BatchFacts = {
        size,
        mode: numbers[2 * i + 1]!,
        modifiedNs: BigInt.asIntN(64, wide[2 * i]!),
        digest: wide[2 * i + 1]!,
      };
      fetched[placed[i]!.index] = { code: codeOfOutcome(outcome), facts: outcome === 'read' ? facts : NO_FACTS };
      end += size;
    }
    this.contents.push(result.bytes.slice(0, end));
    this.#roomBytes -= end;
    // those behind the first without room are not answered, also where they have a code: the answer is about the first ones
    const first = placed[outcomes.length];
    this.fetched.push(...fetched.slice(0, first?.index));
    return first !== undefined;
  }

  /** As for Download, a missing directory is a missing file. */
  #codeOf(error: unknown): number {
    const { code, message, isExpected } = answerFor(error);
    if (!isExpected) this.#session.log.error('reading files failed', { detail: message });
    return code === ResultCode.DirNotExist ? ResultCode.FileNotExist : code;
  }
}

function codeOfOutcome(outcome: ReadOutcome): number {
  if (outcome === 'read') return ResultCode.Success;
  return outcome === 'too-large' ? ResultCode.TooLarge : codeOfStorageError(outcome);
}
