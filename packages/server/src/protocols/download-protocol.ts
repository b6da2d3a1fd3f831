import { FileReader, paceOfDevice } from '@sluice/files';
import {
  type DataSlab,
  decodeDigestRequest,
  decodeDownloadRequest,
  encodeSendFile,
  Key,
  ProtocolFlag,
  RequestError,
  ResultCode,
  responseText,
} from '@sluice/wire';
import { withCodes } from '../answers.js';
import type { CommandHandler, Protocol, ProtocolHandler, Request, Session } from '../protocol.js';
import type { OpenedFile } from '../storage/held-directory.js';
import type { ReadClaim } from '../storage/open-files.js';
import { parseDirectoryName, parseFileName } from '../storage/path-name.js';
import { answerDigest } from './digest-command.js';
import { listingCommands } from './directory-commands.js';
import type { SharedFiles } from './shared-files.js';
import { SlabPool } from './slab-pool.js';

/** Sent in one turn of the event loop, in bytes; then the other connections have theirs. */
const BYTES_PER_TURN = 1 << 20;

/** Larger packets are asked for than a slab carries: they are sent smaller, which the specification allows (7.1). */
const MAX_PACKET_BYTES = 256 << 10;

/** The Download protocol. Specification 7; the extensions: docs/protocol.md. */
export function downloadProtocol(files: SharedFiles): Protocol {
  const slabs = new SlabPool();
  return {
    name: 'Download',
    flag: ProtocolFlag.Download,
    needsLogin: true,
    open: (session) => new DownloadHandler(session, files, slabs),
  };
}

/** A file opened for a peer that reads it. */
interface ReadableFile extends AsyncDisposable {
  readonly opened: OpenedFile;
  readonly device: number;
}

class DownloadHandler implements ProtocolHandler {
  readonly commands: ReadonlyMap<string, CommandHandler>;
  readonly #session: Session;
  readonly #files: SharedFiles;
  readonly #slabs: SlabPool;
  #transfer: DownloadTransfer | undefined;
  #isGone = false;

