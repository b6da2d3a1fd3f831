import type { Connection, ConnectionHandler } from '@sluice/core';
import { type Log, withFields } from './log.js';
import type { Protocol } from './protocol.js';
import { ServerSession, type SessionContext } from './session.js';
import { ServerStreamSession } from './stream-session.js';

/** A connection that has not chosen its protocol: its first byte does. Specification 1. */
export class FlagReader implements ConnectionHandler {
  readonly #connection: Connection;
  readonly #protocols: ReadonlyMap<number, Protocol>;
  readonly #context: SessionContext;
  readonly #log: Log;

  constructor(connection: Connection, protocols: ReadonlyMap<number, Protocol>, context: SessionContext) {
    this.#connection = connection;
    this.#protocols = protocols;
    this.#context = context;
    const remote = `${connection.remoteAddress}:${connection.remotePort}`;
    const local = `${connection.localAddress}:${connection.localPort}`;
    this.#log = withFields(context.log, () => ({ connection: connection.id, remote, local }));
    this.#log.debug('connection accepted');
    context.clients.add(connection);
  }

  onBytes(source: Uint8Array, start: number, end: number): void {
    const flag = source[start]!;
    const protocol = this.#protocols.get(flag);
    if (!protocol) {
      this.#log.info('no such protocol', { flag });
      this.#connection.close('unknown-protocol');
      return;
    }
    const handler =
      protocol.kind === 'packets'
        ? ServerSession.start(this.#connection, protocol, this.#context)
        : new ServerStreamSession(this.#connection, protocol, this.#context);
    this.#connection.handler = handler;
    if (end > start + 1) handler.onBytes(source, start + 1, end);
  }

  onClosed(reason: string): void {
    this.#context.clients.remove(this.#connection);
    this.#log.debug('connection closed', { reason });
  }
}
