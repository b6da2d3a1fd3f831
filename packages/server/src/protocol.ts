import type { MessageStream, MessageStreamOptions } from '@sluice/core';
import type { CommandText, Field, TransferRecord } from '@sluice/wire';
import type { Log } from './log.js';
import type { Principal } from './principal.js';

/** A request whose text has been decoded. */
export interface Request {
  /** The command as the peer spelled it: answers repeat it. */
  readonly command: string;
  readonly text: CommandText;
  /** The data of the packet, for a command in `takesData`, else empty. Valid until the handler returns, not until its promise settles. */
  readonly data: Uint8Array;
}

/** Answers by `session.reply`. A `RequestError` or `StorageError` that it throws becomes the answer. */
export type CommandHandler = (request: Request) => void | Promise<void>;

/** What the requests of a connection may take of the server's memory. docs/operations.md, "Memory". */
export interface SessionMemory {
  /** Whether no work should begin that needs much, and what is kept for later should be given back. */
  readonly isShort: boolean;
  /** Whether the peer sends data that take memory while they are worked on: then it is not read while much of that is held. */
  isFeeding: boolean;
  /**
   * Asks for room for an answer of so many bytes, before it is made.
   *
   * @returns nothing when there is; a promise when the request has to wait for it
   * @throws {RequestError} code 12 when that takes too long; or rejects with it
   */
  roomToSend(bytes: number): void | Promise<void>;
  /** The same for the next piece of what is under way, which holds nothing meanwhile. Rejects only when the connection is gone. */
  roomForMore(bytes: number): void | Promise<void>;
  /** The same for an answer that is there, and must not wait. @throws {RequestError} code 12 */
  requireRoomToSend(bytes: number): void;
  /** Says that a request holds so much until the result is disposed. */
  hold(bytes: number): Disposable;
  /** As `hold`, when there is room. @throws {RequestError} code 12 when that takes too long */
  holdWhenRoom(bytes: number): Promise<Disposable>;
}

/** A peer, as a protocol sees it. */
export interface Session {
  /** Of the connection, unique in this run of the server. */
  readonly id: number;
  readonly remoteAddress: string;
  /** Who has logged in; anybody, while nobody has. Ask for it with each request: a login may come at any time. */
  readonly principal: Principal;
  /** Whether the client has said that it knows extensions. docs/protocol.md. */
  readonly knowsExtensions: boolean;
  /** Adds connection, user and address to what it is told. */
  readonly log: Log;
  readonly memory: SessionMemory;
  readonly isClosing: boolean;
  /** Bytes that wait for the peer to read. */
  readonly queuedBytes: number;
  /** Aborted when the connection is cut or gone: nobody waits for what is still being done for it. */
  readonly gone: AbortSignal;
  /** To be called before anything is changed. @throws {RequestError} code 13 when the user, or anybody now, may only read */
  requireMayChange(): void;
  /** Sends a packet. What is sent in one tick leaves in one write. */
  reply(text: Uint8Array, data?: Uint8Array): void;
  /**
   * Answers a request that failed, and logs it: what happens to the error that a handler throws, for one that has something to add.
   *
   * @param fields stand behind Message
   */
  refuse(command: string, error: unknown, fields?: readonly Field[]): void;
  /**
   * Lets `fill` write a packet of at most `maxBytes` bytes where it will be sent from, at `target[at, ...)`, and return its length. Nothing
   * may be sent from within. What it throws is thrown on, and nothing was sent. Not called when the connection is closing.
   *
   * @param command whose answer it is, for those who look at what has happened on the connection. @default not told
   */
  replyInPlace(maxBytes: number, fill: (target: Uint8Array, at: number) => number, command?: string): void;
  /**
   * Sends whole packets from the caller's memory, which stays untouched until `release` is called, maybe before this returns.
   *
   * @param count how many
   * @param command of them all, as with `replyInPlace`
   * @returns whether they were kept; if not, the connection is closing and `release` is not called
   */
  sendOwned(packets: Uint8Array, count: number, release: () => void, command?: string): boolean;
  /** A stream of packets that are sent because something happens, and what becomes of those for which there is no room. */
  messageStream(options: MessageStreamOptions): MessageStream;
  /** Ends the connection after what is queued has left. */
  close(reason: string): void;
  /** Ends the connection at once. */
  destroy(reason: string): void;
  /** To be called when the handler's `isBusy` or `isSending` has become false. */
  settled(): void;
}

