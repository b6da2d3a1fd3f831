import { ChunkHash } from '@sluice/files/digests';
import {
  Command,
  DIGEST_BYTES,
  DIGEST_CHUNK_BYTES,
  decodeVerifyFileResponse,
  digestText,
  encodeVerifyFileRequest,
  Feature,
  ProtocolFlag,
  type RecordState,
  ResultCode,
  type VerifyFileAnswer,
} from '@sluice/wire';
import type { Connection } from './connection.js';
import { ClientError } from './errors.js';
import { joined } from './read-ahead.js';
import type { RemotePath } from './remote-path.js';
import { withRetries } from './retry.js';
import type { CallOptions, Progress } from './transfer.js';
import type { TransferContext } from './transfer-context.js';

/** Bytes that are asked for at once: the server answers with what it has read in a few seconds, if that is less. */
const RANGE_BYTES = 1 << 30;

/** Answers in a row in which the server has read nothing, after which it is not believed to do so ever. It waits some seconds before each. */
const MAX_VAIN_ANSWERS = 1000;

/** Options of a verification of what is on the server alone. */
export interface VerifyProgressOptions extends CallOptions {
  /** Called whenever the server has read a part of the file. */
  readonly onProgress?: (progress: Progress) => void;
}

/** Options of a verification. */
export interface VerifyOptions extends VerifyProgressOptions {
  /** Path of a file here that should be the same. @default none */
  readonly local?: string;
}

/** A file here, by its chunks. */
export interface DigestedFile {
  readonly bytes: number;
  /** Of its chunks, 8 bytes each, big-endian. */
  readonly digests: Uint8Array;
}

/** What was found out about a file on the server. */
export interface VerifyResult {
  /** Size of the file on the server. */
  readonly bytes: number;
  /**
   * - `intact`: it is what the server has recorded of it
   * - `damaged`: it is not, although nobody has changed it: `damagedChunks`
   * - `unrecorded`: nothing was recorded of it; now it is, so the next verification will tell
   * - `changed`: somebody has changed it since it was recorded; now it is recorded as it is
   */
  readonly state: 'intact' | 'damaged' | 'unrecorded' | 'changed';
  /** Of what is on the server's disk, 16 hexadecimal digits. docs/protocol.md, section 17.12. */
  readonly contentDigest: string;
  /** Bytes of a chunk; the last one may be shorter. */
  readonly chunkBytes: number;
  /** Numbers of the chunks that are damaged, from 0 on. */
  readonly damagedChunks: readonly number[];
  /** How the file here compares, if one was named. */
  readonly local?: LocalComparison;
}

/** A file here beside the one on the server. */
export interface LocalComparison {
  /** Size of the file here. */
  readonly bytes: number;
  readonly isEqual: boolean;
  /** Numbers of the chunks that differ, or that only one of the two has. */
  readonly differentChunks: readonly number[];
}

/**
 * Has the server read a file and compare it with its record; what is here is read at the same time.
 *
 * @throws {ClientError} `ERR_UNSUPPORTED`, `ERR_SOURCE_CHANGED`, `ERR_LOCAL_FILE`, `ERR_REMOTE` and others
 */
export async function verifyFile(
  context: TransferContext,
  path: RemotePath,
  options: VerifyProgressOptions,
  digestLocal?: (signal: AbortSignal) => Promise<DigestedFile>,
): Promise<VerifyResult> {
  const remote = new RemoteVerification(context, path, options);
  if (!digestLocal) return await remote.run();
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const local = digestLocal(signal);
  local.catch(() => {}); // seen when it is awaited, unless the server fails first
  try {
    const [result, { bytes, digests }] = await Promise.all([remote.run(), local]);
    const differentChunks = differences(remote.digests, digests);
    return {
      ...result,
      local: { bytes, isEqual: bytes === result.bytes && differentChunks.length === 0, differentChunks },
    };
  } finally {
    stop.abort();
    await local.catch(() => {});
  }
}

/** As `verifyFile`, of what is on the server alone, on a connection of the caller and without retries. */
export function verifyOn(connection: Connection, context: TransferContext, path: RemotePath): Promise<VerifyResult> {
  return new RemoteVerification(context, path, {}).runOn(connection);
}

