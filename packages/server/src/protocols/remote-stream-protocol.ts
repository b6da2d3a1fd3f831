import {
  type CommandText,
  decodeFileExistsRequest,
  decodeHandle,
  decodeOpenFileRequest,
  decodeReadAtRequest,
  decodeReadRequest,
  decodeResumeFileRequest,
  decodeSeekRequest,
  decodeSetPositionRequest,
  decodeSetSizeRequest,
  decodeStatRequest,
  decodeTag,
  decodeWriteAtRequest,
  encodeCountResponse,
  encodeOpenFileResponse,
  encodePositionResponse,
  encodeResumeFileResponse,
  encodeSeekResponse,
  encodeSizeResponse,
  encodeStatResponse,
  Feature,
  FileMode,
  Key,
  ProtocolFlag,
  RequestError,
  ResultCode,
  requireDataCount,
  SeekOrigin,
  streamResponseText,
  type TransferRecord,
} from '@sluice/wire';
import type { CommandHandler, PacketProtocol, ProtocolHandler, Request, Session } from '../protocol.js';
import { parseDirectoryName, parseFilePath } from '../storage/path-name.js';
import { fileNotFound } from './file-not-found.js';
import type { FileHolder, KeptFiles } from './kept-files.js';
import { quotaExceeded } from './quota-exceeded.js';
import { answerRead } from './read-answers.js';
import { RemoteFile } from './remote-file.js';
import { RequestFlow } from './request-flow.js';
import type { SharedFiles } from './shared-files.js';

export interface RemoteStreamOptions {
  /** Whether a login is needed. */
  readonly needsLogin: boolean;
  /** The files that outlive their connections. */
  readonly kept: KeptFiles;
}

/** The RemoteStream protocol. Specification 8; the extensions: docs/protocol.md, sections 17.5 to 17.7. */
export function remoteStreamProtocol(files: SharedFiles, { needsLogin, kept }: RemoteStreamOptions): PacketProtocol {
  return {
    kind: 'packets',
    name: 'RemoteStream',
    flag: ProtocolFlag.RemoteStream,
    needsLogin,
    features: [Feature.Tag, Feature.RemoteFile, Feature.ResumeFile],
    open: (session) => new RemoteStreamHandler(session, files, kept),
  };
}

/** A request with its extension keys. */
interface Call {
  readonly command: string;
  readonly text: CommandText;
  readonly data: Uint8Array;
  readonly tag: number | undefined;
}

type Work = (call: Call) => void | Promise<void>;

class RemoteStreamHandler implements ProtocolHandler, FileHolder {
  readonly commands: ReadonlyMap<string, CommandHandler>;
  readonly takesData: ReadonlySet<string> = new Set(['write', 'writeat']);
  readonly isBusy = false;
  readonly #session: Session;
  readonly #files: SharedFiles;
  readonly #kept: KeptFiles;
  readonly #flow: RequestFlow;
  /** By Handle. */
  readonly #open = new Map<number, RemoteFile>();
  #isClosed = false;

