import { ChunkHash, contentDigest } from '@sluice/files/digests';
import {
  type BeginUploadRequest,
  type BegunUpload,
  type ChunkEntry,
  ChunkState,
  digestText,
  Feature,
  ResultCode,
} from '@sluice/wire';
import { ChunkPlan } from './chunk-plan.js';
import type { ChunkSending } from './chunk-sender.js';
import type { Connection } from './connection.js';
import { ClientError } from './errors.js';
import { DEFAULT_STREAMS } from './options.js';
import { randomHex } from './random.js';
import type { RemotePath } from './remote-path.js';
import type { Attempt } from './retry.js';
import { beginUpload, commitUpload, uploadChunks } from './staged-requests.js';
import type { UploadOptions } from './transfer.js';
import type { TransferContext } from './transfer-context.js';
import { UploadLanes } from './upload-lanes.js';
import type { UploadOutcome } from './upload-outcome.js';
import type { UploadObserver, UploadSource } from './upload-source.js';
import { verifyOn } from './verification.js';

/** A connection more is worth its login when there are so many bytes for it. */
const BYTES_PER_STREAM = 16 << 20;
/** Up to this size a file is sent rather than asked about: the question costs as much. */
const SMALL_BYTES = 64 << 10;
/** Chunks that are asked about at once; a server that has to read them tells of fewer. */
const CHUNKS_PER_QUESTION = 1_024;
/** Questions that are on their way at once. */
const QUESTIONS_AT_ONCE = 4;
/** A disk that damages what it is given is not asked for ever. */
const MAX_COMMITS = 4;

const NOTHING: ChunkEntry = { state: ChunkState.Missing, digest: 0n };

/** The upload of one file to a server that stages uploads, through as many attempts as it takes. docs/protocol.md. */
export class StagedUpload {
  readonly #context: TransferContext;
  readonly #source: UploadSource;
  readonly #remote: RemotePath;
  readonly #options: UploadOptions;
  readonly #observer: UploadObserver | undefined;
  readonly #sourceId: string;
  /** Chunks that this very call has sent, and their bytes. */
  readonly #isOwn: Uint8Array;
  readonly #ownDigests: BigUint64Array;
  #ownBytes = 0;
  #bytesSent = 0;
  #hasAskedToCommit = false;
  /** Most bytes that the server had when an attempt began. */
  #furthestBytes = 0;

  constructor(
    context: TransferContext,
    source: UploadSource,
    remote: RemotePath,
    options: UploadOptions,
    observer?: UploadObserver,
  ) {
    this.#context = context;
    this.#source = source;
    this.#remote = remote;
    this.#options = options;
    this.#observer = observer;
    // What an earlier call has brought is, by another name, not taken for the same.
    this.#sourceId = options.resume === 'never' ? randomHex(16) : source.sourceId;
    const { chunks } = new ChunkPlan(source.size);
    this.#isOwn = new Uint8Array(chunks);
    this.#ownDigests = new BigUint64Array(chunks);
  }

