import {
  Command,
  decodeOpenFileResponse,
  encodeFileExistsRequest,
  encodeOpenFileRequest,
  encodeResumeFileRequest,
  Feature,
  FileMode,
  ProtocolFlag,
  ResultCode,
} from '@sluice/wire';
import type { Connection } from './connection.js';
import type { ConnectionPool } from './connection-pool.js';
import { ClientError } from './errors.js';
import { type OpenFile, type RemoteFileStatus, SerialFile, TaggedFile } from './open-file.js';
import type { ResolvedConnectOptions } from './options.js';
import { pause, retryDelayMs, withRetries } from './retry.js';

/** Which file is to be opened, and how. */
export interface FileToOpen {
  /** Relative to the root, with `/`. */
  readonly path: string;
  readonly mode: 'read' | 'write';
  /** How long the server is asked to keep it open when the connection breaks, in milliseconds. */
  readonly keepMs: number;
}

/** What the link works with. */
export interface FileLinkContext {
  readonly pool: ConnectionPool;
  readonly options: ResolvedConnectOptions;
}

/**
 * Keeps one file open on the server, through as many connections as it takes. A broken connection is replaced at once, also while nobody
 * calls: the server keeps the file only for a while. docs/protocol.md, section 17.7.
 */
export class FileLink {
  readonly #context: FileLinkContext;
  readonly #file: FileToOpen;
  readonly #controller = new AbortController();
  /** What calls are made with; `undefined` while the link is broken. */
  #open: OpenFile | undefined;
  /** The attempt to mend it. */
  #mending: Promise<OpenFile> | undefined;
  /** Why no call will succeed any more. */
  #end: { readonly reason: unknown } | undefined;
  #resumeToken: string | undefined;
  /** The file as it was last looked at, of a server that tells. */
  #seen: RemoteFileStatus | undefined;
  /** Times that the link broke since a call last succeeded. */
  #vainBreaks = 0;

  private constructor(context: FileLinkContext, file: FileToOpen) {
    this.#context = context;
    this.#file = file;
  }

  /** @throws {ClientError}, or the signal's reason */
  static async open(context: FileLinkContext, file: FileToOpen, signal: AbortSignal): Promise<FileLink> {
    const link = new FileLink(context, file);
    await withRetries(context.options, signal, () => link.#connect(signal, (connection) => link.#openOn(connection)));
    return link;
  }

  /** Makes a call, again after each broken link. @throws what it rejects with, or what ended the link */
  run<T>(call: (file: OpenFile) => Promise<T>): Promise<T> {
    const file = this.#open;
    if (!file) return this.#runWhenMended(call);
    return call(file).then(this.#onDone<T>, (error: unknown) => {
      this.#throwUnlessBroken(file, error);
      return this.#runWhenMended(call);
    });
  }

  async #runWhenMended<T>(call: (file: OpenFile) => Promise<T>): Promise<T> {
    for (;;) {
      if (this.#end) throw this.#end.reason;
      const file = this.#open ?? (await (this.#mending ?? this.#startMending()));
      try {
        return this.#onDone(await call(file));
      } catch (error) {
        this.#throwUnlessBroken(file, error);
      }
    }
  }