  constructor(session: Session, files: SharedFiles, slabs: SlabPool) {
    this.#session = session;
    this.#files = files;
    this.#slabs = slabs;
    this.commands = new Map<string, CommandHandler>([
      ...listingCommands(session, files),
      ['download', (request) => this.#download(request)],
      ['digest', (request) => this.#digest(request)],
    ]);
  }

  get isBusy(): boolean {
    return this.#transfer !== undefined;
  }

  get isSending(): boolean {
    return this.#transfer !== undefined;
  }

  async onClosed(): Promise<void> {
    this.#isGone = true;
    await this.#drop('download broken off');
  }

  async #download(request: Request): Promise<void> {
    const { dirName, fileName, fileSize, packetSize } = decodeDownloadRequest(request.text);
    if (packetSize < 1n) throw new RequestError(ResultCode.ParameterError, `${Key.PacketSize} is below 1`);
    if (fileSize < 0n) throw new RequestError(ResultCode.ParameterError, `${Key.FileSize} is below 0`);
    await this.#drop('download replaced');

    const file = await this.#openFile(dirName, fileName);
    const { size } = file.opened;
    if (this.#isGone || fileSize > BigInt(size)) {
      await file[Symbol.asyncDispose]();
      throw new RequestError(ResultCode.ParameterError, `${Key.FileSize} is beyond the end of the file`);
    }
    const position = Number(fileSize);
    const packetBytes = Math.min(Number(packetSize), MAX_PACKET_BYTES);
    this.#session.log.debug('download begins', {
      directory: dirName,
      file: fileName,
      from: position,
      bytes: size - position,
    });
    this.#session.reply(responseText(request.command, ResultCode.Success));
    this.#session.reply(encodeSendFile(size - position));
    const transfer = new DownloadTransfer({
      session: this.#session,
      slabs: this.#slabs,
      file,
      fileName,
      position,
      end: size,
      packetBytes,
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
    await using file = await this.#openFile(range.file.dirName, range.file.fileName);
    await answerDigest(this.#session, request, range, file.opened.handle);
  }

  /** Opens a file for reading and holds it in the table of open files. A missing directory is a missing file. Specification 7. */
  async #openFile(dirName: string, name: string): Promise<ReadableFile> {
    const fileName = parseFileName(name);
    const work = this.#openIn(parseDirectoryName(dirName), fileName);
    return withCodes(work, (error) =>
      error.code === 'ERR_DIRECTORY_NOT_FOUND' || error.code === 'ERR_NOT_A_DIRECTORY'
        ? ResultCode.FileNotExist
        : undefined,
    );
  }

  async #openIn(directoryName: readonly string[], fileName: string): Promise<ReadableFile> {
    const { tree, openFiles } = this.#files;
    await using directory = await tree.resolve(directoryName);
    const claim: ReadClaim = openFiles.claimForReading(directory.entryKey(fileName));
    try {
      const opened = await directory.openFile(fileName, 'read');
      const { dev } = await opened.handle.stat();
      return {
        opened,
        device: dev,
        async [Symbol.asyncDispose]() {
          await opened.handle.close();
          claim.release();
        },
      };
    } catch (error) {
      claim.release();
      throw error;
    }
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
  readonly fileName: string;
  readonly position: number;
  /** Fixed when the transfer begins, whatever the file does meanwhile. (D35) */
  readonly end: number;
  readonly packetBytes: number;
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
  #reading: Promise<number> | undefined;

  constructor(init: TransferInit) {
    this.#init = init;
    this.#position = init.position;
    this.#reader = new FileReader(init.file.opened.handle, paceOfDevice(init.file.device));
  }

  /**
   * Sends while the system takes what is sent, for one turn's worth of bytes; goes on when it has taken more, when a read has ended, or in
   * the next turn. Only one of these is ever under way: the slab is being read, or being sent, or free.
   */
  run(): void {
    if (this.#isRunning || this.#isStopped || this.#reading || !this.#isSlabSent) return;
    const { end } = this.#init;
    this.#isRunning = true;
    let left = BYTES_PER_TURN;
    while (this.#position < end && left > 0 && this.#isSlabSent && !this.#isStopped && !this.#reading) {
      left -= this.#readAndSend();
    }
    this.#isRunning = false;
    if (this.#isStopped || this.#reading || !this.#isSlabSent) return;
    if (this.#position >= end) this.#finish();
    else setImmediate(this.#onTurn);
  }

  /** @returns bytes sent; 0 when the read goes on elsewhere or has failed */
  #readAndSend(): number {
    const { end, slabs, packetBytes } = this.#init;
    const slab = this.#slab ?? slabs.take(packetBytes);
    this.#slab = slab;
    try {
      const got = this.#reader.read(slab.gapsFor(end - this.#position), this.#position);
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

  /** Ends it early. */
  async stop(event: string): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#init.session.log.info(event, { file: this.#init.fileName, at: this.#position });
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
    this.#init.session.sendOwned(slab.packets(bytes), this.#onSlabSent);
    return bytes;
  }

  readonly #onSlabSent = (): void => {
    this.#isSlabSent = true;
    if (this.#isStopped) this.#giveSlab();
    else this.run();
  };

  #finish(): void {
    this.#init.session.log.info('download complete', { file: this.#init.fileName, bytes: this.#init.end });
    this.#end();
  }

  /** The announced bytes cannot be sent: only the end of the connection tells the peer. */
  #fail(error: unknown): void {
    if (this.#isStopped) return;
    const { session, fileName } = this.#init;
    session.log.error('reading a download failed', { file: fileName, detail: String(error) });
    session.close('read-failed');
    this.#end();
  }

  #end(): void {
    this.#isStopped = true;
    const { session, fileName, onEnd } = this.#init;
    this.#release()
      .catch((error: unknown) => session.log.error('closing a file failed', { file: fileName, detail: String(error) }))
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
