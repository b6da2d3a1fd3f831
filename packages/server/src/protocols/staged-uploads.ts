import { diskTurn, totalBytes } from '@sluice/files';
import {
  type BeginUploadRequest,
  type ChunkEntry,
  ChunkState,
  Command,
  type Durability,
  decodeBeginUploadRequest,
  decodeChunkRangeRequest,
  decodeCommitUploadRequest,
  decodeEndChunkRequest,
  decodePlaceDataRequest,
  decodeUploadIdRequest,
  digestText,
  encodeBegunUpload,
  encodeChunkEntries,
  encodeCommittedUpload,
  type PartialRecord,
  RequestError,
  ResultCode,
  responseText,
  type TransferRecord,
  uploadChunksResponseText,
} from '@sluice/wire';
import { answerFor } from '../answers.js';
import type { HookedFile } from '../hooks/upload-hooks.js';
import type { CommandHandler, Request, Session } from '../protocol.js';
import { type ExistingFile, existingFile } from '../storage/existing-file.js';
import type { HeldDirectory } from '../storage/held-directory.js';
import { parseDirectoryName, parseFileName, pathText } from '../storage/path-name.js';
import { CHUNK_BYTES } from '../storage/staging/chunk-table.js';
import { JoinedUpload } from '../storage/staging/joined-upload.js';
import { publishUpload } from '../storage/staging/publish-upload.js';
import type { KnownChunk, StagedUpload, UploadHolder } from '../storage/staging/staged-upload.js';
import type { StagingArea } from '../storage/staging/staging-area.js';
import { TargetFile } from '../storage/staging/target-file.js';
import type { UploadPlace } from '../storage/staging/upload-place.js';
import { StorageError, storageErrorFrom } from '../storage/storage-error.js';
import { audit } from './permission.js';
import type { SharedFiles } from './shared-files.js';

/** Descriptors of an upload: data, journal, and the file that has the name. */
const FILES_OF_AN_UPLOAD = 3;

/** Times of files are set to the microsecond. */
const TIME_STEP_NS = 1_000n;

/** What is open on a connection. */
interface OpenStaged {
  readonly upload: StagedUpload | JoinedUpload;
  readonly place: UploadPlace;
  /** What the file becomes; `undefined` on a connection that has joined. */
  readonly begin: BeginUploadRequest | undefined;
  readonly descriptors: readonly Disposable[];
}

/** The uploads of one connection that are staged until they are complete. docs/protocol.md, section 17. */
export class StagedUploads implements UploadHolder {
  readonly commands: readonly (readonly [string, CommandHandler])[];
  readonly #session: Session;
  readonly #files: SharedFiles;
  readonly #staging: StagingArea;
  readonly #durability: Durability;
  #open: OpenStaged | undefined;
  /** Where the data of this batch lies: views of the receive buffer, written before the batch ends. */
  #parts: Uint8Array[] = [];
  /** What goes on with the file. */
  #work: Promise<unknown> = Promise.resolve();

