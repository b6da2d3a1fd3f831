import type { CommandText } from '@sluice/wire';
import type { Log } from './log.js';

/** A request whose text has been decoded. */
export interface Request {
  /** The command as the peer spelled it: answers repeat it. */
  readonly command: string;
  readonly text: CommandText;
}

/** Answers by `session.reply`. A `RequestError` or `StorageError` that it throws becomes the answer. */
export type CommandHandler = (request: Request) => void | Promise<void>;

/** A peer, as a protocol sees it. */
export interface Session {
  /** Of the connection, unique in this run of the server. */
  readonly id: number;
  readonly remoteAddress: string;
  /** Whether the client has said that it knows extensions. docs/protocol.md. */
  readonly knowsExtensions: boolean;
  /** Adds connection, user and address to what it is told. */
  readonly log: Log;
  readonly isClosing: boolean;
  /** Aborted when the connection is cut or gone: nobody waits for what is still being done for it. */
  readonly gone: AbortSignal;
  /** Sends a packet. What is sent in one tick leaves in one write. */
  reply(text: Uint8Array, data?: Uint8Array): void;
  /**
   * Sends whole packets from the caller's memory, which stays untouched until `release` is called, maybe before this returns.
   *
   * @returns whether they were kept; if not, the connection is closing and `release` is not called
   */
  sendOwned(packets: Uint8Array, release: () => void): boolean;
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
  /**
   * The data of Data packets, as it comes; where one packet ends and the next begins means nothing. `source[start, end)` stays valid until
   * `onBatchEnd` has returned. Without this method Data is an unknown command.
   */
  onData?(source: Uint8Array, start: number, end: number): void;
  /** All that has been received for now was handed over. */
  onBatchEnd?(): void | Promise<void>;
  /** The connection is gone: release everything. */
  onClosed(): void | Promise<void>;
  /** Whether a transfer is open: a shutdown waits for it. */
  readonly isBusy: boolean;
  /** Whether more will be sent without being asked for. */
  readonly isSending: boolean;
}

/** One of the protocols that the first byte of a connection chooses between. Specification 1.1. */
export interface Protocol {
  readonly name: string;
  readonly flag: number;
  /** Whether commands other than Login and Active need a login. Specification 4.2. */
  readonly needsLogin: boolean;
  open(session: Session): ProtocolHandler;
}
