import { ProtocolFlag } from '@sluice/wire';
import type { LogStream } from '../log-stream.js';
import type { MessageStream, StreamHandler, StreamProtocol, StreamSession } from '../protocol.js';
import { LineFan } from './line-fan.js';
import type { LogReaders } from './log-readers.js';

/** What a connection may have waiting, in bytes. Specification 10. */
const MAX_WAITING_BYTES = 16 << 10;

const ESC = 0x1b;
const BANNER = Buffer.from('\r\nSluice log\r\nPress ESC to leave.\r\n');

/**
 * The LogOutput protocol: all lines of the log, from now on. Specification 10.
 *
 * @param isAllowed says from an address whether it may read the log: this protocol knows no login
 */
export function logOutputProtocol(
  log: LogStream,
  isAllowed: (address: string) => boolean,
  readers: LogReaders,
): StreamProtocol {
  const fan = new LineFan(log, readers);
  return {
    kind: 'stream',
    name: 'LogOutput',
    flag: ProtocolFlag.LogOutput,
    open(session) {
      if (isAllowed(session.remoteAddress)) return new LogOutputHandler(session, fan, readers);
      session.log.info('log output refused');
      session.close('log-output-refused');
      return { onBytes() {}, onClosed() {} };
    },
  };
}

/** One reader. What it does not take in time is dropped, line by line, and the number told in its place. */
class LogOutputHandler implements StreamHandler {
  readonly #session: StreamSession;
  readonly #lines: MessageStream;
  readonly #leave: () => void;

  constructor(session: StreamSession, fan: LineFan, readers: LogReaders) {
    this.#session = session;
    this.#lines = session.messageStream({
      policy: 'drop-newest',
      maxBytes: MAX_WAITING_BYTES,
      gatherMs: () => readers.periodMs,
      gapMessage: (dropped) => Buffer.from(`${dropped} lines dropped\r\n`),
    });
    this.#lines.offer(BANNER);
    this.#leave = fan.add((bytes, count) => this.#lines.offer(bytes, undefined, count));
  }

  /** ESC as the first or only byte of the input closes (D42); any other input is answered with the banner. */
  onBytes(source: Uint8Array, start: number, _end: number): void {
    if (source[start] === ESC) this.#session.close('log-output-left');
    else this.#lines.offer(BANNER);
  }

  onClosed(): void {
    this.#leave();
  }
}
