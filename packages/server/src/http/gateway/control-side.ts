import { Duplex } from 'node:stream';

/**
 * What `ws` sees of a connection: its handshake, its control frames, and what it says to them. Data go past it: it would assemble each message before
 * anybody could look at it.
 */
export class ControlSide extends Duplex {
  /** What it is written to. */
  socket: Duplex;

  constructor(socket: Duplex) {
    super({ allowHalfOpen: true, emitClose: true });
    this.socket = socket;
    this.on('error', () => {}); // those of the socket are told there
  }

  /** A control frame has come, whole. */
  takeFrame(frame: Uint8Array): void {
    if (!this.destroyed) this.push(Buffer.from(frame.buffer, frame.byteOffset, frame.length));
  }

  /** Nothing more will come. */
  takeEnd(): void {
    if (!this.destroyed) this.push(null);
  }

  override _read(): void {}

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.socket.write(chunk, done);
  }

  override _writev(chunks: { chunk: Uint8Array }[], done: (error?: Error | null) => void): void {
    const last = chunks.length - 1;
    this.socket.cork();
    for (const [i, { chunk }] of chunks.entries()) this.socket.write(chunk, i === last ? done : undefined);
    this.socket.uncork();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.socket.end();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.socket.destroy();
    done(error);
  }
}
