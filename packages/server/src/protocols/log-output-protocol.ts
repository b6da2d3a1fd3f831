import { ProtocolFlag } from '@sluice/wire';
import type { LogStream } from '../log-stream.js';
import { logOutputLine } from '../logging/log-record.js';
import type { StreamHandler, StreamProtocol, StreamSession } from '../protocol.js';

/** What a connection may have waiting, in bytes. Specification 10. */
const MAX_WAITING_BYTES = 16 << 10;

const ESC = 0x1b;
const BANNER = '\r\nSluice log\r\nPress ESC to leave.\r\n';

/**
 * The LogOutput protocol: all lines of the log, from now on. Specification 10.
 *
 * @param isAllowed says from an address whether it may read the log: this protocol knows no login
 */
export function logOutputProtocol(log: LogStream, isAllowed: (address: string) => boolean): StreamProtocol {
  return {
    kind: 'stream',
    name: 'LogOutput',
    flag: ProtocolFlag.LogOutput,
    open(session) {
      if (isAllowed(session.remoteAddress)) return new LogOutputHandler(session, log);
      session.log.info('log output refused');
      session.close('log-output-refused');
      return { onBytes() {}, onClosed() {} };
    },
  };
}

/** One reader. What it does not take in time is dropped, line by line, and the number told when there is room again. */
class LogOutputHandler implements StreamHandler {
  readonly #session: StreamSession;
  readonly #unsubscribe: () => void;
  /** What waits for the system to take what was sent before. */
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  /** Bytes that the system has not taken yet. */
  #sentBytes = 0;
  #droppedLines = 0;

  constructor(session: StreamSession, log: LogStream) {
    this.#session = session;
    this.#offer(BANNER);
    this.#unsubscribe = log.subscribe((record) => {
      if (!this.#offer(logOutputLine(record))) this.#droppedLines += 1;
    });
  }

  /** ESC as the first or only byte of the input closes (D42); any other input is answered with the banner. */
  onBytes(source: Uint8Array, start: number, _end: number): void {
    if (source[start] === ESC) this.#session.close('log-output-left');
    else this.#offer(BANNER);
  }

  onClosed(): void {
    this.#unsubscribe();
  }

  /** Keeps a text if there is room for it. */
  #offer(text: string): boolean {
    if (this.#session.isClosing) return true; // nobody misses it
    const bytes = Buffer.from(text);
    if (this.#sentBytes + this.#waitingBytes + bytes.length > MAX_WAITING_BYTES) return false;
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    this.#send();
    return true;
  }

  #send(): void {
    if (this.#sentBytes > 0 || this.#waitingBytes === 0) return;
    const bytes = Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#sentBytes = bytes.length;
    if (!this.#session.sendOwned(bytes, this.#onSent)) this.#sentBytes = 0;
  }

  readonly #onSent = (): void => {
    this.#sentBytes = 0;
    const dropped = this.#droppedLines;
    this.#droppedLines = 0; // first: the system may take what is offered at once, and come back here
    if (dropped > 0 && !this.#offer(`${dropped} lines dropped\r\n`)) this.#droppedLines += dropped;
    this.#send();
  };
}