  constructor(session: Session, files: SharedFiles, kept: KeptFiles) {
    this.#session = session;
    this.#files = files;
    this.#kept = kept;
    this.#flow = new RequestFlow(() => session.settled());
    this.commands = new Map<string, CommandHandler>([
      ['fileexists', this.#beside((call) => this.#fileExists(call))],
      ['openfile', this.#alone((call) => this.#openFile(call))],
      ['setsize', this.#alone((call) => this.#setSize(call))],
      ['getsize', this.#alone((call) => this.#getSize(call))],
      ['setposition', this.#alone((call) => this.#setPosition(call))],
      ['getposition', this.#alone((call) => this.#getPosition(call))],
      ['read', this.#alone((call) => this.#read(call))],
      ['write', this.#alone((call) => this.#write(call))],
      ['seek', this.#alone((call) => this.#seek(call))],
      ['closefile', this.#alone((call) => this.#closeFile(call))],
      ['readat', this.#extension(this.#beside((call) => this.#readAt(call)))],
      ['writeat', this.#extension(this.#beside((call) => this.#writeAt(call)))],
      ['sync', this.#extension(this.#beside((call) => this.#sync(call)))],
      ['stat', this.#extension(this.#beside((call) => this.#stat(call)))],
      ['resumefile', this.#extension(this.#alone((call) => this.#resumeFile(call)))],
    ]);
  }

  get isSending(): boolean {
    return !this.#flow.isIdle;
  }

  /** The file that was opened last, of those that are open. */
  get transfer(): TransferRecord | undefined {
    const file = [...this.#open.values()].at(-1);
    return file && { direction: 'stream', name: file.name, doneBytes: file.movedBytes };
  }

  detach(file: RemoteFile): void {
    for (const [handle, open] of this.#open) if (open === file) this.#open.delete(handle);
    this.#session.log.info('remote file taken over', { file: file.name });
  }

  async onClosed(): Promise<void> {
    this.#isClosed = true;
    const files = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(files.map((file) => this.#kept.leave(file)));
  }

  // How requests follow one another. docs/protocol.md, section 17.5.

  /** A command that only clients have that know extensions. */
  #extension(handler: CommandHandler): CommandHandler {
    return (request) => {
      if (!this.#session.knowsExtensions) throw new RequestError(ResultCode.NotExistCommand);
      return handler(request);
    };
  }

  /** A command that does not wait for others, nor others for it, if it has a Tag. */
  #beside(work: Work): CommandHandler {
    const alone = this.#alone(work);
    return (request) => {
      const tag = this.#tagOf(request);
      if (tag === undefined) return alone(request);
      const pending = this.#run({ ...request, tag }, work);
      if (pending) return this.#flow.add(pending, bytesOf(request));
    };
  }

  /** A command that begins when all before it are answered. */
  #alone(work: Work): CommandHandler {
    return (request) => {
      const tag = this.#tagOf(request);
      const idle = this.#flow.idle();
      if (!idle) return this.#run({ ...request, tag }, work);
      const call = { ...request, tag, data: Uint8Array.from(request.data) };
      const held = this.#session.memory.hold(call.data.length);
      return idle.then(() => {
        held[Symbol.dispose]();
        return this.#run(call, work);
      });
    };
  }

  #tagOf({ text }: Request): number | undefined {
    return this.#session.knowsExtensions ? decodeTag(text) : undefined;
  }

  /** Never rejects: an error is answered, with the Tag. A request that had to wait until the connection was gone is not begun. */
  #run(call: Call, work: Work): void | Promise<void> {
    if (this.#isClosed) return;
    try {
      return work(call)?.catch((error: unknown) => this.#refuse(call, error));
    } catch (error) {
      this.#refuse(call, error);
    }
  }

  #refuse({ command, tag }: Call, error: unknown): void {
    this.#session.refuse(command, error, tag === undefined ? [] : [[Key.Tag, tag]]);
  }

  #reply({ command, tag }: Call): void {
    this.#session.reply(streamResponseText(command, tag));
  }

  // The commands of the original. Specification 8.

  async #fileExists(call: Call): Promise<void> {
    const status = await this.#statusOf(parseFilePath(decodeFileExistsRequest(call.text)));
    if (!status.isFile()) throw new RequestError(ResultCode.FileNotExist, 'file does not exist');
    this.#reply(call);
  }

  async #openFile(call: Call): Promise<void> {
    const { fileName, mode, keepMs = 0 } = decodeOpenFileRequest(call.text);
    const handle = this.#handleOf(call);
    const path = parseFilePath(fileName);
    if (mode === FileMode.ReadWrite) this.#session.requireMayChange();
    await this.#closeHandle(handle);
    const { userName, tree } = this.#session.principal;
    const file = await RemoteFile.open(this.#files, tree, fileName, path, mode);
    if (this.#isClosed) return file.close();
    this.#open.set(handle, file);
    if (mode === FileMode.ReadWrite) this.#session.memory.isFeeding = true;
    this.#session.log.debug('remote file opened', { file: fileName, mode });
    if (!this.#session.knowsExtensions) return this.#reply(call);
    const kept = Math.min(keepMs, this.#kept.maxKeepMs);
    const token = kept > 0 ? this.#kept.keep(file, this, userName, kept, this.#session.log) : undefined;
    const size = file.seenSize;
    this.#session.reply(
      encodeOpenFileResponse(
        call.command,
        { size, kept: token === undefined ? undefined : { resumeToken: token, keepMs: kept } },
        call.tag,
      ),
    );
  }

  async #setSize(call: Call): Promise<void> {
    const size = decodeSetSizeRequest(call.text);
    const file = this.#required(call);
    this.#session.requireMayChange();
    await this.#takeRoom(file, size);
    await file.truncate(size);
    this.#reply(call);
  }

  async #getSize(call: Call): Promise<void> {
    const { size } = await this.#required(call).look();
    this.#session.reply(encodeSizeResponse(call.command, size, call.tag));
  }

  #setPosition(call: Call): void {
    const position = decodeSetPositionRequest(call.text);
    this.#required(call).position = position;
    this.#reply(call);
  }

  #getPosition(call: Call): void {
    this.#session.reply(encodePositionResponse(call.command, this.#required(call).position, call.tag));
  }

  #read(call: Call): void | Promise<void> {
    const count = decodeReadRequest(call.text);
    const file = this.#required(call);
    return answerRead(this.#session, file, { ...call, position: file.position, count }, (got) => {
      file.position += got;
    });
  }

  #write(call: Call): void | Promise<void> {
    requireDataCount(call.text, call.data.length);
    const file = this.#required(call);
    const count = call.data.length;
    return this.#writeTo(call, file, file.position, () => {
      file.position += count;
    });
  }

  async #seek(call: Call): Promise<void> {
    const { offset, origin } = decodeSeekRequest(call.text);
    const file = this.#required(call);
    let from = 0n;
    if (origin === SeekOrigin.Current) from = BigInt(file.position);
    else if (origin === SeekOrigin.End) from = (await file.look()).size;
    const position = from + offset;
    if (position < 0n || position > BigInt(Number.MAX_SAFE_INTEGER))
      throw new RequestError(ResultCode.ParameterError, 'the new position is outside 0 to 2^53 - 1');
    file.position = Number(position);
    this.#session.reply(encodeSeekResponse(call.command, position, call.tag));
  }

  async #closeFile(call: Call): Promise<void> {
    this.#required(call);
    await this.#closeHandle(this.#handleOf(call));
    this.#reply(call);
  }

  // The extensions. docs/protocol.md, sections 17.6 and 17.7.

  #readAt(call: Call): void | Promise<void> {
    const range = decodeReadAtRequest(call.text);
    return answerRead(this.#session, this.#required(call), { ...call, ...range });
  }

  #writeAt(call: Call): void | Promise<void> {
    const position = decodeWriteAtRequest(call.text);
    requireDataCount(call.text, call.data.length);
    return this.#writeTo(call, this.#required(call), position);
  }

  async #sync(call: Call): Promise<void> {
    await this.#required(call).sync();
    this.#reply(call);
  }

  async #stat(call: Call): Promise<void> {
    const name = decodeStatRequest(call.text);
    const status = name === undefined ? await this.#required(call).look() : await this.#statusOf(parseAnyPath(name));
    const kind = status.isFile() ? 'file' : status.isDirectory() ? 'directory' : 'other';
    const size = kind === 'file' ? status.size : 0n;
    this.#session.reply(encodeStatResponse(call.command, { kind, size, modifiedNs: status.mtimeNs }, call.tag));
  }

  async #resumeFile(call: Call): Promise<void> {
    const token = decodeResumeFileRequest(call.text);
    const handle = this.#handleOf(call);
    const { userName, tree } = this.#session.principal;
    const entry =
      this.#kept.take(token, this, userName) ??
      (await this.#kept.takeFromOthers(token, this, userName, this.#session.log, (left) =>
        RemoteFile.reopen(this.#files, tree, left),
      ));
    if (!entry) throw new RequestError(ResultCode.NotOpenFile, 'no such file is kept');
    const { file, keepMs } = entry;
    if (this.#isClosed) return this.#kept.leave(file);
    const former = this.#open.get(handle);
    for (const [other, open] of this.#open) if (open === file) this.#open.delete(other);
    this.#open.set(handle, file); // before any wait: it must be left, or taken away, like any other
    if (former && former !== file) await this.#kept.close(former);
    await this.#kept.ready(entry);
    const hasChanged = await file.hasChanged(this.#files);
    if (this.#isClosed) return;
    if (this.#open.get(handle) !== file) throw new RequestError(ResultCode.NotOpenFile, 'the file was taken over');
    if (hasChanged) {
      await this.#closeHandle(handle);
      throw new RequestError(ResultCode.FileChanged, 'the file has changed meanwhile');
    }
    const { size } = await file.look();
    this.#session.log.info('remote file resumed', { file: file.name, position: file.position });
    this.#session.reply(
      encodeResumeFileResponse(call.command, { mode: file.mode, size, position: file.position, keepMs }, call.tag),
    );
  }

  #writeTo(call: Call, file: RemoteFile, position: number, done = (): void => {}): void | Promise<void> {
    this.#session.requireMayChange();
    const count = call.data.length;
    const answer = (): void => {
      done();
      this.#session.reply(encodeCountResponse(call.command, count, call.tag));
    };
    if (this.#session.principal.quota)
      return this.#writeWithinQuota(file, Uint8Array.from(call.data), position, answer);
    const pending = file.write(call.data, position);
    if (pending) return this.#whileHeld(count, pending).then(answer);
    answer();
  }

  /** The copies of what is written count as long as that goes on. */
  async #whileHeld(bytes: number, work: Promise<void>): Promise<void> {
    using _held = this.#session.memory.hold(bytes);
    await work;
  }

  /** @param data a copy: the receive buffer is used again meanwhile */
  async #writeWithinQuota(file: RemoteFile, data: Uint8Array, position: number, answer: () => void): Promise<void> {
    using _held = this.#session.memory.hold(data.length);
    await this.#takeRoom(file, position + data.length);
    await file.write(data, position);
    answer();
  }

  /** @param length what the file is to have at least @throws {RequestError} code 14 when the user may not have so much */
  async #takeRoom(file: RemoteFile, length: number): Promise<void> {
    const { quota } = this.#session.principal;
    if (!quota) return;
    const growth = length - (await file.lengthNow());
    if (growth > 0 && !(await quota.take(growth))) throw quotaExceeded();
  }

  #handleOf({ text }: Call): number {
    return this.#session.knowsExtensions ? decodeHandle(text) : 0;
  }

  #required(call: Call): RemoteFile {
    const file = this.#open.get(this.#handleOf(call));
    if (!file) throw new RequestError(ResultCode.NotOpenFile, 'no file is open');
    return file;
  }

  async #closeHandle(handle: number): Promise<void> {
    const file = this.#open.get(handle);
    if (!file) return;
    this.#open.delete(handle);
    await this.#kept.close(file);
    this.#session.log.debug('remote file closed', { file: file.name });
  }

  async #statusOf({ directory, fileName }: AnyPath) {
    const { tree } = this.#session.principal;
    const walk = this.#files.descriptors.walk(() => tree.resolve(directory), this.#session.gone);
    await using held = await fileNotFound(walk);
    return await held.status(fileName);
  }
}

/** Anything below the user's root, or, without a name, the root itself. */
interface AnyPath {
  readonly directory: readonly string[];
  readonly fileName: string | undefined;
}

function parseAnyPath(name: string): AnyPath {
  const isRoot = parseDirectoryName(name).length === 0;
  return isRoot ? { directory: [], fileName: undefined } : parseFilePath(name);
}

/** How many bytes a request makes move. */
function bytesOf({ text, data }: Request): number {
  const count = Number(text.first(Key.Count) ?? 0);
  return Math.max(data.length, Number.isSafeInteger(count) && count > 0 ? count : 0);
}