  constructor(session: Session, files: SharedFiles, staging: StagingArea, durability: Durability) {
    this.#session = session;
    this.#files = files;
    this.#staging = staging;
    this.#durability = durability;
    const tracked = (handler: (request: Request) => Promise<void>): CommandHandler => {
      return (request) => {
        const work = handler(request);
        this.#work = work;
        return work;
      };
    };
    this.commands = [
      ['beginupload', tracked((request) => this.#begin(request))],
      ['joinupload', tracked((request) => this.#join(request))],
      ['uploadchunks', tracked((request) => this.#chunks(request))],
      ['placedata', (request) => this.#place(request)],
      ['endchunk', (request) => this.#endChunk(request)],
      ['usetarget', tracked((request) => this.#use(request))],
      ['commitupload', tracked((request) => this.#commit(request))],
      ['abortupload', tracked((request) => this.#abort(request))],
      ['listpartials', (request) => this.#list(request)],
      ['droppartial', (request) => this.#drop(request)],
    ];
  }

  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  get transfer(): TransferRecord | undefined {
    if (!this.#open) return undefined;
    const { identity, stagedBytes } = this.#open.upload;
    return {
      direction: 'upload',
      name: identity.name,
      doneBytes: stagedBytes,
      ...(identity.size !== undefined && { totalBytes: identity.size }),
    };
  }

  onData(source: Uint8Array, start: number, end: number): void {
    this.#parts.push(source.subarray(start, end));
  }

  /** Writes what has come. */
  flush(): void | Promise<void> {
    if (this.#parts.length === 0) return;
    const parts = this.#parts;
    this.#parts = [];
    if (this.#session.isClosing) return;
    try {
      const { upload, place } = this.#required();
      const bytes = totalBytes(parts);
      if (bytes > place.room) throw new RequestError(ResultCode.ParameterError, 'Data goes beyond the end of a chunk');
      const hasRoom = upload.identity.size === undefined ? this.#session.principal.quota?.take(bytes) : true;
      if (hasRoom === true || hasRoom === undefined) {
        const pending = place.write(parts);
        if (!pending) return;
        const work = this.#whileHeld(
          bytes,
          pending.catch((error: unknown) => this.#failData(error)),
        );
        this.#work = work;
        return work;
      }
      if (hasRoom === false) throw new StorageError('ERR_QUOTA', 'the quota does not have room for more');
      const copy = [Buffer.concat(parts)];
      const work = this.#whileHeld(
        bytes,
        hasRoom
          .then((isThere) => {
            if (!isThere) throw new StorageError('ERR_QUOTA', 'the quota does not have room for more');
            return place.write(copy);
          })
          .catch((error: unknown) => this.#failData(error)),
      );
      this.#work = work;
      return work;
    } catch (error) {
      this.#failData(error);
    }
  }

  /** The copies of what is written count as long as that goes on. */
  async #whileHeld(bytes: number, work: Promise<void>): Promise<void> {
    using _held = this.#session.memory.hold(bytes);
    await work;
  }

  /** A newer session goes on with the upload: this one's peer is gone, or has lost its way. */
  async takeOver(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    this.#session.log.info('upload taken over', { file: open?.upload.identity.name });
    this.#session.reply(responseText(Command.Data, ResultCode.FileIsInUse, [], 'a newer upload has taken over'));
    this.#session.close('taken-over');
    await this.#work.catch(() => {});
    open?.place.close();
    if (open) this.#letGo(open);
  }

  /** Lets go of what is open: the connection is gone, or does something else. What is finished is kept. */
  async release(): Promise<void> {
    this.#parts = [];
    await this.#work.catch(() => {});
    const open = this.#open;
    if (!open) return;
    this.#open = undefined;
    const { identity, stagedBytes } = open.upload;
    this.#session.log.info('upload broken off', { file: identity.name, bytes: stagedBytes });
    if (open.begin) this.#files.hooks.failed(this.#session, [hookedFile(open.upload)], 'broken off');
    open.place.close();
    try {
      await this.#leave(open.upload);
    } finally {
      this.#letGo(open);
    }
  }

  async #begin({ command, text }: Request): Promise<void> {
    const begin = decodeBeginUploadRequest(text);
    this.#session.requireMayChange();
    const components = parseDirectoryName(begin.dirName);
    const fileName = parseFileName(begin.fileName);
    await this.#releaseOpen();

    const { descriptors } = this.#files;
    await using directory = await descriptors.walk(() => this.#directory(components, begin.makesParents === true));
    const existing = await existingFile(this.#files.digests, directory, fileName);
    const nothingToDo = existing && whyNothingToDo(begin, existing);
    if (nothingToDo === 'unchanged') await this.#makeDurable(begin, directory, fileName);
    if (nothingToDo) {
      const digest = nothingToDo === 'unchanged' ? existing.recorded?.contentDigest : undefined;
      const answer = { uploadId: undefined, stagedBytes: 0, source: 'none', chunks: 0, nothingToDo, digest } as const;
      this.#session.reply(encodeBegunUpload(command, answer));
      return;
    }

    const name = pathText(begin.dirName, fileName);
    await this.#files.hooks.before(this.#session, [
      { name, ...(begin.fileSize !== undefined && { size: begin.fileSize }) },
    ]);
    const places = takeDescriptors(this.#files);
    try {
      const { principal, gone } = this.#session;
      const upload = await this.#staging.begin(
        {
          user: principal.userName ?? '',
          name,
          size: begin.fileSize,
          sourceId: begin.sourceId,
          waits: begin.whenBusy !== 'refuse',
          durable: this.#isDurable(begin),
          quota: principal.quota,
        },
        directory,
        fileName,
        this,
        () => openTarget(directory, fileName, existing, begin),
        gone,
      );
      await this.#opened(command, upload, begin, places);
    } catch (error) {
      for (const place of places) if (this.#open?.descriptors !== places) place[Symbol.dispose]();
      const isBusy = error instanceof StorageError && error.code === 'ERR_IN_USE';
      throw isBusy ? new RequestError(ResultCode.Busy, error.message, { cause: error }) : error;
    }
  }

  async #join({ command, text }: Request): Promise<void> {
    const id = decodeUploadIdRequest(text);
    this.#session.requireMayChange();
    await this.#releaseOpen();
    const user = this.#session.principal.userName ?? '';
    const here = this.#staging.find(id, user);
    if (here) this.#staging.join(here, this);
    const upload = here ?? (await this.#staging.joinElsewhere(id, user, this));
    if (!upload) throw new RequestError(ResultCode.NotOpenFile, 'no such upload goes on');
    this.#session.log.debug('an upload was joined', { file: upload.identity.name, elsewhere: here === undefined });
    await this.#opened(command, upload, undefined, []);
  }

  /** Begins to work on the upload, unless the peer has gone meanwhile. */
  async #opened(
    command: string,
    upload: StagedUpload | JoinedUpload,
    begin: BeginUploadRequest | undefined,
    descriptors: readonly Disposable[],
  ): Promise<void> {
    const place = await upload.openPlace();
    if (!upload.holders.has(this)) throw new StorageError('ERR_IN_USE', 'a newer upload has taken over');
    this.#open = { upload, place, begin, descriptors };
    this.#session.memory.isFeeding = true;
    if (this.#session.gone.aborted) return; // `release` follows
    const { identity, stagedBytes } = upload;
    if (begin) this.#session.log.info('upload begins', { file: identity.name, from: stagedBytes, size: identity.size });
    this.#session.reply(
      encodeBegunUpload(command, {
        uploadId: upload.id,
        stagedBytes,
        source: upload.found,
        chunks: upload.knownChunks,
      }),
    );
  }

  async #chunks({ command, text }: Request): Promise<void> {
    const { first, count } = decodeChunkRangeRequest(text);
    await this.flush();
    const { upload } = this.#required();
    const known = await upload.known(first, count, this.#session.gone);
    this.#session.reply(uploadChunksResponseText(command, known.length), encodeChunkEntries(known.map(entryOf)));
  }

  /** Not answered, unless it fails: then the connection ends, because what follows would go to the wrong place. */
  #place({ text }: Request): void | Promise<void> {
    return this.#inOrder(() => {
      const position = decodePlaceDataRequest(text);
      if (position % CHUNK_BYTES !== 0) {
        throw new RequestError(ResultCode.ParameterError, 'Position is not where a chunk begins');
      }
      const { upload, place } = this.#required();
      const { size } = upload.identity;
      if (size !== undefined && position >= size) {
        throw new RequestError(ResultCode.ParameterError, 'Position is behind the end of the file');
      }
      place.moveTo(position);
    });
  }

  #endChunk({ text }: Request): void | Promise<void> {
    return this.#inOrder(() => {
      const digest = decodeEndChunkRequest(text);
      const { place } = this.#required();
      if (!place.isAtChunkEnd) throw new RequestError(ResultCode.ParameterError, 'the chunk is not complete');
      return place.endChunk(digest);
    });
  }

  /** Does something after the data that came before it, in the same tick if it can. */
  #inOrder(action: () => void | Promise<void>): void | Promise<void> {
    const act = (): void | Promise<void> => {
      if (this.#session.isClosing) return;
      try {
        return action()?.catch((error: unknown) => this.#failData(error));
      } catch (error) {
        this.#failData(error);
      }
    };
    const pending = this.flush();
    if (pending) return pending.then(act);
    return act();
  }

  async #use({ text }: Request): Promise<void> {
    await this.flush();
    if (this.#session.isClosing) return;
    try {
      const { first, count } = decodeChunkRangeRequest(text);
      await this.#required().upload.use(first, count, this.#session.gone);
    } catch (error) {
      if (!this.#session.gone.aborted) this.#failData(error);
    }
  }

  async #commit({ command, text }: Request): Promise<void> {
    await this.flush();
    if (this.#session.isClosing) return;
    const { fileSize, digest } = decodeCommitUploadRequest(text);
    const open = this.#required();
    const { upload, begin } = open;
    if (!begin || upload instanceof JoinedUpload)
      throw new RequestError(ResultCode.ParameterError, 'the connection that began the upload commits it');
    const { size } = upload.identity;
    if (size !== undefined && size !== fileSize) {
      throw new RequestError(ResultCode.FileSizeError, `the upload was begun with ${size} bytes`);
    }
    upload.seal();
    try {
      const missing = await upload.missingChunks(fileSize, digest, this.#session.gone);
      if (missing > 0) throw new RequestError(ResultCode.ChunksMissing, `${missing} chunks are missing or damaged`);
      await this.#publish(upload, begin, fileSize, digestText(digest));
    } catch (error) {
      upload.unseal();
      throw error;
    }
    this.#open = undefined;
    this.#letGo(open);
    const durability = this.#isDurable(begin) ? 'durable' : 'memory';
    this.#session.log.info('upload complete', { file: upload.identity.name, bytes: fileSize, durability });
    const file = { name: upload.identity.name, size: fileSize, digest: digestText(digest) };
    this.#files.hooks.committed(this.#session, [file], durability);
    this.#session.reply(encodeCommittedUpload(command, { durability, digest: digestText(digest) }));
    this.#session.settled();
  }

  /** Gives the complete file its name, and ends the upload. */
  async #publish(upload: StagedUpload, begin: BeginUploadRequest, size: number, digest: string): Promise<void> {
    const components = parseDirectoryName(begin.dirName);
    await publishUpload(this.#files, this.#session.principal, upload, {
      openDirectory: () => this.#session.principal.tree.resolve(components),
      fileName: begin.fileName,
      size,
      digest,
      modifiedNs: begin.modifiedNs,
      mode: begin.mode,
      durable: this.#isDurable(begin),
      mayReplace: begin.ifExists !== 'fail',
    });
  }

  async #abort({ command }: Request): Promise<void> {
    await this.flush();
    const open = this.#required();
    open.place.close();
    if (open.upload instanceof JoinedUpload) await open.upload.drop();
    else open.upload.seal(); // nobody writes
    this.#open = undefined;
    if (!(open.upload instanceof JoinedUpload)) await this.#staging.drop(open.upload);
    this.#letGo(open);
    this.#session.log.info('upload given up', { file: open.upload.identity.name });
    this.#files.hooks.failed(this.#session, [hookedFile(open.upload)], 'given up');
    this.#session.reply(responseText(command, ResultCode.Success));
    this.#session.settled();
  }

  /** An admin sees all, others their own. */
  async #list({ command }: Request): Promise<void> {
    const { role, userName } = this.#session.principal;
    const records = (await this.#staging.list(role === 'admin' ? undefined : (userName ?? ''))).map(
      (info): PartialRecord => ({
        id: info.id,
        name: info.name,
        user: info.user,
        ...(info.size !== undefined && { size: info.size }),
        stagedBytes: info.stagedBytes,
        createdAt: new Date(info.createdAtMs).toISOString(),
        changedAt: new Date(info.changedAtMs).toISOString(),
        isHeld: info.isHeld,
      }),
    );
    this.#session.reply(responseText(command, ResultCode.Success), Buffer.from(JSON.stringify(records)));
  }

  async #drop({ command, text }: Request): Promise<void> {
    const id = decodeUploadIdRequest(text);
    this.#session.requireMayChange();
    const { role, userName } = this.#session.principal;
    const dropped = await this.#staging.dropParked(id, role === 'admin' ? undefined : (userName ?? ''));
    if (!dropped) throw new RequestError(ResultCode.FileNotExist, 'no such partial, or somebody is at it');
    const what = { upload: id, file: dropped.name, bytes: dropped.stagedBytes };
    if (dropped.user === userName) this.#session.log.info('a partial was dropped', what);
    else audit(this.#session, 'drop-partial', { ...what, of: dropped.user });
    this.#session.reply(responseText(command, ResultCode.Success));
  }

  async #directory(components: readonly string[], isMade: boolean): Promise<HeldDirectory> {
    const { tree } = this.#session.principal;
    try {
      return await tree.resolve(components);
    } catch (error) {
      const isMissing = error instanceof StorageError && error.code === 'ERR_DIRECTORY_NOT_FOUND';
      if (!isMissing || !isMade) throw error;
      await tree.createDirectory([], components);
      return await tree.resolve(components);
    }
  }

  /** What was there before may not have reached the disk: its client has not heard the answer. */
  async #makeDurable(begin: BeginUploadRequest, directory: HeldDirectory, fileName: string): Promise<void> {
    if (!this.#isDurable(begin)) return;
    const { handle } = await directory.openFile(fileName, 'read');
    try {
      await diskTurn(() => handle.sync());
    } catch (error) {
      throw storageErrorFrom(error, 'file');
    } finally {
      await handle.close();
    }
    await directory.sync();
  }

  #isDurable(begin: BeginUploadRequest): boolean {
    return this.#durability === 'durable' && begin.durability !== 'memory';
  }

  async #releaseOpen(): Promise<void> {
    await this.flush();
    const open = this.#open;
    if (!open) return;
    this.#open = undefined;
    open.place.close();
    await this.#leave(open.upload);
    this.#letGo(open);
  }

  #leave(upload: StagedUpload | JoinedUpload): Promise<void> {
    return upload instanceof JoinedUpload ? this.#staging.leaveElsewhere(upload) : this.#staging.leave(upload, this);
  }

  #letGo({ descriptors }: OpenStaged): void {
    for (const place of descriptors) place[Symbol.dispose]();
  }

  #required(): OpenStaged {
    if (!this.#open) throw new RequestError(ResultCode.NotOpenFile);
    return this.#open;
  }

  /** What is not answered by itself has failed. The client hears why, and the connection ends. */
  #failData(error: unknown): void {
    const isOurs = error instanceof RequestError || error instanceof StorageError;
    const { code, message, isExpected } = answerFor(isOurs ? error : storageErrorFrom(error, 'file'));
    const file = this.#open?.upload.identity.name;
    if (isExpected) this.#session.log.info('upload refused', { file, code, detail: message });
    else this.#session.log.error('writing an upload failed', { file, detail: String(error) });
    this.#session.reply(responseText(Command.Data, code, [], message));
    this.#session.close('write-failed');
  }
}

/** @throws {StorageError} `ERR_EXISTS` */
function whyNothingToDo(
  begin: BeginUploadRequest,
  existing: ExistingFile,
): 'unchanged' | 'exists' | 'newer' | undefined {
  if (begin.ifExists === 'fail') throw new StorageError('ERR_EXISTS', 'a file of this name exists');
  if (begin.ifExists === 'skip') return 'exists';
  const { modifiedNs } = begin;
  if (begin.ifExists === 'newer' && modifiedNs !== undefined && existing.modifiedNs + TIME_STEP_NS >= modifiedNs) {
    return 'newer';
  }
  const { recorded } = existing;
  const isSame = begin.sourceId !== undefined && recorded?.sourceId === begin.sourceId;
  return isSame && (begin.fileSize === undefined || begin.fileSize === existing.size) ? 'unchanged' : undefined;
}

function hookedFile({ identity: { name, size } }: Pick<StagedUpload, 'identity'>): HookedFile {
  return { name, ...(size !== undefined && { size }) };
}

async function openTarget(
  directory: HeldDirectory,
  fileName: string,
  existing: ExistingFile | undefined,
  begin: BeginUploadRequest,
): Promise<TargetFile | undefined> {
  if (!existing || existing.size === 0 || begin.fileSize === undefined) return undefined;
  const { handle, size } = await directory.openFile(fileName, 'read');
  return new TargetFile(handle, size, size === existing.size ? existing.recorded?.chunkDigests : undefined);
}

/** @throws {StorageError} `ERR_TOO_MANY_FILES` */
function takeDescriptors({ descriptors }: SharedFiles): readonly Disposable[] {
  const taken: Disposable[] = [];
  try {
    for (let count = 0; count < FILES_OF_AN_UPLOAD; count += 1) taken.push(descriptors.openFile());
    return taken;
  } catch (error) {
    for (const place of taken) place[Symbol.dispose]();
    throw error;
  }
}

function entryOf({ state, digest }: KnownChunk): ChunkEntry {
  const states = { missing: ChunkState.Missing, staged: ChunkState.Staged, found: ChunkState.InTarget };
  return { state: states[state], digest };
}
