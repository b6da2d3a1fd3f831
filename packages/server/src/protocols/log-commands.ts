import {
  decodeFollowLogRequest,
  decodeLogCursor,
  encodeLogCursor,
  encodeLogLines,
  encodePacket,
  type FollowLogRequest,
  type LogLines,
  ResultCode,
  responseText,
} from '@sluice/wire';
import { LOG_LEVELS, type LogLevel } from '../log.js';
import type { LogHistory } from '../log-stream.js';
import type { JournalReader } from '../logging/log-journal.js';
import type { CommandHandler, MessageStream, Session } from '../protocol.js';
import type { LogReaders } from './log-readers.js';
import { requireAdmin } from './permission.js';

/** Of the lines of one answer; it is made of a page of the journal. */
const PAGE_BYTES = 64 << 10;

/** FollowLog: the log as records, with a place to go on from. docs/protocol.md, section 17. */
export class LogFollowing implements Disposable {
  readonly commands: [string, CommandHandler][];
  readonly #session: Session;
  readonly #journal: LogHistory;
  readonly #readers: LogReaders;
  #reading: LogReading | undefined;

  constructor(session: Session, journal: LogHistory, readers: LogReaders) {
    this.#session = session;
    this.#readers = readers;
    this.#journal = journal;
    this.commands = [
      [
        'followlog',
        ({ command, text }) => {
          const request = decodeFollowLogRequest(text);
          requireAdmin(session);
          this.#reading?.stop();
          session.reply(responseText(command, ResultCode.Success));
          this.#reading = new LogReading(this.#session, this.#journal, request, this.#readers);
          this.#reading.run();
        },
      ],
    ];
  }

  [Symbol.dispose](): void {
    this.#reading?.stop();
  }
}

/** One FollowLog that goes on: reads the journal, no faster than the peer takes it. */
class LogReading {
  readonly #session: Session;
  readonly #journal: LogHistory;
  readonly #reader: JournalReader;
  readonly #request: FollowLogRequest;
  readonly #packets: MessageStream;
  readonly #unsubscribe: () => void;
  /** Lines that can never be had again, before the next ones; -1 when nobody can know how many. */
  #missed = 0;
  #isRunning = false;
  #isStopped = false;
  #timer: NodeJS.Timeout | undefined;
  readonly #readers: LogReaders;
  readonly #leave: () => void;

  constructor(session: Session, journal: LogHistory, request: FollowLogRequest, readers: LogReaders) {
    this.#session = session;
    this.#readers = readers;
    this.#leave = readers.add();
    this.#journal = journal;
    this.#request = request;
    this.#packets = session.messageStream({ policy: 'wait', maxMessages: 1 });
    const cursor = request.cursor === undefined ? undefined : decodeLogCursor(request.cursor);
    let from = journal.writtenSeq + 1 - (request.lines ?? 0);
    if (cursor && cursor.journal === journal.id && cursor.seq <= journal.writtenSeq) from = cursor.seq + 1;
    else if (cursor) {
      // Of another journal, or of one that has lost its end: what was missed cannot be counted.
      this.#missed = -1;
      from = journal.firstSeq;
    }
    // Whoever asks for lines back gets those that there are; who goes on from a cursor is told of those that are gone.
    this.#reader = journal.read(cursor ? from : Math.max(from, journal.firstSeq));
    this.#unsubscribe = journal.subscribe(() => this.#runSoon());
  }

  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#leave();
    this.#unsubscribe();
    clearTimeout(this.#timer);
  }

  #runSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.run();
    }, this.#readers.periodMs).unref();
  }

  /** Reads on, unless that is going on: it ends when there is nothing more, and is called again when there is. */
  run(): void {
    if (this.#isRunning || this.#isStopped) return;
    this.#isRunning = true;
    this.#pump()
      .catch((error: unknown) => {
        this.stop();
        if (!this.#session.isClosing) {
          this.#session.log.error('reading the log failed', { detail: String(error) });
          this.#session.close('read-failed');
        }
      })
      .finally(() => {
        this.#isRunning = false;
      });
  }

  async #pump(): Promise<void> {
    for (;;) {
      await this.#packets.drained();
      await this.#session.memory.roomForMore(PAGE_BYTES);
      await this.#readers.turn();
      if (this.#isStopped) return;
      const page = await this.#reader.page();
      if (this.#isStopped) return;
      const isDry = page.lines.length === 0;
      if (isDry && this.#request.follows) return;
      if (this.#missed >= 0) this.#missed += page.missed;
      this.#send({
        lines: page.lines.filter((line) => this.#isWanted(line)),
        cursor: encodeLogCursor(this.#journal.id, page.next - 1),
        missed: this.#missed,
        isEnd: isDry,
      });
      this.#missed = 0;
      if (isDry) return this.stop();
    }
  }

  #send(lines: LogLines): void {
    const data = new TextEncoder().encode(lines.lines.map((line) => `${line}\n`).join(''));
    if (this.#packets.offer(encodePacket(encodeLogLines(lines), data)) === 'closed') this.stop();
  }

  #isWanted(line: string): boolean {
    const { level = 'debug', conditions = [] } = this.#request;
    const found = /^\{"time":"[^"]*","level":"([a-z]+)"/.exec(line)?.[1];
    if (LOG_LEVELS.indexOf(found as LogLevel) > LOG_LEVELS.indexOf(level)) return false;
    if (conditions.length === 0) return true;
    const fields = JSON.parse(line) as Record<string, unknown>;
    return conditions.every((condition) => {
      const equals = condition.indexOf('=');
      const key = condition.slice(0, equals);
      return Object.hasOwn(fields, key) && String(fields[key]) === condition.slice(equals + 1);
    });
  }
}