/** One verification, over as many connections as it takes. */
class RemoteVerification {
  readonly #context: TransferContext;
  readonly #path: RemotePath;
  readonly #options: VerifyProgressOptions;
  readonly #digests: Uint8Array[] = [];
  readonly #damagedChunks: number[] = [];
  #state: RecordState | undefined;
  #version: string | undefined;
  #size = 0;

  constructor(context: TransferContext, path: RemotePath, options: VerifyProgressOptions) {
    this.#context = context;
    this.#path = path;
    this.#options = options;
  }

  /** Of the chunks on the server. */
  get digests(): Uint8Array {
    return joined(this.#digests, this.#digests.length * DIGEST_BYTES);
  }

  async run(): Promise<VerifyResult> {
    const { pool, options, signal } = this.#context;
    await withRetries(options, signal, ({ progressed }) =>
      pool.use(ProtocolFlag.Upload, signal, (connection) => this.#ask(connection, progressed)),
    );
    return this.#result();
  }

  async runOn(connection: Connection): Promise<VerifyResult> {
    await this.#ask(connection, () => {});
    return this.#result();
  }

  async #result(): Promise<VerifyResult> {
    const hash = await ChunkHash.create();
    hash.update(this.digests);
    const isDamaged = this.#damagedChunks.length > 0;
    return {
      bytes: this.#size,
      state: isDamaged ? 'damaged' : this.#state === 'recorded' ? 'intact' : (this.#state ?? 'unrecorded'),
      contentDigest: digestText(hash.end()),
      chunkBytes: DIGEST_CHUNK_BYTES,
      damagedChunks: this.#damagedChunks,
    };
  }

  async #ask(connection: Connection, progressed: () => void): Promise<void> {
    if (!connection.supports(Feature.FileStatus))
      throw new ClientError('ERR_UNSUPPORTED', 'the server cannot verify files');
    let vainAnswers = 0;
    do {
      const position = this.#digests.length * DIGEST_CHUNK_BYTES;
      const answer = await this.#askRange(connection, position);
      this.#take(answer);
      vainAnswers = answer.chunks.length > 0 ? 0 : vainAnswers + 1;
      if (answer.chunks.length > 0) progressed();
      if (vainAnswers > MAX_VAIN_ANSWERS) throw new ClientError('ERR_PROTOCOL', 'the server reads nothing of the file');
      this.#tellProgress();
    } while (this.#digests.length < Math.ceil(this.#size / DIGEST_CHUNK_BYTES));
  }

  async #askRange(connection: Connection, position: number): Promise<VerifyFileAnswer> {
    const version = this.#version;
    const request = { ...this.#path, position, count: RANGE_BYTES, ...(version !== undefined && { version }) };
    try {
      const { response, data } = await connection.request(Command.VerifyFile, encodeVerifyFileRequest(request));
      return decodeVerifyFileResponse(response, data);
    } catch (error) {
      if (!(error instanceof ClientError) || error.resultCode !== ResultCode.FileChanged) throw error;
      throw new ClientError('ERR_SOURCE_CHANGED', 'the file changed while it was being verified', { cause: error });
    }
  }

  #take({ size, version, state, chunks }: VerifyFileAnswer): void {
    this.#version ??= version;
    this.#state ??= state;
    this.#size = Number(size);
    const missing = Math.ceil(this.#size / DIGEST_CHUNK_BYTES) - this.#digests.length;
    if (version !== this.#version || chunks.length > missing)
      throw new ClientError('ERR_PROTOCOL', 'the server has verified what it was not asked for');
    for (const { digest, isDamaged } of chunks) {
      if (isDamaged) this.#damagedChunks.push(this.#digests.length);
      this.#digests.push(digest);
    }
  }

  #tellProgress(): void {
    const bytesDone = Math.min(this.#size, this.#digests.length * DIGEST_CHUNK_BYTES);
    this.#options.onProgress?.({ bytesDone, bytesTotal: this.#size, bytesResumed: 0 });
  }
}

/** Numbers of the digests that differ, or that only one side has. */
function differences(a: Uint8Array, b: Uint8Array): number[] {
  const numbers: number[] = [];
  for (let at = 0; at < Math.max(a.length, b.length); at += DIGEST_BYTES) {
    let isEqual = true;
    for (let i = at; i < at + DIGEST_BYTES; i++) isEqual &&= a[i] === b[i];
    if (!isEqual) numbers.push(at / DIGEST_BYTES);
  }
  return numbers;
}
