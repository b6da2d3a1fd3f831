import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { LengthFieldDecoder } from '@sluice/framing';
import { commandTextEnd, PACKET_HEAD_BYTES, packetLayout } from '@sluice/wire';

/** Every wait of a {@link RawPeer} ends after this many milliseconds. */
const WAIT_LIMIT_MS = 10_000;

/** A packet as it came: copies. */
export interface RawPacket {
  /** The command text, undecoded but for UTF-8. */
  readonly text: string;
  readonly data: Uint8Array;
}

interface Waiter {
  isDone(): boolean;
  resolve(): void;
  reject(error: Error): void;
}

/** A bare TCP connection for tests of a server: sends any bytes, and takes what comes apart into packets. */
export class RawPeer {
  readonly socket: Socket;
  readonly #chunks: Buffer[] = [];
  readonly #packets: RawPacket[] = [];
  readonly #waiters = new Set<Waiter>();
  readonly #decoder: LengthFieldDecoder;
  #decodingError: Error | undefined;
  #packetsTaken = 0;
  #hasEnded = false;
  #isClosed = false;
  #socketError: Error | undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    this.#decoder = new LengthFieldDecoder(packetLayout(), {
      onFrame: (source, start, end) => {
        const textEnd = commandTextEnd(source, start, end - start);
        this.#packets.push({
          text: Buffer.from(source.subarray(start + PACKET_HEAD_BYTES, textEnd)).toString('utf8'),
          data: Uint8Array.from(source.subarray(textEnd, end)),
        });
        return true;
      },
    });
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('end', () => {
      this.#hasEnded = true;
      this.#wake();
    });
    socket.on('error', (error) => {
      this.#socketError = error;
    });
    socket.on('close', () => {
      this.#isClosed = true;
      this.#wake();
    });
  }

  /** Connects to a port of 127.0.0.1 with TLS; the server's certificate is not checked, unless `options` say so. */
  static async connectSecurely(port: number, options: ConnectionOptions = {}): Promise<RawPeer> {
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(WAIT_LIMIT_MS) });
    return new RawPeer(socket);
  }

  /** Connects to a port of 127.0.0.1. */
  static connect(port: number, host = '127.0.0.1'): Promise<RawPeer> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host, noDelay: true, allowHalfOpen: true });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new RawPeer(socket));
      });
    });
  }

  /** Everything that has come so far. */
  get received(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  /** Whether the connection is wholly closed. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Sends bytes, or a text as UTF-8; settles when the system has taken them. Never rejects: what a dead connection does is the test's matter. */
  send(...parts: (Uint8Array | string)[]): Promise<void> {
    const bytes = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
    return new Promise((resolve) => {
      if (this.#isClosed || this.socket.destroyed) resolve();
      else this.socket.write(bytes, () => resolve());
    });
  }

  /** The next packet that no call has returned yet. Rejects when the connection ends without one. */
  async nextPacket(): Promise<RawPacket> {
    const index = this.#packetsTaken;
    this.#packetsTaken += 1;
    await this.#until(`packet ${index + 1}`, () => this.#packets.length > index);
    return this.#packets[index]!;
  }

  /** The first `count` received bytes, or more if they came together; for traffic that is not in packets. */
  async receivedAtLeast(count: number): Promise<Buffer> {
    await this.#until(`${count} bytes`, () => this.received.length >= count);
    return this.received;
  }

  /** Settles when the server has ended or reset the connection. @returns everything that came on it */
  async waitForClose(): Promise<Buffer> {
    await this.#until('the end of the connection', () => this.#hasEnded || this.#isClosed);
    this.socket.destroy();
    return this.received;
  }

  /** Stops reading, so that the server feels it. */
  pause(): void {
    this.socket.pause();
  }

  /** Reads again. */
  resume(): void {
    this.socket.resume();
  }

  /** Ends the sending side only. */
  halfClose(): void {
    this.socket.end();
  }

  /** Closes with FIN, or RST when bytes are unread. */
  destroy(): void {
    this.socket.destroy();
  }

  /** Closes with RST; after `halfClose`, as `destroy`. */
  reset(): void {
    // Node 20 never finishes resetting a socket that is being shut down.
    if (this.socket.writableEnded) this.socket.destroy();
    else this.socket.resetAndDestroy();
  }

  [Symbol.dispose](): void {
    this.destroy();
  }

  #onData(chunk: Buffer): void {
    this.#chunks.push(chunk);
    if (!this.#decodingError) {
      try {
        this.#decoder.push(chunk, 0, chunk.length);
      } catch (error) {
        this.#decodingError = error as Error; // not packets, as on a log connection: the bytes are there all the same
      }
    }
    this.#wake();
  }

  #until(what: string, isDone: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (why: string) => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
        const cause = this.#socketError ?? this.#decodingError;
        reject(new Error(`waiting for ${what}: ${why}; ${this.#receivedText()}`, { cause }));
      };
      const timer = setTimeout(() => fail(`nothing within ${WAIT_LIMIT_MS} ms`), WAIT_LIMIT_MS);
      const waiter: Waiter = {
        isDone,
        resolve: () => {
          clearTimeout(timer);
          this.#waiters.delete(waiter);
          resolve();
        },
        reject: (error) => fail(error.message),
      };
      this.#waiters.add(waiter);
      this.#wake();
    });
  }

  #wake(): void {
    for (const waiter of [...this.#waiters]) {
      if (waiter.isDone()) waiter.resolve();
      else if (this.#isClosed || this.#hasEnded) waiter.reject(new Error('the connection ended'));
    }
  }

  #receivedText(): string {
    const { received } = this;
    return `received ${received.length} bytes: ${JSON.stringify(received.subarray(0, 2_000).toString('latin1'))}`;
  }
}
