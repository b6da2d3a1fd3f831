import { FramingError, LengthFieldDecoder } from '@sluice/framing';
import {
  asciiFold,
  Command,
  commandTextEnd,
  decodeCommandText,
  decodeFeatures,
  decodeResponse,
  encodePacket,
  Key,
  PACKET_HEAD_BYTES,
  ProtocolError,
  type ProtocolFlag,
  packetLayout,
  type Response,
  ResultCode,
  requestText,
} from '@sluice/wire';
import { type Answer, AwaitedAnswers } from './awaited-answers.js';
import type { Endpoint } from './endpoint.js';
import { ClientError, responseError } from './errors.js';
import { logIn, WANTED_FEATURES } from './login.js';
import { loginFailure } from './login-failure.js';
import { LoginMemory } from './login-memory.js';
import type { ClientTlsOptions, LoginPolicy } from './options.js';
import type { Platform } from './platform.js';
import { RequestBatch } from './request-batch.js';
import type { Transport, TransportUser } from './transport.js';

export type { Answer };

/** Takes the file of a download. What it throws ends the connection, and comes back to it as `onFailure`. */
export interface DataReceiver {
  /** SendFile: what will follow. */
  onAnnounced(announcement: Response): void;
  /** The next bytes of the file, at `source[start, end)`; valid until `flush` returns. */
  onData(source: Uint8Array, start: number, end: number): void;
  /** Called after all `onData` of a chunk. @returns a promise to have reading paused until it settles */
  flush(): void | Promise<void>;
  /** The connection has ended before the receiver was removed. */
  onFailure(error: unknown): void;
}

/** Takes a packet that the server sends by itself; `data` is valid until it returns. @returns a promise to have reading paused until it settles */
export type OnPush = (response: Response, data: Uint8Array) => void | Promise<void>;

/** What a connection is made with. */
export interface ConnectionOptions {
  readonly connectTimeoutMs: number;
  readonly responseTimeoutMs: number;
  /** For endpoints that are secure. */
  readonly tls: ClientTlsOptions;
  readonly login: LoginPolicy;
  /** What other logins at the endpoint have learnt. @default nothing */
  readonly loginMemory?: LoginMemory;
  readonly platform: Platform;
}

/**
 * How the connection begins. `session`: a cookie has logged in already. Without a login: nothing follows the flag, as an original server knows
 * none on RemoteStream and Throughput; or the server is asked for its extensions, upon which an original one ends the connection there.
 * Specification 8 and 9.
 */
export type Opening = 'login' | 'session' | 'no-login' | 'ask-features';

/** One connection on one protocol. Nothing the peer says is trusted. */
export class Connection implements TransportUser {
  readonly flag: ProtocolFlag;
  /** Whether an upload is open on it: then it cannot serve another call. */
  hasOpenFile = false;
  /** Called once, when the connection has ended, whoever ended it. */
  onEnd: () => void = () => {};
  readonly #transport: Transport;
  readonly #peer: string;
  readonly #responseTimeoutMs: number;
  readonly #decoder: LengthFieldDecoder;
  readonly #awaited = new AwaitedAnswers();
  readonly #batch: RequestBatch;
  readonly #opening: Opening;
  #features: readonly string[] | undefined;
  #receiver: DataReceiver | undefined;
  /** Takes packets that the server sends by itself. */
  #pushes: { readonly foldedCommand: string; readonly onPush: OnPush } | undefined;
  #sendsGoingOn = 0;
  #isPaused = false;
  #isWatching = false;
  #hasFailed = false;
  #failure: unknown;
  #onFailure: (reason: unknown) => void = () => {};

