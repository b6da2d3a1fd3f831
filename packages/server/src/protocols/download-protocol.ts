import { FileReader, paceOfDevice } from '@sluice/files';
import {
  Command,
  type DataSlab,
  type DigestRequest,
  decodeDigestRequest,
  decodeDownloadRange,
  decodeDownloadRequest,
  encodeSendFile,
  Feature,
  type FileVersion,
  Key,
  ProtocolFlag,
  RequestError,
  ResultCode,
  responseText,
  type TransferRecord,
} from '@sluice/wire';
import type { CommandHandler, PacketProtocol, ProtocolHandler, Request, Session } from '../protocol.js';
import { fileVersionOf } from '../storage/content-digests.js';
import type { OpenedFile } from '../storage/held-directory.js';
import type { ReadClaim } from '../storage/open-files.js';
import { parseDirectoryName, parseFileName, pathText } from '../storage/path-name.js';
import { fileVersion, settledStats, versionToken } from '../storage/version-token.js';
import { answerDigest } from './digest-command.js';
import { listingCommands } from './directory-commands.js';
import { fileNotFound } from './file-not-found.js';
import { fileStatusCommands } from './file-status-commands.js';
import { getFiles } from './get-files.js';
import type { SharedFiles } from './shared-files.js';
import { SLAB_BYTES, SlabPool } from './slab-pool.js';
import { treeCommands } from './tree-commands.js';

/** Sent in one turn of the event loop, in bytes of packets; then the other connections have theirs. */
const BYTES_PER_TURN = 1 << 20;

/** What a packet costs beside its bytes, as bytes: one of a few bytes takes as long as one of this size. */
const COST_OF_A_PACKET = 8 << 10;

/** Larger packets are asked for than a slab carries: they are sent smaller, which the specification allows (7.1). */
const MAX_PACKET_BYTES = 256 << 10;

/** The Download protocol. Specification 7; the extensions: docs/protocol.md. */
export function downloadProtocol(files: SharedFiles): PacketProtocol {
  const slabs = new SlabPool();
  return {
    kind: 'packets',
    name: 'Download',
    flag: ProtocolFlag.Download,
    needsLogin: true,
    features: [Feature.VerifiedResume, Feature.Ranges, Feature.FileStatus, Feature.Trees, Feature.Batch],
    open: (session) => new DownloadHandler(session, files, slabs),
  };
}

/** A file opened for a peer that reads it. */
interface ReadableFile extends AsyncDisposable {
  readonly dirName: string;
  readonly fileName: string;
  /** Of the directory: `dev:ino`. */
  readonly directoryKey: string;
  readonly opened: OpenedFile;
}

class DownloadHandler implements ProtocolHandler {
  readonly commands: ReadonlyMap<string, CommandHandler>;
  readonly takesData = new Set(['getfiles']);
  readonly #session: Session;
  readonly #files: SharedFiles;
  readonly #slabs: SlabPool;
  #transfer: DownloadTransfer | undefined;
  /** The file of the last Digest, held until its Download: what is sent is what was digested, whatever has its name by then. */
  #digested: ReadableFile | undefined;

