import { ProtocolFlag } from '@sluice/wire';
import type { LogStream } from '../log-stream.js';
import { type LogRecord, logOutputLine } from '../logging/log-record.js';
import type { MessageStream, StreamHandler, StreamProtocol, StreamSession } from '../protocol.js';

/** What a connection may have waiting, in bytes. Specification 10. */
const MAX_WAITING_BYTES = 16 << 10;

/** Lines that follow one another faster leave together, in milliseconds. */
const GATHER_MS = 50;

const ESC = 0x1b;
const BANNER = Buffer.from('\r\nSluice log\r\nPress ESC to leave.\r\n');

/**
 * The LogOutput protocol: all lines of the log, from now on. Specification 10.
 *
 * @param isAllowed says from an address whether it may read the log: this protocol knows no login
 */
export function logOutputProtocol(log: LogStream, isAllowed: (address: string) => boolean): StreamProtocol {
  const lines = new LineMemory();
  return {
    kind: 'stream',
    name: 'LogOutput',
    flag: ProtocolFlag.LogOutput,
    open(session) {
      if (isAllowed(session.remoteAddress)) return new LogOutputHandler(session, log, lines);
      session.log.info('log output refused');
      session.close('log-output-refused');
      return { onBytes() {}, onClosed() {} };
    },
  };
}

/** The line that was made last: it is made once for all readers. */
class LineMemory {
  #record: LogRecord | undefined;
  #line = Buffer.alloc(0);

  lineOf(record: LogRecord): Buffer {
    if (this.#record !== record) {
      this.#record = record;
      this.#line = Buffer.from(logOutputLine(record));
    }
    return this.#line;
  }
}

/** One reader. What it does not take in time is dropped, line by line, and the number told in its place. */
class LogOutputHandler implements StreamHandler {
  readonly #session: StreamSession;
  readonly #lines: MessageStream;
  readonly #unsubscribe: () => void;

  constructor(session: StreamSession, log: LogStream, lines: LineMemory) {
    this.#session = session;
    this.#lines = session.messageStream({
      policy: 'drop-newest',
      maxBytes: MAX_WAITING_BYTES,
      gatherMs: GATHER_MS,
      gapMessage: (dropped) => Buffer.from(`${dropped} lines dropped\r\n`),
    });
    this.#lines.offer(BANNER);
    this.#unsubscribe = log.subscribe((record) => this.#lines.offer(lines.lineOf(record)));
  }

  /** ESC as the first or only byte of the input closes (D42); any other input is answered with the banner. */
  onBytes(source: Uint8Array, start: number, _end: number): void {
    if (source[start] === ESC) this.#session.close('log-output-left');
    else this.#lines.offer(BANNER);
  }

  onClosed(): void {
    this.#unsubscribe();
  }
}
