import type { TLSSocket } from 'node:tls';

/** What the channel binding of RFC 9266 is exported with. */
const BINDING_LABEL = 'EXPORTER-Channel-Binding';
const BINDING_BYTES = 32;

/** The TLS of one connection, after its handshake. */
export class TlsSession {
  /** `TLSv1.3` or `TLSv1.2`. */
  readonly protocol: string;
  /** By its standard name, `TLS_AES_256_GCM_SHA384`. */
  readonly cipher: string;
  /** The name of the server that the peer has asked for, if it has. */
  readonly serverName: string | undefined;
  /** Whom the peer's certificate names, `CN=device 7, O=Example`. Only certificates that were required and verified are told. */
  readonly peerSubject: string | undefined;
  readonly #socket: TLSSocket;

  /** @param socket accepted, its handshake done */
  constructor(socket: TLSSocket) {
    this.#socket = socket;
    this.protocol = socket.getProtocol() ?? '';
    this.cipher = socket.getCipher().standardName;
    const { servername } = socket as { servername?: string | false | null };
    this.serverName = servername || undefined;
    // Multi-line, one attribute per line.
    const subject = socket.authorized ? socket.getPeerX509Certificate()?.subject : undefined;
    this.peerSubject = subject?.replaceAll('\n', ', ');
  }

  /**
   * 32 bytes that only the two ends of this connection know: `tls-exporter` of RFC 9266, for SCRAM and its like.
   *
   * @returns `undefined` before TLS 1.3, where Node does not tell whether the bytes are unique, and once the connection has ended
   */
  channelBinding(): Uint8Array | undefined {
    if (this.protocol !== 'TLSv1.3' || this.#socket.destroyed) return undefined;
    return this.#socket.exportKeyingMaterial(BINDING_BYTES, BINDING_LABEL, Buffer.alloc(0));
  }
}