  /**
   * @returns `undefined` when the server cannot stage this file
   * @throws {ClientError}, or the signal's reason
   */
  async attempt(connection: Connection, attempt: Attempt): Promise<UploadOutcome | undefined> {
    const hash = await ChunkHash.create();
    const begun = await this.#begin(connection, hash);
    if (!begun) return undefined;
    if (begun.uploadId === undefined) return this.#withoutUpload(begun);
    this.#observer?.onBegun(begun.uploadId);
    if (begun.stagedBytes > this.#furthestBytes) {
      this.#furthestBytes = begun.stagedBytes;
      attempt.progressed();
    }

    const plan = new ChunkPlan(this.#source.size);
    await this.#learn(connection, plan, begun, attempt);
    this.#report(plan);
    const lanes = new UploadLanes(this.#context, connection, this.#sending(plan, hash));
    lanes.join(begun.uploadId, this.#streams(plan) - 1);
    try {
      const { durability, digest } = await this.#commit(connection, lanes, plan);
      return { bytesSent: this.#bytesSent, bytesResumed: plan.fileSize - this.#ownBytes, durability, digest };
    } catch (error) {
      throw lanes.asFailure(error);
    } finally {
      await lanes.close();
    }
  }

  async #begin(connection: Connection, hash: ChunkHash): Promise<BegunUpload | undefined> {
    const { size, modifiedNs, mode } = this.#source;
    const { ifExists, durability, whenBusy, preserve = true, checksum = false } = this.#options;
    const request: BeginUploadRequest = {
      ...this.#remote,
      fileSize: size,
      sourceId: this.#sourceId,
      ifExists,
      durability,
      whenBusy,
      ...(preserve && { modifiedNs, mode }),
    };
    if (this.#hasAskedToCommit && (ifExists ?? 'replace') !== 'replace') {
      // The file that is there may be this one: the answer got lost.
      const begun = await beginUpload(connection, { ...request, ifExists: 'replace' });
      if (begun?.nothingToDo === 'unchanged') return begun;
    }
    const begun = await beginUpload(connection, request);
    if (!checksum || begun?.nothingToDo !== 'unchanged') return begun;
    if (await this.#isIntact(connection, begun, hash)) return begun;
    return beginUpload(connection, { ...request, sourceId: `${this.#sourceId}-differs` });
  }

  /** Whether the file here, the record of the server and what is on its disk are the same. */
  async #isIntact(connection: Connection, begun: BegunUpload, hash: ChunkHash): Promise<boolean> {
    const verifies = connection.supports(Feature.FileStatus);
    const verification = verifies ? verifyOn(connection, this.#context, this.#remote) : undefined;
    verification?.catch(() => {}); // seen when it is awaited, unless reading fails first
    const digest = await this.#digestOfSource(hash);
    const found = await verification;
    return (
      begun.digest === digest && (found === undefined || (found.state === 'intact' && found.contentDigest === digest))
    );
  }

  #withoutUpload({ nothingToDo, digest }: BegunUpload): UploadOutcome {
    const bytesSent = this.#bytesSent;
    if (nothingToDo !== 'unchanged') {
      return { bytesSent, bytesResumed: 0, ...(nothingToDo && { skipped: nothingToDo }) };
    }
    // Either nothing had to be done, or it was done and the answer got lost.
    const bytesResumed = this.#hasAskedToCommit ? this.#source.size - this.#ownBytes : this.#source.size;
    return {
      bytesSent,
      bytesResumed,
      ...(digest !== undefined && { digest }),
      ...(!this.#hasAskedToCommit && { unchanged: true as const }),
    };
  }

  /** Asks what the server has, of this file or of the one in its place. */
  async #learn(connection: Connection, plan: ChunkPlan, begun: BegunUpload, attempt: Attempt): Promise<void> {
    const { checksum = false, resume } = this.#options;
    if (plan.fileSize <= SMALL_BYTES || (resume === 'never' && attempt.number === 1)) return;
    const trustsAll = begun.source === 'same' && !checksum && this.#source.isIdentified;
    const trusts = (chunk: number, digest: bigint) =>
      trustsAll || (begun.source === 'same' && this.#isOwn[chunk] === 1 && this.#ownDigests[chunk] === digest);
    await askAll(connection, Math.min(plan.chunks, begun.chunks), (first, entries) => {
      plan.learn(first, entries, trusts);
    });
  }

  /** Sends what is missing and commits, until the server has all of it as it was sent. */
  async #commit(connection: Connection, lanes: UploadLanes, plan: ChunkPlan) {
    for (let commits = 1; ; ) {
      await lanes.sendAll();
      if (lanes.takeLost()) {
        await this.#recheck(connection, plan);
        if (!plan.isEmpty) continue;
      }
      await this.#source.requireUnchanged();
      const digest = await contentDigest(plan.digests);
      this.#hasAskedToCommit = true;
      try {
        return await commitUpload(connection, { fileSize: plan.fileSize, digest });
      } catch (error) {
        if (!(error instanceof ClientError) || error.resultCode !== ResultCode.ChunksMissing) throw error;
        this.#hasAskedToCommit = false;
        await this.#recheck(connection, plan);
        if (plan.isEmpty || commits++ === MAX_COMMITS) throw error;
      }
    }
  }

  async #recheck(connection: Connection, plan: ChunkPlan): Promise<void> {
    const known: ChunkEntry[] = Array.from({ length: plan.chunks }, () => NOTHING);
    await askAll(connection, plan.chunks, (first, entries) => known.splice(first, entries.length, ...entries));
    plan.recheck(known);
    this.#report(plan);
  }

  #sending(plan: ChunkPlan, hash: ChunkHash): ChunkSending {
    return {
      source: this.#source,
      plan,
      hash,
      onRead: (chunk, digest) => this.#observer?.onRead(chunk, digest),
      onSettled: (chunk, digest, bytesSent) => {
        this.#bytesSent += bytesSent;
        if (bytesSent > 0) this.#ownDigests[chunk] = digest;
        if (bytesSent > 0 && !this.#isOwn[chunk]) {
          this.#isOwn[chunk] = 1;
          this.#ownBytes += bytesSent;
        }
        this.#observer?.onSettled(chunk, digest);
        this.#report(plan);
      },
    };
  }

  #streams(plan: ChunkPlan): number {
    const { streams = DEFAULT_STREAMS } = this.#options;
    return Math.max(1, Math.min(streams, Math.floor(plan.missingBytes / BYTES_PER_STREAM)));
  }

  async #digestOfSource(hash: ChunkHash): Promise<string> {
    const plan = new ChunkPlan(this.#source.size);
    const reader = this.#source.openChunks(hash);
    for (let chunk = plan.take(); chunk !== undefined; chunk = plan.take()) {
      this.#context.signal.throwIfAborted();
      const { position, bytes } = plan.place(chunk);
      const { digest, release } = await reader.read(position, bytes, false);
      release();
      plan.settle(chunk, digest);
    }
    return digestText(await contentDigest(plan.digests));
  }

  #report(plan: ChunkPlan): void {
    this.#options.onProgress?.({
      bytesDone: plan.settledBytes,
      bytesTotal: plan.fileSize,
      bytesResumed: Math.max(0, plan.settledBytes - this.#ownBytes),
    });
  }
}

/** Asks about all of so many chunks, several rows at once, and hands on what the server says of them; of those it does not speak of, nothing. */
async function askAll(
  connection: Connection,
  chunks: number,
  onEntries: (first: number, entries: readonly ChunkEntry[]) => void,
): Promise<void> {
  let next = 0;
  const askRows = async (): Promise<void> => {
    while (next < chunks) {
      let first = next;
      next = Math.min(chunks, first + CHUNKS_PER_QUESTION);
      for (const end = next; first < end; ) {
        const entries = await uploadChunks(connection, { first, count: end - first });
        if (entries.length === 0) break;
        onEntries(first, entries);
        first += entries.length; // it may have had enough of reading
      }
    }
  };
  await Promise.all(Array.from({ length: QUESTIONS_AT_ONCE }, askRows));
}
