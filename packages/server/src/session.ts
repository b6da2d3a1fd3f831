import {
  type CloseReason,
  type Connection,
  FramedConnection,
  type FrameHandler,
  MessageStream,
  type MessageStreamOptions,
  type SendResult,
} from '@sluice/core';
import { FramingError } from '@sluice/framing';
import {
  asciiFold,
  type CommandText,
  commandTextEnd,
  dataRequestText,
  decodeCommandText,
  decodeFeatures,
  encodePacket,
  encodeWelcome,
  Feature,
  type Field,
  Key,
  messageText,
  PACKET_HEAD_BYTES,
  ProtocolError,
  packetLayout,
  RequestError,
  ResultCode,
  responseText,
  type TransferRecord,
} from '@sluice/wire';
import { answerFor } from './answers.js';
import { BusyError } from './busy-error.js';
import type { ClientRegistry, ClientSource } from './client-registry.js';
import { type Log, withFields } from './log.js';
import { type Authenticator, LoginDialogue, type LoginLink, type LoginResult } from './login-dialogue.js';
import type { Telemetry, TracedConnection, TracedRequest } from './metrics/telemetry.js';
import { commandLabel, type ProtocolTraffic, type Traffic } from './metrics/traffic.js';
import {
  answerCode,
  DATA_RECEIVED,
  PACKET_SENT,
  receivedEvent,
  ServerEvent,
  sentEvent,
  sentEventNamed,
} from './packet-events.js';
import type { Principal } from './principal.js';
import type { PacketProtocol, ProtocolHandler, Session } from './protocol.js';
import { RequestMemory } from './request-memory.js';
import type { ServerMode } from './server-mode.js';

/** What all packet sessions of a server share. */
export interface SessionContext {
  readonly authenticator: Authenticator;
  /** Whether a connection that is not encrypted may be logged in on by digest, by the address of the peer. */
  readonly allowsPlainDigest: (address: string) => boolean;
  /** Who acts on a connection that has not logged in, where the protocol needs no login. */
  readonly anybody: Principal;
  readonly mode: Readonly<ServerMode>;
  /** Who has logged in before a connection was made, and is logged in on it; `undefined` for nobody. */
  readonly principalOf: (connection: Connection) => Principal | undefined;
  /** Whether a connection is refused that is not encrypted. */
  readonly refusesPlain: (connection: Connection) => boolean;
  readonly clients: ClientRegistry;
  readonly traffic: Traffic;
  /** `undefined` where nobody traces. */
  readonly telemetry: Telemetry | undefined;
  readonly log: Log;
}

const DATA_TEXT = dataRequestText();
const NO_DATA = new Uint8Array(0);

/** Packets up to this size are copied to where the others of a tick are. */
const COPIED_BYTES = 64 << 10;

/** Of requests that are done within the packet they come in, one of so many is timed, for all of them. */
const PLAIN_PER_TIMED = 16;

/** Logins that one connection may try in vain. */
const MAX_FAILED_LOGINS = 10;

/** Longest command text before login, in bytes: a Login needs some 100, and a stranger gets no more memory than this. */
const MAX_TEXT_BEFORE_LOGIN = 64 << 10;

/** Most lines in a command text: more than any list of names has, and no more work than some milliseconds. */
const MAX_LINES = 65_536;

/** When a client may try again what the server is too busy for, unless there is something better to say. */
const BUSY_RETRY_AFTER_MS = 1000;

/** What becomes of a packet that arrives in pieces. */
type Pieces =
  /** Its data goes to the protocol as it comes. */
  | { readonly kind: 'data' }
  /** Its command takes no data: that is dropped, and the command done when the packet is complete. */
  | { readonly kind: 'drop'; readonly text: CommandText };

/**
 * One connection that has chosen a framed protocol: decodes requests, does the common commands (specification 4), holds the login gate,
 * and gives the rest to the protocol. Every request gets an answer, whatever happens (D11).
 */
