import { connect, type Socket } from 'node:net';
import { LengthFieldDecoder, type LengthFieldLayout } from '@sluice/framing';
import { eventually } from './eventually.js';

/** Frames of these tests: four bytes of length, big-endian, then so many bytes. */
export const layout: LengthFieldLayout = { maxLength: 16 << 20 };

export function frame(payload: Uint8Array | string): Buffer {
  const bytes = Buffer.from(payload);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** A bare client. */
export class Peer implements Disposable {
  readonly socket: Socket;
  /** How the bytes came. */
  readonly chunks: Buffer[] = [];
  receivedBytes = 0;
  hasEnded = false;
  isClosed = false;
  /** Nobody listened. */
  wasRefused = false;

  private constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    this.socket.on('data', (chunk: Buffer) => {
      this.chunks.push(chunk);
      this.receivedBytes += chunk.length;
    });
    this.socket.on('end', () => {
      this.hasEnded = true;
    });
    this.socket.on('error', (error: NodeJS.ErrnoException) => {
      this.wasRefused = error.code === 'ECONNREFUSED'; // resets are part of many tests
    });
    this.socket.on('close', () => {
      this.isClosed = true;
    });
  }

  static async connect(port: number): Promise<Peer> {
    const peer = new Peer(port);
    await eventually('a connection', () => !peer.socket.connecting);
    return peer;
  }

  get received(): Buffer {
    return Buffer.concat(this.chunks);
  }

  get text(): string {
    return this.received.toString();
  }

  /** The payloads of the whole frames that have come. */
  get frames(): Buffer[] {
    const frames: Buffer[] = [];
    const decoder = new LengthFieldDecoder(layout, {
      onFrame(source, start, end) {
        frames.push(Buffer.from(source.subarray(start + 4, end)));
        return true;
      },
    });
    const { received } = this;
    decoder.push(received, 0, received.length);
    return frames;
  }

  get frameTexts(): string[] {
    return this.frames.map(String);
  }

  /** Whether the server has ended or cut the connection. */
  get isGone(): boolean {
    return this.hasEnded || this.isClosed;
  }

  send(...parts: (Uint8Array | string)[]): void {
    this.socket.write(Buffer.concat(parts.map((part) => Buffer.from(part))));
  }

  async bytes(count: number): Promise<Buffer> {
    await eventually(`${count} bytes`, () => this.receivedBytes >= count);
    return this.received;
  }

  async gone(): Promise<void> {
    await eventually('the end of the connection', () => this.isGone);
  }

  /** What the server does now reaches it only when it reads again. */
  stopReading(): void {
    this.socket.pause();
  }

  readOn(): void {
    this.socket.resume();
  }

  /** Reads so many bytes more, or some more than that, and stops again. */
  async reads(count: number): Promise<void> {
    const wanted = this.receivedBytes + count;
    this.readOn();
    const onData = (): void => {
      if (this.receivedBytes >= wanted) this.stopReading();
    };
    this.socket.on('data', onData);
    await eventually(`${count} bytes more`, () => this.receivedBytes >= wanted);
    this.socket.off('data', onData);
  }

  halfClose(): void {
    this.socket.end();
  }

  reset(): void {
    this.socket.resetAndDestroy();
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}
