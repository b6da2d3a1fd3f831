import type { Coordinator } from '../coordination/coordinator.js';
import { type LeveledLog, type LogFields, type LogLevel, UniformLog } from '../log.js';
import type { LogHistory, LogStream } from '../log-stream.js';
import { JournalReader, type JournalState } from '../logging/log-journal.js';
import { isLogged, type LogRecord } from '../logging/log-record.js';
import { RecentLines } from '../logging/recent-lines.js';
import type { LogSink } from '../logging/server-log.js';

/** A line of a worker on its way to the log. */
export interface SentLine {
  readonly level: LogLevel;
  readonly event: string;
  readonly fields: LogFields;
}

/** The log of a worker: the supervisor writes it, all workers' in one order, and tells what it has written. */
export class WorkerLog extends UniformLog implements LeveledLog, LogStream {
  level: LogLevel;
  readonly journal: LogHistory | undefined;
  readonly #coordinator: Coordinator;
  readonly #sinks = new Set<LogSink>();

  constructor(coordinator: Coordinator, level: LogLevel, journal: JournalState | undefined) {
    super();
    this.level = level;
    this.#coordinator = coordinator;
    this.journal = journal && new JournalOfSupervisor(coordinator, journal);
    coordinator.on('log.record', (record: LogRecord) => {
      for (const sink of this.#sinks) sink(record);
    });
  }

  subscribe(sink: LogSink): () => void {
    if (this.#sinks.size === 0) this.#coordinator.report('log.follow', true);
    this.#sinks.add(sink);
    return () => {
      if (this.#sinks.delete(sink) && this.#sinks.size === 0) this.#coordinator.report('log.follow', false);
    };
  }

  protected log(level: LogLevel, event: string, fields: LogFields = {}): void {
    if (isLogged(level, this.level)) this.#coordinator.report('log.line', { level, event, fields } satisfies SentLine);
  }
}

/** The journal that the supervisor writes: this process reads its files, as far as the supervisor says that they are written. */
class JournalOfSupervisor implements LogHistory {
  readonly #readers = new Set<() => void>();
  #state: JournalState;

  constructor(coordinator: Coordinator, state: JournalState) {
    this.#state = state;
    coordinator.on('log.written', (next: JournalState) => {
      this.#state = next;
      for (const onLines of [...this.#readers]) onLines();
    });
  }

  get id(): string {
    return this.#state.id;
  }
  get firstSeq(): number {
    return this.#state.segments[0] ?? 1;
  }
  get writtenSeq(): number {
    return this.#state.writtenSeq;
  }

  read(fromSeq: number): JournalReader {
    return new JournalReader(
      this.#state.directory,
      () => this.#state.segments,
      () => this.#state.writtenSeq,
      new RecentLines(Number.POSITIVE_INFINITY), // what was logged last is in the supervisor's memory, not here
      fromSeq,
    );
  }

  subscribe(onLines: () => void): () => void {
    this.#readers.add(onLines);
    return () => this.#readers.delete(onLines);
  }
}
