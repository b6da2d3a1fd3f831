import type { LogStream } from '../log-stream.js';
import { type LogRecord, logOutputLine } from '../logging/log-record.js';
import type { LogReaders } from './log-readers.js';

/** Takes some whole lines. The bytes stay as they are. */
export type LineSink = (bytes: Uint8Array, lines: number) => void;

/** So many readers are given each line at once. */
const FEW = 8;
/** Lines that are handed on together fill no more than this, unless one is longer; a reader drops them together. */
const PIECE_BYTES = 2048;
/** Readers that are given lines in one turn of the event loop. */
const READERS_PER_TURN = 64;

/** Hands the lines of the log to those who read it as text. To many readers it hands them gathered: a line costs no more, however many there are. */
export class LineFan {
  readonly #log: LogStream;
  readonly #readers: LogReaders;
  readonly #sinks = new Set<LineSink>();
  #unsubscribe: (() => void) | undefined;
  #gathered: string[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(log: LogStream, readers: LogReaders) {
    this.#log = log;
    this.#readers = readers;
  }

  /** @returns to be called when the reader has left */
  add(sink: LineSink): () => void {
    this.#handOn(); // what was logged before is not for the new one
    const leave = this.#readers.add();
    this.#sinks.add(sink);
    this.#unsubscribe ??= this.#log.subscribe((record) => this.#take(record));
    return () => {
      leave();
      this.#sinks.delete(sink);
      if (this.#sinks.size > 0) return;
      this.#unsubscribe?.();
      this.#unsubscribe = undefined;
      this.#handOn();
    };
  }

  #take(record: LogRecord): void {
    const line = logOutputLine(record);
    if (this.#sinks.size <= FEW && this.#gathered.length === 0) {
      const bytes = Buffer.from(line);
      for (const sink of this.#sinks) sink(bytes, 1);
      return;
    }
    this.#gathered.push(line);
    this.#timer ??= setTimeout(this.#handOn, this.#readers.periodMs).unref();
  }

  readonly #handOn = (): void => {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#gathered.length === 0) return;
    const pieces = piecesOf(this.#gathered);
    this.#gathered = [];
    giveTo([...this.#sinks], pieces, this.#sinks);
  };
}

interface Piece {
  readonly bytes: Uint8Array;
  readonly lines: number;
}

function piecesOf(lines: readonly string[]): Piece[] {
  const pieces: Piece[] = [];
  let from = 0;
  let length = 0;
  lines.forEach((line, at) => {
    if (at > from && length + line.length > PIECE_BYTES) {
      pieces.push(pieceOf(lines.slice(from, at)));
      from = at;
      length = 0;
    }
    length += line.length;
  });
  pieces.push(pieceOf(lines.slice(from)));
  return pieces;
}

function pieceOf(lines: readonly string[]): Piece {
  return { bytes: Buffer.from(lines.join('')), lines: lines.length };
}

/** Some readers now, the others in later turns. @param present those that have not left */
function giveTo(sinks: readonly LineSink[], pieces: readonly Piece[], present: ReadonlySet<LineSink>): void {
  for (const sink of sinks.slice(0, READERS_PER_TURN)) {
    if (present.has(sink)) for (const { bytes, lines } of pieces) sink(bytes, lines);
  }
  const others = sinks.slice(READERS_PER_TURN);
  if (others.length > 0) setImmediate(giveTo, others, pieces, present);
}