  readonly #onDone = <T>(result: T): T => {
    this.#vainBreaks = 0;
    return result;
  };

  /** @throws the failure, unless it is the broken link that the call failed for */
  #throwUnlessBroken({ connection }: OpenFile, error: unknown): void {
    const failure = connection.asFailure(error);
    if (failure instanceof ClientError && failure.code === 'ERR_PROTOCOL') connection.destroy(failure);
    if (!connection.hasEnded || !isBrokenLink(failure)) throw failure;
  }

  /** What the server says now; a later change is one since then. */
  async look(): Promise<RemoteFileStatus> {
    const status = await this.run((file) => file.status());
    if (status.modifiedNs !== undefined) this.#seen = status;
    return status;
  }

  /** Closes the file. One that the server does not have open any more is fine. @throws as `run` */
  async close(): Promise<void> {
    if (this.#end) return;
    try {
      if (!this.#open && !this.#mending) return; // the server was out of reach when that was last tried
      await this.run((file) => file.close());
    } catch (error) {
      const isGone = error instanceof ClientError && error.resultCode === ResultCode.NotOpenFile;
      if (!isGone && !this.#hasEndedFor(error)) throw error;
    } finally {
      const connection = this.#open?.connection;
      this.#open = undefined;
      if (connection) this.#context.pool.giveBack(connection);
      this.destroy(new ClientError('ERR_CLOSED', 'the file is closed'));
    }
  }

  #hasEndedFor(reason: unknown): boolean {
    return this.#end?.reason === reason;
  }

  /** Ends the link at once, and calls with `reason`. */
  destroy(reason: unknown): void {
    this.#end ??= { reason };
    this.#controller.abort(reason);
    this.#open?.connection.destroy(reason);
    this.#open = undefined;
  }

  /** Has a file opened on a connection of its own, which this link is told the end of. */
  async #connect(signal: AbortSignal, openOn: (connection: Connection) => Promise<OpenFile>): Promise<OpenFile> {
    const { pool } = this.#context;
    const login = (await pool.serverIsExtended(signal)) ? 'login' : 'no-login';
    const connection = await pool.hold(ProtocolFlag.RemoteStream, signal, login, () => {
      if (this.#open?.connection === connection) this.#onBroken();
    });
    const onAbort = () => connection.destroy(signal.reason);
    signal.addEventListener('abort', onAbort);
    try {
      const file = await openOn(connection);
      if (connection.hasEnded) throw connection.reason;
      this.#open = file;
      return file;
    } catch (error) {
      const failure = connection.asFailure(error);
      if (failure instanceof ClientError && failure.code === 'ERR_REMOTE') pool.giveBack(connection);
      else connection.destroy(failure);
      throw failure;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  async #openOn(connection: Connection): Promise<OpenFile> {
    const { path, mode, keepMs } = this.#file;
    const request = { fileName: path, mode: mode === 'read' ? FileMode.Read : FileMode.ReadWrite };
    if (!connection.supports(Feature.Tag) || !connection.supports(Feature.RemoteFile)) {
      // An original makes a missing file also for one who only wants to read it (D38).
      if (mode === 'read') await connection.request(Command.FileExists, encodeFileExistsRequest(path));
      await connection.request(Command.OpenFile, encodeOpenFileRequest(request));
      return new SerialFile(connection);
    }
    const keeps = keepMs > 0 && connection.supports(Feature.ResumeFile);
    const file = new TaggedFile(connection);
    const opening = connection.requestTagged(Command.OpenFile, (tag) =>
      encodeOpenFileRequest(keeps ? { ...request, keepMs } : request, { tag }),
    );
    const looking = file.status(); // begins when the file is open
    await Promise.allSettled([opening, looking]);
    this.#resumeToken = decodeOpenFileResponse((await opening).response).kept?.resumeToken;
    this.#seen = await looking;
    return file;
  }

  #onBroken(): void {
    const broken = this.#open?.connection;
    this.#open = undefined;
    if (!broken || this.#end) return;
    const { reason } = broken;
    if (!isBrokenLink(reason)) this.#end = { reason };
    else if (!this.#canMend)
      this.#end = { reason: lost(`${reason.message}; the server has not kept ${this.#file.path} open`, reason) };
    else void this.#startMending(reason).catch(() => {}); // calls meet that, or try again
  }

  #startMending(reason?: ClientError): Promise<OpenFile> {
    const mending = this.#mend(reason);
    this.#mending = mending;
    const onSettled = () => {
      if (this.#mending === mending) this.#mending = undefined;
    };
    mending.then(onSettled, onSettled);
    return mending;
  }

  /** Whether what is open now can be opened as the same again: what was written to may only be taken back, what is read may be compared. */
  get #canMend(): boolean {
    return this.#resumeToken !== undefined || (this.#file.mode === 'read' && this.#seen !== undefined);
  }

  async #mend(reason?: ClientError): Promise<OpenFile> {
    const { options } = this.#context;
    const { signal } = this.#controller;
    try {
      if (reason) {
        if (this.#vainBreaks > options.retries) throw reason;
        const delayMs = this.#vainBreaks === 0 ? 0 : retryDelayMs(options, this.#vainBreaks - 1);
        this.#vainBreaks += 1;
        options.onRetry({ attempt: this.#vainBreaks, delayMs, error: reason });
        if (delayMs > 0) await pause(options.clock, signal, delayMs);
      }
      return await withRetries(options, signal, () =>
        this.#connect(signal, (connection) => this.#resumeOn(connection)),
      );
    } catch (error) {
      // A later call tries again, unless that is of no use.
      if (!isBrokenLink(error) || error === reason) this.#end ??= { reason: error };
      throw error;
    }
  }

  async #resumeOn(connection: Connection): Promise<OpenFile> {
    const token = this.#resumeToken;
    if (token !== undefined && connection.supports(Feature.ResumeFile)) {
      try {
        await connection.requestTagged(Command.ResumeFile, (tag) => encodeResumeFileRequest(token, { tag }));
        return new TaggedFile(connection);
      } catch (error) {
        const code = error instanceof ClientError ? error.resultCode : undefined;
        if (code === ResultCode.FileChanged) throw this.#changed(error);
        if (code !== ResultCode.NotOpenFile) throw error;
      }
    }
    if (this.#file.mode === 'write') throw lost(`the server has not kept ${this.#file.path} open`);
    return await this.#reopenOn(connection);
  }

  /** Opens a file that is only read once more: it must look as before. */
  async #reopenOn(connection: Connection): Promise<OpenFile> {
    const before = this.#seen;
    let file: OpenFile;
    try {
      file = await this.#openOn(connection);
    } catch (error) {
      const code = error instanceof ClientError ? error.resultCode : undefined;
      const isAnother = code === ResultCode.FileNotExist || code === ResultCode.FileIsInUse;
      throw isAnother ? this.#changed(error) : error;
    }
    const now = this.#seen;
    if (before?.size !== now?.size || before?.modifiedNs !== now?.modifiedNs) throw this.#changed();
    return file;
  }

  #changed(cause?: unknown): ClientError {
    const text = `${this.#file.path} changed on the server while the connection was broken`;
    return new ClientError('ERR_SOURCE_CHANGED', text, { cause, resultCode: ResultCode.FileChanged });
  }
}

function isBrokenLink(error: unknown): error is ClientError {
  return error instanceof ClientError && error.retryable;
}

function lost(text: string, cause?: unknown): ClientError {
  return new ClientError('ERR_CONNECTION_LOST', text, { cause });
}