  constructor(session: Session, files: SharedFiles, slabs: SlabPool) {
    this.#session = session;
    this.#files = files;
    this.#slabs = slabs;
    this.commands = new Map<string, CommandHandler>([
      ...listingCommands(session, files),
      ...fileStatusCommands(session, files),
      ...treeCommands(session, files),
      ['download', (request) => this.#download(request)],
      ['digest', (request) => this.#digest(request)],
      ['getfiles', (request) => getFiles(session, files, request)],
    ]);
  }

  get isBusy(): boolean {
    return this.#transfer !== undefined;
  }

  get isSending(): boolean {
    return this.#transfer !== undefined;
  }

  get transfer(): TransferRecord | undefined {
    return this.#transfer?.record;
  }

  async onClosed(): Promise<void> {
    await this.#drop('download broken off');
    await this.#forgetDigested();
  }

  async #download(request: Request): Promise<void> {
    const { dirName, fileName, fileSize, packetSize } = decodeDownloadRequest(request.text);
    if (packetSize < 1n) throw new RequestError(ResultCode.ParameterError, `${Key.PacketSize} is below 1`);
    if (fileSize < 0n) throw new RequestError(ResultCode.ParameterError, `${Key.FileSize} is below 0`);
    const { count, version } = this.#session.knowsExtensions ? decodeDownloadRange(request.text) : {};
    await this.#session.memory.roomToSend(SLAB_BYTES);
    if (count === undefined) await this.#drop('download replaced');
    else await this.#transfer?.ended;

    if (version !== undefined) await this.#forgetDigested(); // it is the file of that name that is asked for
    const file = await this.#openFile(dirName, fileName);
    this.#digested = undefined;
    const size = await this.#sizeOf(file, fileSize, version).catch(async (error: unknown) => {
      await file[Symbol.asyncDispose]();
      throw error;
    });
    const position = Number(fileSize);
    const end = count === undefined ? size : Math.min(size, position + count);
    const packetBytes = Math.min(Number(packetSize), MAX_PACKET_BYTES);
    this.#session.log.info('download begins', {
      directory: dirName,
      file: fileName,
      from: position,
      bytes: end - position,
    });
    this.#session.reply(responseText(request.command, ResultCode.Success));
    this.#session.reply(encodeSendFile(end - position));
    const transfer = new DownloadTransfer({
      session: this.#session,
      slabs: this.#slabs,
      file,
      position,
      end,
      packetBytes,
      version,
      onEnd: () => {
        if (this.#transfer !== transfer) return;
        this.#transfer = undefined;
        this.#session.settled();
      },
    });
    this.#transfer = transfer;
    transfer.run();
  }

  async #digest(request: Request): Promise<void> {
    const range = decodeDigestRequest(request.text);
    if (!range.file) throw new RequestError(ResultCode.ParameterError, `${Key.FileName} is missing`);
    this.#digested = await this.#openFile(range.file.dirName, range.file.fileName);
    if (this.#session.gone.aborted) return this.#forgetDigested();
    await this.#answerDigest(request, range, this.#digested);
  }

  async #answerDigest(request: Request, range: DigestRequest, file: ReadableFile): Promise<void> {
    const { gone, knowsExtensions } = this.#session;
    const { handle } = file.opened;
    const mayWait = knowsExtensions && range.count > 0n;
    const before = await (mayWait ? settledStats(handle, gone) : handle.stat({ bigint: true }));
    const recorded = await this.#files.digests.lookup(file.directoryKey, file.fileName, fileVersionOf(before));
    const known = recorded?.chunkDigests;
    if (!knowsExtensions) return answerDigest(this.#session, request, range, handle, gone, known);
    await answerDigest(this.#session, request, range, handle, gone, known, async (): Promise<FileVersion> => {
      const version = fileVersion(await handle.stat({ bigint: true }));
      if (version.version !== versionToken(before)) throw new RequestError(ResultCode.FileChanged);
      return version;
    });
  }

  /** The length of a file that a Download is to send from `fileSize` on. @throws {RequestError} code 6; code 15 for another version */
  async #sizeOf({ opened }: ReadableFile, fileSize: bigint, version: string | undefined): Promise<number> {
    const stats = await opened.handle.stat({ bigint: true });
    if (version !== undefined && versionToken(stats) !== version) throw new RequestError(ResultCode.FileChanged);
    if (this.#session.gone.aborted || fileSize > stats.size) {
      throw new RequestError(ResultCode.ParameterError, `${Key.FileSize} is beyond the end of the file`);
    }
    return Number(stats.size);
  }

  /**
   * The file that a Digest has opened, if it is the same; else opens it for reading and holds it in the table of open files. A missing
   * directory is a missing file. Specification 7.
   */
  async #openFile(dirName: string, name: string): Promise<ReadableFile> {
    const digested = this.#digested;
    if (digested?.dirName === dirName && digested.fileName === name) return digested;
    await this.#forgetDigested();
    const directoryName = parseDirectoryName(dirName);
    parseFileName(name);
    return fileNotFound(this.#openIn(dirName, directoryName, name));
  }

  async #openIn(dirName: string, directoryName: readonly string[], fileName: string): Promise<ReadableFile> {
    const { openFiles, descriptors } = this.#files;
    const { tree } = this.#session.principal;
    const place = descriptors.openFile();
    let claim: ReadClaim | undefined;
    try {
      await using directory = await descriptors.walk(() => tree.resolve(directoryName));
      const key = directory.entryKey(fileName);
      const known = openFiles.knownElsewhere(key);
      if (known) await known;
      const held = openFiles.claimForReading(key);
      claim = held;
      const opened = await directory.openFile(fileName, 'read');
      return {
        dirName,
        fileName,
        directoryKey: directory.key,
        opened,
        async [Symbol.asyncDispose]() {
          try {
            await opened.handle.close();
          } finally {
            held.release();
            place[Symbol.dispose]();
          }
        },
      };
    } catch (error) {
      claim?.release();
      place[Symbol.dispose]();
      throw error;
    }
  }

  async #forgetDigested(): Promise<void> {
    const digested = this.#digested;
    this.#digested = undefined;
    await digested?.[Symbol.asyncDispose]();
  }

  async #drop(event: string): Promise<void> {
    const transfer = this.#transfer;
    this.#transfer = undefined;
    await transfer?.stop(event);
  }
}

