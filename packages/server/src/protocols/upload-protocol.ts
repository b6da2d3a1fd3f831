import type { FileHandle } from 'node:fs/promises';
import { FileWriter, paceOfDevice, totalBytes } from '@sluice/files';
import {
  Command,
  type Durability,
  decodeDigestRequest,
  decodeEofRequest,
  decodeUploadRequest,
  encodeEofResponse,
  encodeUploadResponse,
  Feature,
  Key,
  ProtocolFlag,
  RequestError,
  ResultCode,
  responseText,
  type TransferRecord,
  type UploadRequest,
} from '@sluice/wire';
import { answerFor } from '../answers.js';
import type { CommandHandler, PacketProtocol, ProtocolHandler, Request, Session } from '../protocol.js';
import type { OpenedFile } from '../storage/held-directory.js';
import type { WriteClaim, WriteHolder } from '../storage/open-files.js';
import { parseDirectoryName, parseFileName, pathText } from '../storage/path-name.js';
import { storageErrorFrom } from '../storage/storage-error.js';
import { answerDigest } from './digest-command.js';
import { changingCommands, listingCommands } from './directory-commands.js';
import { fileStatusCommands } from './file-status-commands.js';
import { putFiles } from './put-files.js';
import { quotaExceeded } from './quota-exceeded.js';
import type { SharedFiles } from './shared-files.js';
import { StagedUploads } from './staged-uploads.js';
import { treeCommands } from './tree-commands.js';

/** The Upload protocol. Specification 6; the extensions: docs/protocol.md. */
export function uploadProtocol(files: SharedFiles, durability: Durability): PacketProtocol {
  return {
    kind: 'packets',
    name: 'Upload',
    flag: ProtocolFlag.Upload,
    needsLogin: true,
    features: [
      Feature.VerifiedResume,
      Feature.Durability,
      Feature.Staging,
      Feature.Batch,
      Feature.FileStatus,
      Feature.Trees,
      Feature.Rename,
    ],
    open: (session) => new UploadHandler(session, files, durability),
  };
}

/** The file that an upload writes in place. */
interface OpenUpload {
  readonly dirName: string;
  readonly fileName: string;
  readonly claim: WriteClaim;
  readonly place: Disposable;
  readonly handle: FileHandle;
  readonly writer: FileWriter;
}

class UploadHandler implements ProtocolHandler, WriteHolder {
  readonly kind = 'upload';
  readonly commands: ReadonlyMap<string, CommandHandler>;
  readonly takesData = new Set(['putfiles']);
  readonly isSending = false;
  readonly #session: Session;
  readonly #files: SharedFiles;
  readonly #durability: Durability;
  readonly #staged: StagedUploads;
  #open: OpenUpload | undefined;
  /** Where the data of this batch lies: views of the receive buffer, written before the batch ends. */
  #parts: Uint8Array[] = [];
  #isStoringFiles = false;
  /** What goes on with the file; it must end before the file is closed. */
  #work: Promise<unknown> = Promise.resolve();