export class ServerSession implements Session, FrameHandler, ClientSource, LoginLink {
  readonly log: Log;
  readonly recordsFrames = true;
  readonly #connection: Connection;
  readonly #framed: FramedConnection;
  readonly #protocol: PacketProtocol;
  readonly #handler: ProtocolHandler;
  readonly #context: SessionContext;
  /** Who has logged in. */
  #user: Principal | undefined;
  #knowsExtensions = false;
  /** Made when somebody logs in. */
  #login: LoginDialogue | undefined;
  #failedLogins = 0;
  readonly #traffic: ProtocolTraffic;
  readonly #traced: TracedConnection | undefined;
  #plainCommands = 0;
  #sentFrames = 0;
  #pieces: Pieces | undefined;
  /** The packet that has begun is to come whole: its command takes the data. */
  #isAssembling = false;
  /** Made when somebody asks for its signal: that takes more memory than all else of an idle session. */
  #gone: AbortController | undefined;
  #isGone = false;
  readonly memory: RequestMemory;

  /** Takes the connection over from its next byte on. */
  static start(connection: Connection, protocol: PacketProtocol, context: SessionContext): FramedConnection {
    const session = new ServerSession(connection, protocol, context);
    if (session.#user) session.#noteLogin('session');
    return session.#framed;
  }

  private constructor(connection: Connection, protocol: PacketProtocol, context: SessionContext) {
    this.#connection = connection;
    this.#protocol = protocol;
    this.#context = context;
    this.#user = context.principalOf(connection);
    this.#traffic = context.traffic.of(protocol.name);
    this.#traced = context.telemetry?.connection(protocol.name, connection.id, connection.remoteAddress);
    this.log = withFields(context.log, () => ({
      connection: connection.id,
      protocol: protocol.name,
      user: this.#user?.userName,
      certificate: connection.tls?.peerSubject,
      remote: `${connection.remoteAddress}:${connection.remotePort}`,
    }));
    this.memory = new RequestMemory(connection.memory, connection, this);
    this.#framed = new FramedConnection(connection, packetLayout(), this);
    this.#handler = protocol.open(this);
    context.clients.bind(connection, this);
  }

  get id(): number {
    return this.#connection.id;
  }
  get remoteAddress(): string {
    return this.#connection.remoteAddress;
  }
  get principal(): Principal {
    return this.#user ?? this.#context.anybody;
  }
  get knowsExtensions(): boolean {
    return this.#knowsExtensions;
  }
  get mayUseDigest(): boolean {
    return this.#connection.isEncrypted || this.#context.allowsPlainDigest(this.remoteAddress);
  }
  get isClosing(): boolean {
    return this.#connection.isClosing;
  }
  get queuedBytes(): number {
    return this.#connection.queuedBytes;
  }
  get protocolName(): string {
    return this.#protocol.name;
  }
  get userName(): string | undefined {
    return this.#user?.userName;
  }
  get receivedFrames(): number {
    return this.#framed.frames;
  }
  get sentFrames(): number {
    return this.#sentFrames;
  }
  get transfer(): TransferRecord | undefined {
    return this.#handler.transfer;
  }
  get isBusy(): boolean {
    return this.#handler.isBusy;
  }
  get isSending(): boolean {
    return this.#handler.isSending;
  }
  get isAwaitingLogin(): boolean {
    return !this.#isAllowed;
  }

  channelBinding(): Uint8Array | undefined {
    return this.#connection.tls?.channelBinding();
  }

  requireMayChange(): void {
    if (this.principal.role === 'read-only') throw new RequestError(ResultCode.NotPermitted, 'this user may only read');
    if (this.#context.mode.isReadOnly) throw new RequestError(ResultCode.NotPermitted, 'the server is read-only now');
  }

  reply(text: Uint8Array, data?: Uint8Array): void {
    this.#sentFrames += 1;
    const packet = encodePacket(text, data);
    const event = sentEvent(text);
    // It is ours, and nobody changes it: a large one is not copied once more.
    if (packet.length > COPIED_BYTES) this.#requireKept(this.#connection.sendOwned(packet, nothing, 1, event));
    else this.#requireKept(this.#connection.send(packet, event));
    const code = answerCode(text);
    if (code === ResultCode.Success) return;
    this.#connection.record(ServerEvent.refusedAnswer, code);
    this.#traffic.countFailure(code);
  }

  refuse(command: string, error: unknown, fields: readonly Field[] = []): void {
    if (this.#isGone) return; // nobody hears it, and that the work was broken off is no failure
    const { code, message, isExpected } = answerFor(error);
    if (isExpected) this.log.info('request refused', { command, code, detail: message });
    else this.log.error('request failed', { command, detail: String(error), cause: causeOf(error) });
    const retryAfterMs = error instanceof BusyError ? error.retryAfterMs : BUSY_RETRY_AFTER_MS;
    const isTimed = code === ResultCode.Busy && fields.length === 0 && this.#knowsExtensions;
    const told: readonly Field[] = isTimed ? [[Key.RetryAfterMs, retryAfterMs]] : fields;
    this.reply(responseText(command, code, told, messageText(message)));
  }

  replyInPlace(maxBytes: number, fill: (target: Uint8Array, at: number) => number, command?: string): void {
    this.#requireKept(this.#connection.sendInPlace(maxBytes, fill, eventOfSent(command)));
    this.#sentFrames += 1;
  }

  sendOwned(packets: Uint8Array, count: number, release: () => void, command?: string): boolean {
    this.#sentFrames += count;
    return this.#requireKept(this.#connection.sendOwned(packets, release, count, eventOfSent(command)));
  }

  messageStream(options: MessageStreamOptions): MessageStream {
    const connection = this.#connection;
    const sink = {
      get isClosing() {
        return connection.isClosing;
      },
      clock: connection.clock,
      messageCounters: connection.messageCounters,
      sendOwned: (bytes: Uint8Array, release: () => void, packets: number) => {
        const result = connection.sendOwned(bytes, release, packets, PACKET_SENT);
        if (result !== 'refused') this.#sentFrames += packets;
        return result;
      },
      close: (reason: string) => connection.close(reason),
    };
    return new MessageStream(sink, options);
  }

  #requireKept(result: SendResult): boolean {
    // Cannot be while the connection is open: no request is handled while the queue is above its high-water mark, and what one request
    // brings fits between that and the hard limit. If it is all the same, a gap in the stream would be worse than an end.
    if (result === 'refused' && !this.#connection.isClosing) this.#connection.destroy('outbound-limit');
    return result !== 'refused';
  }

  close(reason: string): void {
    this.#connection.close(reason);
  }

  get gone(): AbortSignal {
    if (!this.#gone) {
      this.#gone = new AbortController();
      if (this.#isGone) this.#gone.abort();
    }
    return this.#gone.signal;
  }

  destroy(reason: string): void {
    this.#abort();
    this.#connection.destroy(reason);
  }

  #abort(): void {
    this.#isGone = true;
    this.#gone?.abort();
  }

  settled(): void {
    this.#framed.check();
  }

  onFrame(source: Uint8Array, start: number, end: number): void | Promise<void> {
    this.#isAssembling = false;
    const textStart = start + PACKET_HEAD_BYTES;
    const textEnd = commandTextEnd(source, start, end - start);
    if (this.#takesData && isPlainData(source, textStart, textEnd)) {
      this.#connection.record(DATA_RECEIVED, end - start);
      this.#handler.onData?.(source, textEnd, end);
      return;
    }
    if (this.#isPlainCommand(source, textStart, textEnd, end - textEnd)) {
      this.#connection.record(receivedEvent(this.#protocol.plain!.name), end - start);
      if (!this.#protocol.needsLogin) this.#connection.establish();
      this.#plainCommands += 1;
      const isTimed = this.#plainCommands % PLAIN_PER_TIMED === 0;
      const begunMs = isTimed ? this.#connection.nowMs() : 0;
      this.#handler.onPlain!(source, textStart, textEnd, end);
      if (isTimed) this.#notePlainTime(begunMs);
      return;
    }
    const text = this.#decodeText(source, textStart, textEnd);
    this.#connection.record(receivedEvent(text.command ?? ''), end - start);
    if (this.#takesData && isData(text)) {
      this.#handler.onData?.(source, textEnd, end);
      return;
    }
    return this.#dispatch(text, source, textEnd, end);
  }

  onBegun(source: Uint8Array, start: number, end: number, frameLength: number): boolean {
    const textStart = start + PACKET_HEAD_BYTES;
    if (this.#isAssembling || end < textStart) return false;
    const textEnd = commandTextEnd(source, start, frameLength);
    this.#requireFitting(textEnd - textStart);
    if (end < textEnd) return false;
    if (this.#isPlainCommand(source, textStart, textEnd, start + frameLength - textEnd)) {
      this.#isAssembling = true;
      return false;
    }
    const isPlain = this.#takesData && isPlainData(source, textStart, textEnd);
    const text = isPlain ? undefined : this.#decodeText(source, textStart, textEnd);
    if (text && this.#wantsWhole(text)) {
      this.#isAssembling = true; // the text is not decoded again for each further byte
      return false;
    }
    this.#connection.record(text ? receivedEvent(text.command ?? '') : DATA_RECEIVED, frameLength);
    if (!text || (this.#takesData && isData(text))) {
      this.#pieces = { kind: 'data' };
      this.#handler.onData?.(source, textEnd, end);
    } else {
      this.#pieces = { kind: 'drop', text };
    }
    return true;
  }

  onPiece(source: Uint8Array, start: number, end: number, isLast: boolean): void | Promise<void> {
    if (this.#pieces?.kind === 'data') this.#handler.onData?.(source, start, end);
    else if (isLast && this.#pieces) return this.#dispatch(this.#pieces.text, NO_DATA, 0, 0);
  }

  onBatchEnd(): void | Promise<void> {
    return this.#handler.onBatchEnd?.();
  }

  onShutdown(): void {
    this.#handler.onShutdown?.();
  }

  onFailed(error: unknown): CloseReason {
    if (error instanceof FramingError) {
      this.log.info('bad packet length', { detail: error.message });
      return 'framing-error';
    }
    if (error instanceof ProtocolError) {
      this.log.info('bad packet', { detail: error.message });
      if (error.code === 'ERR_TEXT_MALFORMED') this.reply(responseText('', ResultCode.PacketFormatError));
      return 'bad-packet';
    }
    this.log.error('unexpected error', { detail: String(error) });
    return 'handler-failed';
  }

  onClosed(reason: string, error: Error | undefined): void {
    this.#abort();
    this.#traffic.receivedFrames += this.receivedFrames;
    this.#traffic.sentFrames += this.#sentFrames;
    this.#traced?.end(reason);
    this.memory.close();
    this.#context.clients.remove(this.#connection);
    this.log.info('connection closed', { reason, detail: error?.message });
    Promise.resolve(this.#handler.onClosed()).catch((failure: unknown) => {
      this.log.error('releasing a connection failed', { detail: String(failure) });
    });
  }

  /** @throws {ProtocolError} `ERR_COMMAND_LENGTH`, `ERR_TEXT_MALFORMED` */
  #decodeText(source: Uint8Array, start: number, end: number): CommandText {
    this.#requireFitting(end - start);
    return decodeCommandText(source, start, end, MAX_LINES);
  }

  #requireFitting(textBytes: number): void {
    if (this.#isAllowed || textBytes <= MAX_TEXT_BEFORE_LOGIN) return;
    throw new ProtocolError('ERR_COMMAND_LENGTH', `command text of ${textBytes} bytes before login`);
  }

  #isPlainCommand(source: Uint8Array, start: number, end: number, dataBytes: number): boolean {
    const { plain } = this.#protocol;
    return plain !== undefined && this.#isAllowed && plain.matches(source, start, end, dataBytes);
  }

  /** Whether the data of this packet is for its command. */
  #wantsWhole({ command }: CommandText): boolean {
    return command !== undefined && this.#isAllowed && this.#handler.takesData?.has(asciiFold(command)) === true;
  }

  /** Whether the data of a Data packet may go to the protocol. */
  get #takesData(): boolean {
    return this.#handler.onData !== undefined && this.#isAllowed;
  }

  get #isAllowed(): boolean {
    return !this.#protocol.needsLogin || this.#user !== undefined;
  }

  /** @param source has the data at `[start, end)` */
  #dispatch(text: CommandText, source: Uint8Array, start: number, end: number): void | Promise<void> {
    if (text.command === undefined) return this.reply(responseText('', ResultCode.CommandNotCompleted));
    if (!this.#protocol.needsLogin) this.#connection.establish();
    const command = text.command.replace(/[\r\n]/g, ' '); // legal in a request (3.2, rule 9), never in an answer
    const name = asciiFold(command);
    const begunMs = this.#connection.nowMs();
    const traced = this.#traced?.request(commandLabel(name));
    try {
      const data = start < end && this.#wantsWhole(text) ? source.subarray(start, end) : NO_DATA;
      const pending = this.#handle(command, name, text, data);
      if (pending) {
        return pending.then(
          () => this.#noteEnd(name, begunMs, traced),
          (error: unknown) => {
            this.refuse(command, error);
            this.#noteEnd(name, begunMs, traced, error);
          },
        );
      }
    } catch (error) {
      this.refuse(command, error);
      this.#noteEnd(name, begunMs, traced, error);
      return;
    }
    this.#noteEnd(name, begunMs, traced);
  }

  #noteEnd(name: string, begunMs: number, traced: TracedRequest | undefined, error?: unknown): void {
    this.#traffic.timesOf(name).observe(this.#connection.nowMs() - begunMs);
    if (!traced) return;
    const { code, isExpected } = error === undefined ? { code: undefined, isExpected: true } : answerFor(error);
    traced.end(code, !isExpected);
  }

  /** As many as it stands for were not timed. */
  #notePlainTime(begunMs: number): void {
    const times = this.#traffic.timesOf(asciiFold(this.#protocol.plain!.name));
    times.observe(this.#connection.nowMs() - begunMs, PLAIN_PER_TIMED);
  }

  #handle(command: string, name: string, text: CommandText, data: Uint8Array): void | Promise<void> {
    if (name === 'login') return this.#logIn(command, text);
    if (name === 'active') return this.#active(command, text);
    if (!this.#isAllowed) return this.reply(responseText(command, ResultCode.NotLoggedIn));
    const handler = this.#handler.commands.get(name);
    if (handler) return handler({ command, text, data });
    this.log.info('unknown command', { command });
    this.reply(responseText(command, ResultCode.NotExistCommand));
  }

  async #logIn(command: string, text: CommandText): Promise<void> {
    try {
      this.#login ??= new LoginDialogue(this.#context.authenticator, this);
      const result = await this.#login.step(text, (userName) => this.#countFailure({ userName, refusal: 'not-ended' }));
      const { answer, user, refusal, method, knowsExtensions } = result;
      if (refusal) this.#countFailure(result);
      if (user) {
        this.#user = user;
        if (knowsExtensions) this.#knowsExtensions = true;
        this.#noteLogin(method);
      }
      this.reply(answer(command, this.#features));
    } catch (error) {
      this.refuse(command, error);
    }
    if (this.#failedLogins >= MAX_FAILED_LOGINS) this.close('too-many-logins');
  }

  #noteLogin(method: string): void {
    this.#connection.establish();
    this.#connection.record(ServerEvent.loginAccepted);
    this.log.info('login accepted', { method });
  }

  #countFailure({ userName, refusal, method }: Pick<LoginResult, 'userName' | 'refusal'> & { method?: string }): void {
    this.#failedLogins += 1;
    this.#connection.record(ServerEvent.loginRefused);
    // A guesser can have thousands refused unchecked in a second: those are not worth a line each.
    if (refusal === 'unchecked') this.log.debug('login not checked', { name: userName });
    else this.log.warn('login refused', { name: userName, reason: refusal, method });
  }

  get #features(): readonly string[] {
    return [...this.#protocol.features, Feature.Scram];
  }

  #active(command: string, text: CommandText): void {
    const features = decodeFeatures(text);
    if (features) this.#knowsExtensions = true;
    this.reply(encodeWelcome(command, features && this.#features));
  }
}

function nothing(): void {}

function isPlainData(source: Uint8Array, start: number, end: number): boolean {
  // Compared as bytes: this is the one text that comes with every few KiB of an upload.
  if (end - start !== DATA_TEXT.length) return false;
  for (let i = 0; i < DATA_TEXT.length; i++) if (source[start + i] !== DATA_TEXT[i]) return false;
  return true;
}

function isData(text: CommandText): boolean {
  return text.command !== undefined && asciiFold(text.command) === 'data';
}

function causeOf(error: unknown): string | undefined {
  return error instanceof Error && error.cause !== undefined ? String(error.cause) : undefined;
}

function eventOfSent(command: string | undefined): number {
  return command === undefined ? PACKET_SENT : sentEventNamed(command);
}
