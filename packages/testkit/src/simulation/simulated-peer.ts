import { ByteQueue } from './byte-queue.js';
import type { EndOwner, SimulatedEnd, SimulatedLink } from './simulated-end.js';

/** How a connection has ended for the peer: the server's FIN, its RST or a broken link, or the peer's own close. */
export type PeerEnding = 'server-ended' | 'broken' | 'left';

/** The client's side of a simulated connection, at the level of bytes: writes what it is told to, and reads unless it is told not to. */
export class SimulatedPeer implements EndOwner {
  /** Which of the scenario's peers it is. */
  readonly index: number;
  readonly address: string;
  readonly #end: SimulatedEnd;
  readonly #onBytes: (bytes: Buffer) => void;
  readonly #onEnding: (ending: PeerEnding) => void;
  /** What the system has not taken. */
  readonly #unwritten = new ByteQueue();
  readonly #sent: Buffer[] = [];
  readonly #received: Buffer[] = [];
  #isReading = true;
  #isReadScheduled = false;
  #hasEnded = false;
  #ending: PeerEnding | undefined;

  constructor(
    index: number,
    address: string,
    end: SimulatedEnd,
    onBytes: (bytes: Buffer) => void,
    onEnding: (ending: PeerEnding) => void,
  ) {
    this.index = index;
    this.address = address;
    this.#end = end;
    this.#onBytes = onBytes;
    this.#onEnding = onEnding;
    end.owner = this;
  }

  get link(): SimulatedLink {
    return this.#end.link;
  }

  /** All that it was told to send. */
  get sent(): Buffer {
    return Buffer.concat(this.#sent);
  }

  get received(): Buffer {
    return Buffer.concat(this.#received);
  }

  /** Whether bytes are on their way, in either direction. */
  get isSending(): boolean {
    return this.#unwritten.length > 0 || this.#end.isAnythingTravelling;
  }

  /** Whether it has sent its FIN, or has been told to. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** How the connection has ended, if it has. */
  get ending(): PeerEnding | undefined {
    return this.#ending;
  }

  send(bytes: Uint8Array): void {
    if (this.#ending || this.#hasEnded) return;
    const copy = Buffer.from(bytes);
    this.#sent.push(copy);
    this.#unwritten.push(copy);
    this.#write();
  }

  stopReading(): void {
    this.#isReading = false;
  }

  readOn(): void {
    this.#isReading = true;
    this.#scheduleRead();
  }

  /** FIN, when all is sent. */
  end(): void {
    if (this.#ending || this.#hasEnded) return;
    this.#hasEnded = true;
    this.#write();
  }

  /** As a program that closes its socket: what was not sent is lost; RST when bytes are unread. */
  close(): void {
    if (this.#ending === 'left') return;
    this.#end.close();
    this.#finish('left');
  }

  reset(): void {
    this.#end.reset();
    this.#finish('left');
  }

  /** As a machine that loses its power: nothing comes or goes any more, and the server is not told. */
  vanish(): void {
    this.#end.link.cut();
    this.#end.close();
    this.#finish('left');
  }

  onReadable(): void {
    this.#scheduleRead();
  }

  onRoom(): void {
    this.#write();
  }

  onFailed(): void {
    this.#scheduleRead();
    if (!this.#isReading) this.#finish('broken');
  }

  #write(): void {
    while (this.#unwritten.length > 0) {
      const bytes = this.#unwritten.take(this.#unwritten.length);
      const count = this.#end.write(bytes);
      if (typeof count === 'string') {
        this.#unwritten.clear();
        return; // reading tells how it ended, after what has come
      }
      if (count < bytes.length) {
        this.#unwritten.unshift(bytes.subarray(count));
        return;
      }
    }
    if (this.#hasEnded) this.#end.shutdown();
  }

  #scheduleRead(): void {
    if (this.#isReadScheduled || !this.#isReading || this.#ending) return;
    this.#isReadScheduled = true;
    this.link.clock.happen(0, () => {
      this.#isReadScheduled = false;
      this.#read();
    });
  }

  #read(): void {
    if (!this.#isReading || this.#ending || !this.#end.isReadable) return;
    if (this.#end.hasEnded) {
      this.#finish('server-ended');
      return;
    }
    const bytes = this.#end.read(this.link.random.between(1, 64 << 10));
    if (typeof bytes === 'string') {
      this.#finish('broken');
      return;
    }
    this.#received.push(bytes);
    this.#onBytes(bytes);
    if (this.#end.isReadable) this.#scheduleRead();
  }

  #finish(ending: PeerEnding): void {
    if (this.#ending) return;
    this.#ending = ending;
    this.#unwritten.clear();
    this.#onEnding(ending);
  }
}