  private constructor(
    flag: ProtocolFlag,
    transport: Transport,
    { host, port }: Endpoint,
    { responseTimeoutMs, platform }: ConnectionOptions,
    opening: Opening,
  ) {
    this.flag = flag;
    this.#opening = opening;
    this.#transport = transport;
    this.#peer = `${host}:${port}`;
    this.#responseTimeoutMs = responseTimeoutMs;
    this.#batch = new RequestBatch(platform, (parts) => {
      this.send(parts).catch(() => {}); // a failure rejects what is awaited
    });
    this.#decoder = new LengthFieldDecoder(packetLayout(), {
      onFrame: (source, start, end) => this.#onPacket(source, start, end),
      onBegun: (source, start, end, packetBytes) => this.#onBegun(source, start, end, packetBytes),
      onPiece: (source, start, end) => this.#onPiece(source, start, end),
    });
    transport.attach(this);
  }

  /**
   * Connects, chooses the protocol and, by default, logs in.
   *
   * @throws {ClientError} `ERR_CONNECT`, `ERR_TLS`, `ERR_LOGIN_REFUSED` and others; or the signal's reason
   */
  static async open(
    flag: ProtocolFlag,
    endpoint: Endpoint,
    options: ConnectionOptions,
    signal: AbortSignal,
    wanted: Opening = 'login',
  ): Promise<Connection> {
    const { host, port, isSecure } = endpoint;
    const { platform, connectTimeoutMs: timeoutMs } = options;
    const opening = wanted === 'login' && platform.hasSession ? 'session' : wanted;
    const tls = isSecure ? options.tls : undefined;
    const transport = await platform.dial({ host, port, timeoutMs, tls, signal });
    const connection = new Connection(flag, transport, endpoint, options, opening);
    const onAbort = () => connection.destroy(signal.reason);
    signal.addEventListener('abort', onAbort);
    try {
      if (opening === 'no-login') {
        await connection.send([Uint8Array.of(flag)]);
        return connection;
      }
      if (opening === 'ask-features' || opening === 'session') {
        const active = encodePacket(requestText(Command.Active, [[Key.Features, WANTED_FEATURES.join(',')]]));
        const { response } = await connection.#exchange(Command.Active, [Uint8Array.of(flag), active]);
        connection.#features = decodeFeatures(response.text);
        return connection;
      }
      let head = [Uint8Array.of(flag)];
      const link = {
        isPrivate: transport.isPrivate,
        channelBinding: () => transport.channelBinding(),
        ask: async (login: Uint8Array): Promise<Response> => {
          const parts = [...head, encodePacket(login)];
          head = [];
          return (await connection.#exchange(Command.Login, parts, { takesAnyCode: true })).response;
        },
      };
      const memory = options.loginMemory ?? new LoginMemory();
      const { text } = await logIn(link, endpoint, options.login, memory, platform.crypto);
      connection.#features = decodeFeatures(text);
      return connection;
    } catch (error) {
      const failure = connection.asFailure(error);
      connection.destroy(failure);
      throw loginFailure(failure, endpoint);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Whether the server knows extensions at all; one that does not is an original. */
  get isExtended(): boolean {
    return this.#features !== undefined;
  }

  /** Whether the server has announced the extension. docs/protocol.md. */
  supports(feature: string): boolean {
    return this.#features?.includes(feature) ?? false;
  }

  /** Whether it has ended. */
  get hasEnded(): boolean {
    return this.#hasFailed;
  }

  /** Why it has ended. */
  get reason(): unknown {
    return this.#failure;
  }

  /** Whether it can be handed to another call. */
  get isReusable(): boolean {
    return !this.#hasFailed && !this.hasOpenFile && !this.#receiver && !this.#pushes && this.#sendsGoingOn === 0;
  }

  /** Whether anything is awaited from the peer. */
  get isWaiting(): boolean {
    return !this.#awaited.isEmpty || this.#sendsGoingOn > 0 || this.#receiver !== undefined;
  }

  /**
   * Sends a request and waits for its answer.
   *
   * @throws {ClientError} `ERR_REMOTE` for a Code other than 0, and whatever ends the connection meanwhile
   */
  request(command: string, text: Uint8Array, data?: Uint8Array): Promise<Answer> {
    return this.#exchange(command, [encodePacket(text, data)]);
  }

  /**
   * As `request`, of a command that the server answers when it can, perhaps before earlier ones; the server must have the feature Tag. Leaves
   * at the end of this turn of the event loop, together with others.
   *
   * @param encode makes the text, with a Tag
   * @param data must stay as they are until the promise settles
   */
  requestTagged(command: string, encode: (tag: number) => Uint8Array, data?: Uint8Array): Promise<Answer> {
    if (this.#hasFailed) return Promise.reject(this.#failure);
    const tag = this.#awaited.freeTag();
    this.#batch.add(encode(tag), data);
    const answer = this.#awaited.tagged(command, tag);
    this.#watch();
    return answer;
  }

  /** Proves that the connection still works, or ends it (C3). */
  async heartbeat(): Promise<void> {
    // Without a login it is a RemoteStream of an original server, which would end the connection for Active.
    const isLoggedIn = this.#opening === 'login' || this.#opening === 'session';
    const command = isLoggedIn ? Command.Active : Command.GetPosition;
    try {
      await this.request(command, requestText(command));
    } catch (error) {
      const isAnswer = error instanceof ClientError && error.code === 'ERR_REMOTE';
      if (!isAnswer || isLoggedIn) this.destroy(error);
    }
  }

  /** Sends packets that are not answered. Settles when the system has taken them: only then may they be overwritten. */
  async send(parts: readonly Uint8Array[]): Promise<void> {
    if (this.#hasFailed) throw this.#failure;
    this.#sendsGoingOn += 1;
    this.#watch();
    try {
      await this.#transport.write(parts);
    } catch (error) {
      this.#lose(error);
      throw this.#failure;
    } finally {
      this.#sendsGoingOn -= 1;
      this.#watch();
    }
  }

  /** Hands SendFile and Data packets to a receiver, until it is removed with `undefined`. */
  receive(receiver: DataReceiver | undefined): void {
    this.#receiver = receiver;
    if (receiver && this.#hasFailed) receiver.onFailure(this.#failure);
    this.#watch();
  }

  /**
   * Takes packets of a command that the server sends by itself, until the connection ends; it serves no other call.
   *
   * @param start asks for them
   * @throws what ended it, what `start` rejects with, or what `onPush` throws
   */
  async watch(command: string, start: () => Promise<unknown>, onPush: OnPush): Promise<never> {
    this.#pushes = { foldedCommand: asciiFold(command), onPush };
    const ended = new Promise<never>((_resolve, reject) => {
      this.#onFailure = reject;
    });
    ended.catch(() => {}); // nobody waits while `start` does
    await start();
    return await ended;
  }

  /** Whether the connection, while nothing happens on it, keeps the process alive. */
  keepProcessAlive(doesKeep: boolean): void {
    this.#transport.keepProcessAlive(doesKeep);
  }

  /** Ends the connection at once. Everything that waits on it rejects with `reason`. */
  destroy(reason: unknown): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#failure = reason;
    this.#transport.destroy();
    this.#decoder.reset();
    this.#awaited.failAll(reason);
    this.#receiver?.onFailure(reason);
    this.#onFailure(reason);
    this.onEnd();
  }

  onBytes(buffer: Uint8Array, end: number): void {
    if (this.#hasFailed) return;
    try {
      this.#decoder.push(buffer, 0, end);
      const flushing = this.#receiver?.flush();
      if (flushing) this.#pauseUntil(flushing);
    } catch (error) {
      this.destroy(this.asFailure(error));
    }
  }

  onSilence(): void {
    const text = `${this.#peer} has not answered or taken anything for ${this.#responseTimeoutMs} ms`;
    this.destroy(new ClientError('ERR_TIMEOUT', text, { retryable: true }));
  }

  onClose(error: Error | undefined): void {
    this.#lose(error);
  }

  #exchange(
    command: string,
    parts: readonly Uint8Array[],
    options: { readonly takesAnyCode?: boolean } = {},
  ): Promise<Answer> {
    if (this.#hasFailed) return Promise.reject(this.#failure);
    const answer = this.#awaited.inOrder(command, options);
    this.send(parts).catch(() => {}); // a failure rejects what is awaited
    this.#watch();
    return answer;
  }

  #lose(cause: unknown): void {
    if (cause instanceof ClientError) {
      this.destroy(cause);
      return;
    }
    const why = cause === undefined ? 'the server closed it' : this.#transport.textOf(cause);
    const text = `connection to ${this.#peer} lost: ${why}`;
    this.destroy(new ClientError('ERR_CONNECTION_LOST', text, { cause, retryable: true }));
  }

  /** A whole packet. */
  #onPacket(source: Uint8Array, start: number, end: number): boolean {
    const textEnd = commandTextEnd(source, start, end - start);
    const response = decodeResponse(decodeCommandText(source, start + PACKET_HEAD_BYTES, textEnd));
    const command = asciiFold(response.command);

    if (command === 'data') this.#onData(response, source, textEnd, end);
    else if (command === 'sendfile' && this.#receiver) this.#onAnnounced(response);
    else if (command === this.#pushes?.foldedCommand) this.#onPush(response, source.subarray(textEnd, end));
    else this.#onAnswer(command, response, source, textEnd, end);
    return !this.#hasFailed;
  }

  /** The beginning of a packet: the data of a download is taken as it comes, everything else is assembled. */
  #onBegun(source: Uint8Array, start: number, end: number, packetBytes: number): boolean {
    if (!this.#receiver || end - start < PACKET_HEAD_BYTES) return false;
    const textEnd = commandTextEnd(source, start, packetBytes);
    if (end < textEnd) return false;
    const text = decodeCommandText(source, start + PACKET_HEAD_BYTES, textEnd);
    if (text.command === undefined || asciiFold(text.command) !== 'data') return false;
    this.#onData(decodeResponse(text), source, textEnd, end);
    return true;
  }

  #onPiece(source: Uint8Array, start: number, end: number): boolean {
    this.#receiver?.onData(source, start, end);
    return !this.#hasFailed;
  }

  #onData(response: Response, source: Uint8Array, start: number, end: number): void {
    // On an upload it says that what was sent could not be stored. Some old servers confirm every Data packet with code 0 (V7).
    if (response.code !== ResultCode.Success) throw responseError(response);
    if (this.#receiver) this.#receiver.onData(source, start, end);
    else if (!this.hasOpenFile) throw this.#protocolError('the server sent data that nobody asked for');
  }

  #onPush(response: Response, data: Uint8Array): void {
    if (response.code !== ResultCode.Success) throw responseError(response);
    const pending = this.#pushes?.onPush(response, data);
    if (pending) this.#pauseUntil(pending);
  }

  #onAnnounced(response: Response): void {
    if (response.code !== ResultCode.Success) throw responseError(response);
    this.#receiver?.onAnnounced(response);
  }

  #onAnswer(command: string, response: Response, source: Uint8Array, start: number, end: number): void {
    if (this.#awaited.settle(command, response, { source, start, end })) {
      this.#watch();
      return;
    }
    // A failure that belongs to no request: the server could not read one, or ends the connection and says why.
    if (response.code !== ResultCode.Success && command === '') throw responseError(response);
    throw this.#protocolError('the server sent an answer that belongs to no request');
  }

  #pauseUntil(flushing: Promise<void>): void {
    this.#isPaused = true;
    this.#transport.pause();
    this.#watch();
    flushing.then(
      () => {
        this.#isPaused = false;
        if (this.#hasFailed) return;
        this.#transport.resume();
        this.#watch();
      },
      (error: unknown) => this.destroy(this.asFailure(error)),
    );
  }

  /** Silence counts only while something is awaited, and while it is not this side that holds things up. */
  #watch(): void {
    const isWatching = this.isWaiting && !this.#isPaused && !this.#hasFailed;
    if (isWatching === this.#isWatching) return;
    this.#isWatching = isWatching;
    this.#transport.expectActivity(isWatching ? this.#responseTimeoutMs : 0);
  }

  /** What a caller is told for an error: for bytes that are not the protocol, `ERR_PROTOCOL`; for a session that has ended, that. */
  asFailure(error: unknown): unknown {
    if (error instanceof ProtocolError || error instanceof FramingError)
      return this.#protocolError(error.message, error);
    const hasEnded = this.#opening === 'session' && error instanceof ClientError;
    if (!hasEnded || error.resultCode !== ResultCode.NotLoggedIn) return error;
    const { resultCode } = error;
    const text = `nobody is logged in at ${this.#peer} any longer: log in again`;
    return new ClientError('ERR_LOGIN_REFUSED', text, { cause: error, resultCode });
  }

  #protocolError(what: string, cause?: unknown): ClientError {
    return new ClientError('ERR_PROTOCOL', `${this.#peer} does not speak this protocol: ${what}`, { cause });
  }
}
