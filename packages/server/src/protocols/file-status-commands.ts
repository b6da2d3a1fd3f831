import type { BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { contentDigestOf, digestChunks } from '@sluice/files';
import {
  DIGEST_BYTES,
  DIGEST_CHUNK_BYTES,
  decodeStatFileRequest,
  decodeVerifyFileRequest,
  encodeStatFileResponse,
  encodeVerifiedChunks,
  encodeVerifyFileResponse,
  type RecordState,
  RequestError,
  ResultCode,
  type VerifiedChunk,
  type VerifyFileRequest,
} from '@sluice/wire';
import type { CommandHandler, Request, Session } from '../protocol.js';
import { fileVersionOf, isVersion, type RecordedDigest } from '../storage/content-digests.js';
import type { HeldDirectory } from '../storage/held-directory.js';
import { parseDirectoryName, parseFileName } from '../storage/path-name.js';
import { settledStats, versionToken } from '../storage/version-token.js';
import { fileNotFound } from './file-not-found.js';
import type { SharedFiles } from './shared-files.js';

/** What is known so far of a file without a record, while its client has it verified from the beginning on. */
interface GrowingDigest {
  /** Directory, name and version. */
  readonly key: string;
  readonly digests: Buffer[];
}

/** StatFile and VerifyFile. docs/protocol.md, section 17. */
export function fileStatusCommands(session: Session, files: SharedFiles): [string, CommandHandler][] {
  const status = new FileStatus(session, files);
  return [
    ['statfile', (request) => status.stat(request)],
    ['verifyfile', (request) => status.verify(request)],
  ];
}

/** Of one connection. */
class FileStatus {
  readonly #session: Session;
  readonly #files: SharedFiles;
  #growing: GrowingDigest | undefined;

  constructor(session: Session, files: SharedFiles) {
    this.#session = session;
    this.#files = files;
  }

  async stat({ command, text }: Request): Promise<void> {
    const { dirName, fileName } = decodeStatFileRequest(text);
    const directoryName = parseDirectoryName(dirName);
    if (fileName !== undefined) parseFileName(fileName);
    await using directory = await fileNotFound(this.#resolve(directoryName));
    const stats = await directory.status(fileName);
    const recorded =
      fileName !== undefined && stats.isFile()
        ? (await this.#files.digests.summariesOf(directory.key)).get(fileName)
        : undefined;
    this.#session.reply(
      encodeStatFileResponse(command, {
        kind: stats.isFile() ? 'file' : stats.isDirectory() ? 'directory' : 'other',
        size: stats.isFile() ? stats.size : 0,
        modifiedNs: stats.mtimeNs,
        mode: Number(stats.mode & 0o777n),
        version: stats.isFile() ? versionToken(stats) : undefined,
        contentDigest: recorded && isVersion(recorded, fileVersionOf(stats)) ? recorded.contentDigest : undefined,
      }),
    );
  }

  async verify({ command, text }: Request): Promise<void> {
    const request = decodeVerifyFileRequest(text);
    const directoryName = parseDirectoryName(request.dirName);
    parseFileName(request.fileName);
    const { gone } = this.#session;
    await using directory = await fileNotFound(this.#resolve(directoryName));
    const { openFiles } = this.#files;
    const key = directory.entryKey(request.fileName);
    await openFiles.knownElsewhere(key);
    const claim = openFiles.claimForReading(key);
    try {
      using _place = this.#files.descriptors.openFile();
      const { handle } = await directory.openFile(request.fileName, 'read');
      await using file = handle;
      const stats = await settledStats(file, gone);
      if (request.version !== undefined && request.version !== versionToken(stats))
        throw new RequestError(ResultCode.FileChanged);
      const record = await this.#files.digests.lastOf(directory.key, request.fileName);
      const state = stateOf(record, stats);
      const chunks = await this.#files.verifications.pass(
        () => this.#readChunks(file, request, stats, state === 'recorded' ? record?.chunkDigests : undefined),
        gone,
      );
      await this.#requireSame(file, stats);
      if (state !== 'recorded') await this.#remember(directory, request, stats, chunks ?? []);
      this.#session.reply(
        encodeVerifyFileResponse(command, {
          size: stats.size,
          version: versionToken(stats),
          state,
          chunks: chunks ?? [],
        }),
        encodeVerifiedChunks(chunks ?? []),
      );
    } finally {
      claim.release();
    }
  }

  #resolve(directoryName: readonly string[]): Promise<HeldDirectory> {
    const { tree } = this.#session.principal;
    return this.#files.descriptors.walk(() => tree.resolve(directoryName));
  }

  /** As many chunks of the range as there is time for; one at least. */
  async #readChunks(
    file: FileHandle,
    { position = 0, count }: VerifyFileRequest,
    { size }: BigIntStats,
    recorded: Uint8Array | undefined,
  ): Promise<VerifiedChunk[]> {
    const end = Math.min(Number(size), position + count);
    const endMs = performance.now() + this.#files.verifications.maxWorkMs;
    const chunks: VerifiedChunk[] = [];
    for (let at = position; at < end; at += DIGEST_CHUNK_BYTES) {
      if (chunks.length > 0 && performance.now() >= endMs) break;
      // A whole chunk, also where the range ends within it: a record has no digest of a part.
      const digest = await digestChunks(file, {
        position: at,
        count: DIGEST_CHUNK_BYTES,
        chunkBytes: DIGEST_CHUNK_BYTES,
        signal: this.#session.gone,
      });
      if (digest.length !== DIGEST_BYTES) throw new RequestError(ResultCode.FileChanged); // it has become shorter
      const first = (at / DIGEST_CHUNK_BYTES) * DIGEST_BYTES;
      const expected = recorded?.subarray(first, first + DIGEST_BYTES);
      chunks.push({ digest, isDamaged: expected !== undefined && !equalBytes(expected, digest) });
    }
    return chunks;
  }

  async #requireSame(file: FileHandle, before: BigIntStats): Promise<void> {
    if (versionToken(await file.stat({ bigint: true })) !== versionToken(before))
      throw new RequestError(ResultCode.FileChanged);
  }

  /** Records what a file without a record is, when its client has had all of it read, in order. */
  async #remember(
    directory: HeldDirectory,
    { fileName, position = 0 }: VerifyFileRequest,
    stats: BigIntStats,
    chunks: readonly VerifiedChunk[],
  ): Promise<void> {
    const key = `${directory.entryKey(fileName)}\0${versionToken(stats)}`;
    if (position === 0) this.#growing = { key, digests: [] };
    const growing = this.#growing;
    if (growing?.key !== key || growing.digests.length !== position / DIGEST_CHUNK_BYTES) return;
    for (const { digest } of chunks) growing.digests.push(Buffer.from(digest));
    if (growing.digests.length < Math.ceil(Number(stats.size) / DIGEST_CHUNK_BYTES)) return;
    this.#growing = undefined;
    const chunkDigests = Buffer.concat(growing.digests);
    const contentDigest = contentDigestOf(chunkDigests);
    const digest = { ...fileVersionOf(stats), chunkDigests, contentDigest, sourceId: undefined };
    await this.#files.digests.record(directory, [{ name: fileName, digest }], false);
  }
}

function stateOf(record: RecordedDigest | undefined, stats: BigIntStats): RecordState {
  if (!record) return 'unrecorded';
  return isVersion(record, fileVersionOf(stats)) ? 'recorded' : 'changed';
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
