import { type CloseReason, type Connection, type ConnectionHandler, CoreEvent, type TlsSession } from '@sluice/core';
import { encodePacket, messageText, ResultCode, responseText } from '@sluice/wire';
import { type Log, type LogFields, withFields } from './log.js';
import { ServerEvent } from './packet-events.js';
import type { Protocol } from './protocol.js';
import { ServerSession, type SessionContext } from './session.js';
import { ServerStreamSession } from './stream-session.js';

/** A connection that has not chosen its protocol: its first byte does. Specification 1. */
export class FlagReader implements ConnectionHandler {
  /** The first byte, and what comes behind it. */
  readonly recordsFrames = true;
  readonly #connection: Connection;
  readonly #protocols: ReadonlyMap<number, Protocol>;
  readonly #context: SessionContext;
  readonly #log: Log;

  constructor(connection: Connection, protocols: ReadonlyMap<number, Protocol>, context: SessionContext) {
    this.#connection = connection;
    this.#protocols = protocols;
    this.#context = context;
    this.#log = withFields(context.log, () => ({
      connection: connection.id,
      remote: `${connection.remoteAddress}:${connection.remotePort}`, // a balancer tells the real one later
      local: `${connection.localAddress}:${connection.localPort}`,
    }));
    this.#log.debug('connection accepted');
    context.clients.add(connection);
  }

  onBytes(source: Uint8Array, start: number, end: number): void {
    const flag = source[start]!;
    const protocol = this.#protocols.get(flag);
    this.#connection.record(ServerEvent.protocolByte, 1);
    const { tls } = this.#connection;
    if (tls) this.#log.debug('tls established', tlsFields(tls));
    else if (!this.#connection.isEncrypted && this.#context.refusesPlain(this.#connection)) {
      this.#refusePlain(protocol);
      return;
    }
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
    this.#connection.record(ServerEvent.protocolChosen, flag);
    if (protocol.kind === 'stream' && end > start + 1) this.#connection.record(CoreEvent.received, end - start - 1);
    this.#log.info('protocol chosen', { protocol: protocol.name });
    if (end > start + 1) handler.onBytes(source, start + 1, end);
  }

  onClosed(reason: CloseReason, error: Error | undefined): void {
    this.#context.clients.remove(this.#connection);
    if (reason.startsWith('tls-')) this.#log.warn('tls handshake failed', { reason, detail: error?.message });
    else if (reason === 'proxy-header') this.#log.warn('bad proxy header', { detail: error?.message });
    this.#log.debug('connection closed', { reason, detail: error?.message });
  }

  /** Says so in a way that every client can show, and ends. What the peer has sent in plain text, its password too, was readable. */
  #refusePlain(protocol: Protocol | undefined): void {
    this.#log.info('plain connection refused');
    if (protocol?.kind === 'packets') {
      const message = messageText('this server takes TLS connections only: use sluices://');
      this.#connection.send(encodePacket(responseText('', ResultCode.NotPermitted, [], message)));
    }
    this.#connection.close('plain-refused');
  }
}

function tlsFields({ protocol, cipher, serverName, peerSubject }: TlsSession): LogFields {
  return { tls: protocol, cipher, name: serverName, certificate: peerSubject };
}