interface TransferInit {
  readonly session: Session;
  readonly slabs: SlabPool;
  readonly file: ReadableFile;
  readonly position: number;
  /** Fixed when the transfer begins, whatever the file does meanwhile. (D35) */
  readonly end: number;
  readonly packetBytes: number;
  /** The file must still have it when its last byte is sent. */
  readonly version: string | undefined;
  readonly onEnd: () => void;
}

/** One download: fills a slab from the file, sends it, and goes on when the system has taken it. */
class DownloadTransfer {
  readonly #init: TransferInit;
  readonly #reader: FileReader;
  #position: number;
  #slab: DataSlab | undefined;
  #isSlabSent = true;
  #isRunning = false;
  #isStopped = false;
  /** It waits, without a slab, until there is memory again. */
  #isWaiting = false;
  #reading: Promise<number> | undefined;
  /** Settles when all was sent, or nothing more will be. */
  readonly ended: Promise<void>;
  #resolveEnded!: () => void;

  constructor(init: TransferInit) {
    this.#init = init;
    this.#position = init.position;
    this.#reader = new FileReader(init.file.opened.handle, paceOfDevice(init.file.opened.device));
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
  }

  /**
   * Sends while the system takes what is sent, for one turn's worth of bytes; goes on when it has taken more, when a read has ended, or in
   * the next turn. Only one of these is ever under way: the slab is being read, or being sent, or free.
   */
  run(): void {
    if (this.#isRunning || !this.#maySend || this.#mustWait()) return;
    const { end } = this.#init;
    this.#isRunning = true;
    let left = BYTES_PER_TURN;
    while (this.#position < end && left > 0 && this.#maySend) {
      left -= this.#readAndSend();
    }
    this.#isRunning = false;
    if (!this.#maySend) return;
    if (this.#position >= end) this.#finish();
    else setImmediate(this.#onTurn);
  }

  /** While memory is short, transfers that are under way take turns in having a slab. */
  #mustWait(): boolean {
    const { memory } = this.#init.session;
    if (this.#isWaiting) return true;
    if (!memory.isShort) return false;
    this.#giveSlab();
    const room = memory.roomForMore(SLAB_BYTES);
    if (!room) return false;
    this.#isWaiting = true;
    const goOn = (): void => {
      this.#isWaiting = false;
      if (!this.#isStopped) this.run();
    };
    room.then(goOn, goOn);
    return true;
  }

  /** Not when the connection is closing: what was not sent by then never will be, and `stop` comes. */
  get #maySend(): boolean {
    return this.#isSlabSent && !this.#isStopped && !this.#reading && !this.#init.session.isClosing;
  }

  /** @returns what it cost, in bytes; 0 when the read goes on elsewhere or has failed */
  #readAndSend(): number {
    const { end, slabs, packetBytes } = this.#init;
    const slab = this.#slab ?? slabs.take(packetBytes);
    this.#slab = slab;
    try {
      const read = this.#reader.read(slab.gapsFor(end - this.#position), this.#position);
      const isLast = end - this.#position <= slab.capacityBytes;
      const got = isLast && this.#init.version !== undefined ? this.#unlessChanged(read) : read;
      if (typeof got === 'number') return this.#send(slab, got);
      this.#reading = got;
      got.then(
        (bytes) => this.#onRead(slab, bytes),
        (error: unknown) => this.#onReadFailed(error),
      );
    } catch (error) {
      this.#fail(error);
    }
    return 0;
  }

  /** Of what was read last: settles when it is certain that all of it is of the version that was asked for, and rejects if it is not. */
  async #unlessChanged(read: number | Promise<number>): Promise<number> {
    const bytes = await read;
    const stats = await this.#init.file.opened.handle.stat({ bigint: true });
    if (versionToken(stats) !== this.#init.version) throw new Error('the file has changed meanwhile');
    return bytes;
  }

  get record(): TransferRecord {
    const { file, end } = this.#init;
    const name = pathText(file.dirName, file.fileName);
    return { direction: 'download', name, doneBytes: this.#position, totalBytes: end };
  }

  /** Ends it early. */
  async stop(event: string): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#resolveEnded();
    this.#init.session.log.info(event, { file: this.#init.file.fileName, at: this.#position });
    await this.#release();
  }

  readonly #onTurn = (): void => this.run();

  #onRead(slab: DataSlab, bytes: number): void {
    this.#reading = undefined;
    if (this.#isStopped) return;
    this.#isRunning = true; // the system may take the slab at once, and that must not start a run within this one
    this.#send(slab, bytes);
    this.#isRunning = false;
    this.run();
  }

  #onReadFailed(error: unknown): void {
    this.#reading = undefined;
    this.#fail(error);
  }

  #send(slab: DataSlab, bytes: number): number {
    const wanted = Math.min(slab.capacityBytes, this.#init.end - this.#position);
    if (bytes < wanted) {
      this.#fail(new Error(`the file has become shorter than ${this.#init.end} bytes`));
      return 0;
    }
    this.#position += bytes;
    this.#isSlabSent = false;
    const packets = Math.ceil(bytes / this.#init.packetBytes);
    const isKept = this.#init.session.sendOwned(slab.packets(bytes), packets, this.#onSlabSent, Command.Data);
    if (!isKept) this.#isSlabSent = true;
    return bytes + packets * COST_OF_A_PACKET;
  }

  readonly #onSlabSent = (): void => {
    this.#isSlabSent = true;
    if (this.#isStopped) this.#giveSlab();
    else this.run();
  };

  #finish(): void {
    this.#init.session.log.info('download complete', { file: this.#init.file.fileName, bytes: this.#init.end });
    this.#end();
  }

  /** The announced bytes cannot be sent: only the end of the connection tells the peer. */
  #fail(error: unknown): void {
    if (this.#isStopped) return;
    const { session, file } = this.#init;
    session.log.error('reading a download failed', { file: file.fileName, detail: String(error) });
    session.close('read-failed');
    this.#end();
  }

  #end(): void {
    this.#isStopped = true;
    this.#resolveEnded();
    const { session, file, onEnd } = this.#init;
    this.#release()
      .catch((error: unknown) =>
        session.log.error('closing a file failed', { file: file.fileName, detail: String(error) }),
      )
      .finally(onEnd);
  }

  async #release(): Promise<void> {
    await this.#reading?.catch(() => {});
    if (this.#isSlabSent) this.#giveSlab();
    await this.#init.file[Symbol.asyncDispose]();
  }

  #giveSlab(): void {
    if (this.#slab) this.#init.slabs.give(this.#init.packetBytes, this.#slab);
    this.#slab = undefined;
  }
}
