import type net from 'node:net';
import { Duplex } from 'node:stream';
import type { EndOwner, LinkErrorCode, SimulatedEnd } from './simulated-end.js';

/** Read at a time into a buffer of its own; as libuv does. */
const PLAIN_READ_BYTES = 64 << 10;
/** Read at a time into the buffer that all sockets share. */
const SHARED_READ_BYTES = 256 << 10;

/** What was read is overwritten with this when its time is over, so that nobody who keeps a view of it goes on unseen. */
const STALE = 0xdb;

const sharedBuffer = Buffer.alloc(SHARED_READ_BYTES);

export interface SocketAddresses {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
}

/**
 * The server's socket of a simulated connection: what `net.Socket` is over a descriptor, with the same streams of Node behind it. Accepted
 * paused, and half-open when the peer has ended.
 */
export class SimulatedSocket extends Duplex implements SocketAddresses, EndOwner {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly #end: SimulatedEnd;
  readonly #onReleased: () => void;
  #onChunk: ((source: Uint8Array, start: number, end: number) => void) | undefined;
  #isReading = false;
  #isReadScheduled = false;
  /** What the system has not taken of the write that goes on. */
  #unwritten: Uint8Array[] = [];
  #onWritten: ((error?: Error | null) => void) | undefined;

  /** @param onReleased called when the descriptor is free again */
  constructor(end: SimulatedEnd, addresses: SocketAddresses, onReleased: () => void) {
    super({ allowHalfOpen: true, autoDestroy: true, emitClose: false });
    this.#end = end;
    this.#onReleased = onReleased;
    this.remoteAddress = addresses.remoteAddress;
    this.remotePort = addresses.remotePort;
    this.localAddress = addresses.localAddress;
    this.localPort = addresses.localPort;
    end.owner = this;
    super.pause();
  }

  /** Hands what comes to `onChunk`, out of one buffer that all sockets share; never to the `data` event. */
  startReceiving(onChunk: (source: Uint8Array, start: number, end: number) => void): net.Socket {
    this.#onChunk = onChunk;
    this.read(0);
    return this as unknown as net.Socket;
  }

  override pause(): this {
    if (this.#onChunk) this.#isReading = false;
    return super.pause();
  }

  override resume(): this {
    if (this.#onChunk && !this.destroyed) this.#startReading();
    return super.resume();
  }

  resetAndDestroy(): this {
    this.#end.reset();
    return this.destroy();
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  override _read(): void {
    this.#startReading();
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#begin([chunk], done);
  }

  override _writev(chunks: { chunk: Uint8Array }[], done: (error?: Error | null) => void): void {
    this.#begin(
      chunks.map(({ chunk }) => chunk),
      done,
    );
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#end.shutdown();
    this.#end.link.clock.happen(0, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#isReading = false;
    this.#end.close();
    const onWritten = this.#onWritten;
    this.#onWritten = undefined;
    this.#unwritten = [];
    this.#end.link.clock.happen(0, () => {
      onWritten?.(null); // as Node calls back for a write that its socket's end has cut off
      this.#onReleased();
      this.emit('close', error !== null);
    });
    done(error);
  }

  onReadable(): void {
    this.#readChunk();
  }

  onRoom(): void {
    if (!this.#onWritten) return;
    const result = this.#writeOn();
    if (result !== 'pending') this.#endWrite(result === 'done' ? null : errorOf(result, 'write'));
  }

  onFailed(): void {
    if (this.#isReading) this.#readChunk();
    // A paused socket that writes nothing learns of it when it reads or writes again.
    else if (this.#onWritten) this.onRoom();
  }

  #startReading(): void {
    if (this.#isReading) return;
    this.#isReading = true;
    this.#scheduleRead();
  }

  #scheduleRead(): void {
    if (this.#isReadScheduled || !this.#end.isReadable) return;
    this.#isReadScheduled = true;
    this.#end.link.clock.happen(0, () => {
      this.#isReadScheduled = false;
      this.#readChunk();
    });
  }

  #readChunk(): void {
    if (!this.#isReading || this.destroyed || !this.#end.isReadable) return;
    if (this.#end.hasEnded) {
      this.#isReading = false;
      this.push(null);
      this.read(0);
      return;
    }
    const bytes = this.#end.read(this.#onChunk ? SHARED_READ_BYTES : PLAIN_READ_BYTES);
    if (typeof bytes === 'string') {
      this.destroy(errorOf(bytes, 'read'));
      return;
    }
    if (this.#onChunk) {
      sharedBuffer.set(bytes);
      this.#onChunk(sharedBuffer, 0, bytes.length);
      sharedBuffer.fill(STALE, 0, bytes.length);
    } else {
      const chunk = Buffer.from(bytes);
      if (!this.push(chunk)) this.#isReading = false;
      if (this.readableLength === 0) chunk.fill(STALE); // it was handed on at once
    }
    if (this.#isReading) this.#scheduleRead();
  }

  #begin(chunks: Uint8Array[], done: (error?: Error | null) => void): void {
    this.#unwritten = chunks;
    const result = this.#writeOn();
    if (result === 'pending') this.#onWritten = done;
    else done(result === 'done' ? null : errorOf(result, 'write'));
  }

  /** Gives the system what it takes. */
  #writeOn(): 'done' | 'pending' | LinkErrorCode {
    for (let chunk = this.#unwritten[0]; chunk; chunk = this.#unwritten[0]) {
      const count = this.#end.write(chunk);
      if (typeof count === 'string') return count;
      if (count < chunk.length) {
        this.#unwritten[0] = chunk.subarray(count);
        return 'pending';
      }
      this.#unwritten.shift();
    }
    return 'done';
  }

  #endWrite(error: Error | null): void {
    const done = this.#onWritten;
    this.#onWritten = undefined;
    done?.(error);
  }
}

function errorOf(code: LinkErrorCode, syscall: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${syscall} ${code}`), { code, syscall });
}
