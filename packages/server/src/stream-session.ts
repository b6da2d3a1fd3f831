import {
  type CloseReason,
  type Connection,
  type ConnectionHandler,
  MessageStream,
  type MessageStreamOptions,
} from '@sluice/core';
import type { ClientRegistry, ClientSource } from './client-registry.js';
import { type Log, withFields } from './log.js';
import type { StreamHandler, StreamProtocol, StreamSession } from './protocol.js';
import type { SessionContext } from './session.js';

/** One connection that has chosen a protocol without packets. Specification 10. */
export class ServerStreamSession implements StreamSession, ConnectionHandler, ClientSource {
  readonly log: Log;
  readonly protocolName: string;
  readonly userName = undefined;
  /** It has no frames. */
  readonly receivedFrames = 0;
  readonly sentFrames = 0;
  readonly transfer = undefined;
  /** Its peer has only to listen: what it takes keeps it from being idle. Specification 10, V13. */
  readonly isSending = true;
  readonly #connection: Connection;
  readonly #handler: StreamHandler;
  readonly #clients: ClientRegistry;

  constructor(connection: Connection, protocol: StreamProtocol, context: Pick<SessionContext, 'clients' | 'log'>) {
    this.#connection = connection;
    this.protocolName = protocol.name;
    this.#clients = context.clients;
    this.log = withFields(context.log, () => ({
      connection: connection.id,
      protocol: protocol.name,
      remote: `${connection.remoteAddress}:${connection.remotePort}`,
    }));
    this.#handler = protocol.open(this);
    context.clients.bind(connection, this);
  }

  get id(): number {
    return this.#connection.id;
  }
  get remoteAddress(): string {
    return this.#connection.remoteAddress;
  }
  get isClosing(): boolean {
    return this.#connection.isClosing;
  }
  get queuedBytes(): number {
    return this.#connection.queuedBytes;
  }

  messageStream(options: MessageStreamOptions): MessageStream {
    return new MessageStream(this.#connection, options);
  }

  close(reason: string): void {
    this.#connection.close(reason);
  }

  destroy(reason: string): void {
    this.#connection.destroy(reason);
  }

  onBytes(source: Uint8Array, start: number, end: number): void {
    this.#handler.onBytes(source, start, end);
  }

  onClosed(reason: CloseReason, error: Error | undefined): void {
    this.#clients.remove(this.#connection);
    this.log.info('connection closed', { reason, detail: error?.message });
    this.#handler.onClosed();
  }
}