/** What a protocol does on one connection. Calls come one at a time; a promise holds the next ones back until it settles. */
export interface ProtocolHandler {
  /** By name, in small letters. */
  readonly commands: ReadonlyMap<string, CommandHandler>;
  /** Commands whose packets carry data, by name in small letters; the data of all others is dropped as it comes. */
  readonly takesData?: ReadonlySet<string>;
  /**
   * The data of Data packets, as it comes; where one packet ends and the next begins means nothing. `source[start, end)` stays valid until
   * `onBatchEnd` has returned. While there is no such method Data is an unknown command.
   */
  readonly onData?: ((source: Uint8Array, start: number, end: number) => void) | undefined;
  /**
   * A packet that `PacketProtocol.plain` knows, not decoded: its text is `source[start, textEnd)`, its data `source[textEnd, end)`. Valid until
   * the call returns. Must not throw.
   */
  onPlain?(source: Uint8Array, start: number, textEnd: number, end: number): void;
  /** All that has been received for now was handed over. */
  onBatchEnd?(): void | Promise<void>;
  /** The server stops. What need not come to its end is ended here; the connection closes when it is neither busy nor sending. */
  onShutdown?(): void;
  /** The connection is gone: release everything. */
  onClosed(): void | Promise<void>;
  /** Whether a transfer is open: a shutdown waits for it. */
  readonly isBusy: boolean;
  /** Whether more will be sent without being asked for. */
  readonly isSending: boolean;
  /** What is being transferred just now, for those who look at connections. */
  readonly transfer?: TransferRecord | undefined;
}

/** A command that comes so often that its usual form is told by its bytes: nothing is decoded for it. */
export interface PlainCommand {
  /** As requests spell it in that form. */
  readonly name: string;
  /** Whether the packet with its text at `source[start, textEnd)` and so much data is of that form. All others are decoded. */
  matches(source: Uint8Array, start: number, textEnd: number, dataBytes: number): boolean;
}

/** A protocol of packets, one of those that the first byte of a connection chooses between. Specification 1.1. */
export interface PacketProtocol {
  readonly kind: 'packets';
  readonly name: string;
  readonly flag: number;
  /** Whether commands other than Login and Active need a login. Specification 4.2. */
  readonly needsLogin: boolean;
  /** The extensions it has, as a client that asks is told. docs/protocol.md, section 17.1. */
  readonly features: readonly string[];
  /** Goes to `ProtocolHandler.onPlain`. */
  readonly plain?: PlainCommand;
  open(session: Session): ProtocolHandler;
}

/** A peer, as a protocol without packets sees it. */
export type StreamSession = Pick<
  Session,
  'id' | 'remoteAddress' | 'log' | 'isClosing' | 'queuedBytes' | 'messageStream' | 'close' | 'destroy'
>;

/** What a protocol without packets does on one connection. */
export interface StreamHandler {
  /** Bytes have come: `source[start, end)`, valid until the call returns. */
  onBytes(source: Uint8Array, start: number, end: number): void;
  /** The connection is gone: release everything. */
  onClosed(): void;
}

/** A protocol without packets. Specification 10. */
export interface StreamProtocol {
  readonly kind: 'stream';
  readonly name: string;
  readonly flag: number;
  open(session: StreamSession): StreamHandler;
}

export type { MessageStream };

export type Protocol = PacketProtocol | StreamProtocol;
