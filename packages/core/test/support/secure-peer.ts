import tls, { type ConnectionOptions, type TLSSocket } from 'node:tls';
import { eventually } from './eventually.js';

/** A bare TLS client. */
export class SecurePeer implements Disposable {
  readonly socket: TLSSocket;
  readonly chunks: Buffer[] = [];
  receivedBytes = 0;
  hasEnded = false;
  isClosed = false;
  isSecured = false;
  error: Error | undefined;

  constructor(port: number, options: ConnectionOptions = {}) {
    this.socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
    this.socket.setNoDelay(true);
    this.socket.on('data', (chunk: Buffer) => {
      this.chunks.push(chunk);
      this.receivedBytes += chunk.length;
    });
    this.socket.on('secureConnect', () => {
      this.isSecured = true;
    });
    this.socket.on('end', () => {
      this.hasEnded = true;
    });
    this.socket.on('error', (error) => {
      this.error = error;
    });
    this.socket.on('close', () => {
      this.isClosed = true;
    });
  }

  /** A peer whose handshake is done, as far as it is concerned. */
  static async connect(port: number, options: ConnectionOptions = {}): Promise<SecurePeer> {
    const peer = new SecurePeer(port, options);
    await eventually('a handshake', () => peer.isSecured || peer.isClosed);
    if (peer.isClosed) throw peer.error ?? new Error('closed in the handshake');
    return peer;
  }

  get received(): Buffer {
    return Buffer.concat(this.chunks);
  }

  get text(): string {
    return this.received.toString();
  }

  async bytes(count: number): Promise<Buffer> {
    await eventually(`${count} bytes`, () => this.receivedBytes >= count);
    return this.received;
  }

  async gone(): Promise<void> {
    await eventually('the end of the connection', () => this.isClosed || this.hasEnded);
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}