  constructor(session: Session, files: SharedFiles, durability: Durability) {
    this.#session = session;
    this.#files = files;
    this.#durability = durability;
    this.#staged = new StagedUploads(session, files, files.staging, durability);
    this.commands = new Map<string, CommandHandler>([
      ...listingCommands(session, files),
      ...fileStatusCommands(session, files),
      ...treeCommands(session, files),
      ...changingCommands(session, files),
      ['upload', (request) => this.#track(this.#upload(request))],
      ['eof', (request) => this.#track(this.#eof(request))],
      ['digest', (request) => this.#track(this.#digest(request))],
      ...this.#staged.commands.map(([name, handler]): [string, CommandHandler] => [name, this.#ifExtended(handler)]),
      ['putfiles', (request) => this.#track(this.#putFiles(request))],
    ]);
  }

  get isBusy(): boolean {
    return this.#open !== undefined || this.#staged.isOpen || this.#isStoringFiles;
  }

  get transfer(): TransferRecord | undefined {
    if (!this.#open) return this.#staged.transfer;
    const { dirName, fileName, writer } = this.#open;
    return { direction: 'upload', name: pathText(dirName, fileName), doneBytes: writer.position };
  }

  onData(source: Uint8Array, start: number, end: number): void {
    if (this.#open) this.#parts.push(source.subarray(start, end));
    else if (this.#staged.isOpen) this.#staged.onData(source, start, end);
    else if (!this.#session.isClosing) {
      this.#session.reply(responseText(Command.Data, ResultCode.NotOpenFile));
      this.#session.close('data-without-upload');
    }
  }

  onBatchEnd(): void | Promise<void> {
    if (this.#parts.length === 0) return this.#staged.flush();
    const parts = this.#parts;
    this.#parts = [];
    const bytes = totalBytes(parts);
    const hasRoom = this.#session.principal.quota?.take(bytes) ?? true;
    if (typeof hasRoom !== 'boolean') {
      return this.#track(this.#whileHeld(bytes, this.#writeIfRoom(hasRoom, Buffer.concat(parts))));
    }
    try {
      if (!hasRoom) throw quotaExceeded();
      const pending = this.#open?.writer.write(parts);
      if (pending) {
        const work = pending.catch((error: unknown) => this.#failWrite(error));
        return this.#track(this.#whileHeld(bytes, work));
      }
    } catch (error) {
      this.#failWrite(error);
    }
  }

  /** The copies of what is written count as long as that goes on. */
  async #whileHeld(bytes: number, work: Promise<void>): Promise<void> {
    using _held = this.#session.memory.hold(bytes);
    await work;
  }

  /** @param bytes a copy: the receive buffer is used again meanwhile */
  async #writeIfRoom(hasRoom: Promise<boolean>, bytes: Uint8Array): Promise<void> {
    try {
      if (!(await hasRoom)) throw quotaExceeded();
      await this.#open?.writer.write([bytes]);
    } catch (error) {
      this.#failWrite(error);
    }
  }

  /** A newer upload of the same file: this one's peer is gone, or has lost its way. Specification 6.2. */
  async takeOver(): Promise<void> {
    this.#session.log.info('upload taken over', { file: this.#open?.fileName });
    this.#session.destroy('taken-over');
    await this.onClosed();
  }

  async onClosed(): Promise<void> {
    await this.#work.catch(() => {});
    await this.#staged.release();
    if (this.#open) {
      const { dirName, fileName, writer } = this.#open;
      this.#session.log.info('upload broken off', { file: fileName, bytes: writer.position });
      const file = { name: pathText(dirName, fileName), size: writer.position };
      this.#files.hooks.failed(this.#session, [file], 'broken off');
    }
    await this.#release();
  }

  async #upload(request: Request): Promise<void> {
    await this.onBatchEnd();
    const upload = decodeUploadRequest(request.text);
    this.#session.requireMayChange();
    if ((await this.#session.principal.quota?.take(0)) === false) throw quotaExceeded();
    const directoryName = parseDirectoryName(upload.dirName);
    const fileName = parseFileName(upload.fileName);
    await this.#release();

    const { openFiles, descriptors, hooks } = this.#files;
    await hooks.before(this.#session, [{ name: pathText(upload.dirName, fileName) }]);
    const { tree } = this.#session.principal;
    let place: Disposable | undefined = descriptors.openFile();
    let claim: WriteClaim | undefined;
    let opened: OpenedFile | undefined;
    try {
      await using directory = await descriptors.walk(() => tree.resolve(directoryName));
      claim = openFiles.claimForWriting(directory.entryKey(fileName), this);
      await claim.ready;
      opened = await directory.openFile(fileName, 'append');
      const position = await keepBytes(opened, upload);
      // Before a byte comes, and also for a file that was there: its name may not be on the disk yet.
      if (this.#durability === 'durable') await directory.sync();
      if (this.#session.gone.aborted) return;
      const writer = new FileWriter(opened.handle, position, paceOfDevice(opened.device));
      this.#session.memory.isFeeding = true;
      this.#open = { dirName: upload.dirName, fileName, claim, place, handle: opened.handle, writer };
      opened = undefined;
      claim = undefined;
      place = undefined;
      this.#session.log.info('upload begins', { directory: upload.dirName, file: fileName, from: position });
      this.#session.reply(encodeUploadResponse(request.command, position));
    } finally {
      try {
        await opened?.handle.close();
      } finally {
        claim?.release();
        place?.[Symbol.dispose]();
      }
    }
  }

  async #eof(request: Request): Promise<void> {
    await this.onBatchEnd();
    if (this.#session.isClosing) return; // the last bytes could not be written, and the peer has been told
    const expected = decodeEofRequest(request.text);
    const open = this.#required();
    if (expected !== undefined && expected !== BigInt(open.writer.position)) {
      throw new RequestError(ResultCode.FileSizeError, `the server has ${open.writer.position} bytes`);
    }
    if (this.#durability === 'durable') {
      try {
        await open.writer.sync();
      } catch (error) {
        throw storageErrorFrom(error, 'file');
      }
    }
    await this.#release();
    this.#session.log.info('upload complete', {
      directory: open.dirName,
      file: open.fileName,
      bytes: open.writer.position,
    });
    const file = { name: pathText(open.dirName, open.fileName), size: open.writer.position };
    this.#files.hooks.committed(this.#session, [file], this.#durability);
    this.#session.reply(
      encodeEofResponse(request.command, this.#session.knowsExtensions ? this.#durability : undefined),
    );
    this.#session.settled();
  }

  async #digest(request: Request): Promise<void> {
    await this.onBatchEnd();
    const range = decodeDigestRequest(request.text);
    if (range.file) throw new RequestError(ResultCode.ParameterError, `${Key.FileName} is for the Download protocol`);
    await answerDigest(this.#session, request, range, this.#required().handle, this.#session.gone);
  }

  /** Beside a file that may be open; the data of the request are gone when this has returned. */
  async #putFiles(request: Request): Promise<void> {
    if (!this.#session.knowsExtensions) throw new RequestError(ResultCode.NotExistCommand);
    this.#isStoringFiles = true;
    try {
      await putFiles(this.#session, this.#files, this.#durability, request);
    } finally {
      this.#isStoringFiles = false;
      this.#session.settled();
    }
  }

  #required(): OpenUpload {
    if (!this.#open) throw new RequestError(ResultCode.NotOpenFile);
    return this.#open;
  }

  #failWrite(error: unknown): void {
    const isRefused = error instanceof RequestError;
    const { code, message } = answerFor(isRefused ? error : storageErrorFrom(error, 'file'));
    const file = this.#open?.fileName;
    if (isRefused) this.#session.log.info('upload refused', { file, code, detail: message });
    else this.#session.log.error('writing an upload failed', { file, detail: String(error) });
    this.#session.reply(responseText(Command.Data, code, [], message));
    this.#session.close('write-failed');
  }

  async #release(): Promise<void> {
    const open = this.#open;
    if (!open) return;
    this.#open = undefined;
    try {
      await open.writer.settle();
      if (open.writer.hasSyncFailed) await this.#dropUnsynced(open);
    } finally {
      try {
        await open.handle.close();
      } finally {
        open.claim.release();
        open.place[Symbol.dispose]();
      }
    }
  }

  /** What the disk has refused must not be where the next upload goes on, nor be found right by a digest of what memory still holds. */
  async #dropUnsynced({ fileName, handle, writer }: OpenUpload): Promise<void> {
    this.#session.log.error('syncing an upload failed', {
      file: fileName,
      bytes: writer.position,
      kept: writer.syncedBytes,
    });
    await handle.truncate(writer.syncedBytes);
  }

  /** For a client that does not know extensions, there is no such command. */
  #ifExtended(handler: CommandHandler): CommandHandler {
    return (request) => {
      if (!this.#session.knowsExtensions) throw new RequestError(ResultCode.NotExistCommand);
      return this.#open ? this.#release().then(() => handler(request)) : handler(request);
    };
  }

  #track(work: Promise<void>): Promise<void> {
    this.#work = work;
    return work;
  }
}

/** Where an upload goes on: at the end of the file, or, asked to, at an earlier place behind which all is dropped. */
async function keepBytes(opened: OpenedFile, { resume }: UploadRequest): Promise<number> {
  if (resume === undefined) return opened.size;
  if (resume < 0n || resume > BigInt(opened.size)) {
    throw new RequestError(ResultCode.ParameterError, `${Key.Resume} is outside the file of ${opened.size} bytes`);
  }
  await opened.handle.truncate(Number(resume));
  return Number(resume);
}
