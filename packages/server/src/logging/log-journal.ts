import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type AppendFailure, AppendFile } from './append-file.js';
import { RecentLines } from './recent-lines.js';

/** The journal is this many files, so that dropping the oldest drops little. */
const SEGMENTS = 8;

const READ_BYTES = 64 << 10;
const SEGMENT_NAME = /^(\d{16})\.jsonl$/;
const ID_NAME = 'id';

export interface LogJournalOptions {
  /** Length of all files together, in bytes. */
  readonly maxBytes: number;
  /** Of lines that wait for the disk. @default 4 MiB */
  readonly maxWaitingBytes?: number;
  readonly onLost: (failure: AppendFailure) => void;
}

/** A journal, as another process has to know it to read it. */
export interface JournalState {
  readonly id: string;
  readonly directory: string;
  /** Numbers of the first lines of the files, ascending. */
  readonly segments: readonly number[];
  readonly writtenSeq: number;
}

/** Lines of a journal, in order. */
export interface JournalPage {
  /** JSON objects, without line ends. */
  readonly lines: readonly string[];
  /** The number of the next line that is wanted. */
  readonly next: number;
  /** Lines before the last of these that are not there any more, or could never be written. */
  readonly missed: number;
}

/**
 * The newest lines of the log, on the disk: numbered without a gap over restarts of the server, so that a reader can say where it was.
 * Readers see a line when the system has it, not before: a server that is killed never gives the number of a line that was seen to another.
 */
export class LogJournal {
  /** Random; another one is another journal, with its own numbers. */
  readonly id: string;
  readonly #directory: string;
  readonly #segmentBytes: number;
  readonly #readers = new Set<() => void>();
  /** Numbers of the first lines of the files, ascending. */
  readonly #segments: number[];
  readonly #recent: RecentLines;
  #file!: AppendFile;
  #nextSeq: number;
  #writtenSeq: number;

  private constructor(directory: string, id: string, segments: number[], lastSeq: number, segmentBytes: number) {
    this.#directory = directory;
    this.id = id;
    this.#segments = segments;
    this.#nextSeq = lastSeq + 1;
    this.#recent = new RecentLines(lastSeq + 1);
    this.#writtenSeq = lastSeq;
    this.#segmentBytes = segmentBytes;
  }

  /**
   * Opens the journal of a directory, or begins one; what a crash left of a last line is cut off.
   *
   * @throws the system's error
   */
  static async open(directory: string, { maxBytes, maxWaitingBytes, onLost }: LogJournalOptions): Promise<LogJournal> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const names = await readdir(directory);
    const segments = names
      .flatMap((name) => Number(SEGMENT_NAME.exec(name)?.[1] ?? Number.NaN))
      .filter((seq) => seq > 0);
    segments.sort((a, b) => a - b);
    const known = await readFile(join(directory, ID_NAME), 'utf8').catch(() => '');
    let id = known.trim();
    if (!/^[0-9a-f]{16}$/.test(id)) {
      id = randomBytes(8).toString('hex');
      await writeFile(join(directory, ID_NAME), `${id}\n`, { mode: 0o600 });
    }
    const newest = segments.at(-1);
    const lastSeq = newest === undefined ? 0 : await repairTail(join(directory, segmentName(newest)), newest - 1);
    if (newest === undefined) segments.push(1);
    const segmentBytes = Math.max(READ_BYTES, Math.floor(maxBytes / SEGMENTS));
    const journal = new LogJournal(directory, id, segments, lastSeq, segmentBytes);
    journal.#file = await AppendFile.open(join(directory, segmentName(segments.at(-1)!)), {
      next: (bytes, firstSeq) => journal.#next(bytes, firstSeq),
      onWritten: (seq) => journal.#onWritten(seq),
      onLost: (failure) => {
        journal.#recent.clear();
        onLost(failure);
      },
      ...(maxWaitingBytes !== undefined && { maxWaitingBytes }),
    });
    return journal;
  }

  /** What another process has to know to read the journal. */
  get state(): JournalState {
    return { id: this.id, directory: this.#directory, segments: [...this.#segments], writtenSeq: this.#writtenSeq };
  }

  /** The number that the next line will have. */
  get nextSeq(): number {
    return this.#nextSeq;
  }

  /** The number of the newest line that readers see. */
  get writtenSeq(): number {
    return this.#writtenSeq;
  }

  /** The number of the oldest line that is kept. */
  get firstSeq(): number {
    return this.#segments[0]!;
  }

  /** @param line JSON, with the number that `nextSeq` was as `seq` */
  append(line: string): void {
    const seq = this.#nextSeq;
    this.#nextSeq += 1;
    this.#recent.push(line);
    this.#file.append(line, seq); // it may be lost, and then is not recent either
  }

  /** Reads from a line on; behind the newest for what is to come. */
  read(fromSeq: number): JournalReader {
    return new JournalReader(
      this.#directory,
      () => this.#segments,
      () => this.#writtenSeq,
      this.#recent,
      fromSeq,
    );
  }

  /** Calls `onLines` whenever there are new lines, until the returned function is called. */
  subscribe(onLines: () => void): () => void {
    this.#readers.add(onLines);
    return () => this.#readers.delete(onLines);
  }

  settled(): Promise<void> {
    return this.#file.settled();
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  #onWritten(seq: number): void {
    this.#writtenSeq = seq;
    for (const onLines of [...this.#readers]) onLines();
  }

  async #next(bytes: number, firstSeq: number): Promise<string | undefined> {
    if (bytes < this.#segmentBytes) return undefined;
    // One that could not be opened the last time.
    if (this.#segments.at(-1)! > this.#writtenSeq) this.#segments.pop();
    while (this.#segments.length >= SEGMENTS) {
      await rm(join(this.#directory, segmentName(this.#segments[0]!)), { force: true });
      this.#segments.shift();
    }
    this.#segments.push(firstSeq);
    return join(this.#directory, segmentName(firstSeq));
  }
}

/** Goes through a journal, from file to file. Not for concurrent use. */
export class JournalReader {
  readonly #directory: string;
  readonly #segments: () => readonly number[];
  readonly #writtenSeq: () => number;
  readonly #recent: RecentLines;
  #next: number;
  /** Where the next line is, once that is known. */
  #place: { readonly segment: number; offset: number } | undefined;

  constructor(
    directory: string,
    segments: () => readonly number[],
    writtenSeq: () => number,
    recent: RecentLines,
    fromSeq: number,
  ) {
    this.#directory = directory;
    this.#segments = segments;
    this.#writtenSeq = writtenSeq;
    this.#recent = recent;
    this.#next = fromSeq;
  }

  /** The next lines, some 64 KiB of them; none when there are none yet. */
  async page(): Promise<JournalPage> {
    const last = this.#writtenSeq();
    if (this.#next > last) return { lines: [], next: this.#next, missed: 0 };
    const recent = this.#recent.between(this.#next, last, READ_BYTES);
    if (recent) {
      this.#next += recent.length;
      this.#place = undefined;
      return { lines: recent, next: this.#next, missed: 0 };
    }
    for (;;) {
      const place = this.#place ?? this.#findPlace();
      this.#place = place;
      const page = await this.#readAt(place, last);
      if (page) return page;
      const following = this.#segments().find((segment) => segment > place.segment);
      if (following === undefined) return { lines: [], next: this.#next, missed: 0 };
      this.#place = { segment: following, offset: 0 };
    }
  }

  #findPlace(): { readonly segment: number; offset: number } {
    const segments = this.#segments();
    return { segment: segments.findLast((segment) => segment <= this.#next) ?? segments[0]!, offset: 0 };
  }

  /** @returns `undefined` at the end of a file */
  async #readAt(place: { readonly segment: number; offset: number }, last: number): Promise<JournalPage | undefined> {
    let handle: FileHandle;
    try {
      handle = await open(join(this.#directory, segmentName(place.segment)));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined; // dropped meanwhile
      throw error;
    }
    await using file = handle;
    for (let readBytes = READ_BYTES; ; readBytes *= 2) {
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(readBytes), 0, readBytes, place.offset);
      const end = buffer.subarray(0, bytesRead).lastIndexOf(10) + 1;
      if (end === 0 && bytesRead === readBytes) continue; // a line of more than 64 KiB
      if (end === 0) return undefined;
      const page = this.#pageOf(buffer.toString('utf8', 0, end), last);
      place.offset += page.bytes;
      if (page.lines.length > 0) return page;
      if (page.bytes < end || bytesRead < readBytes) return undefined;
      readBytes = READ_BYTES / 2;
    }
  }

  #pageOf(text: string, last: number): JournalPage & { readonly bytes: number } {
    const lines: string[] = [];
    let missed = 0;
    let bytes = 0;
    for (const line of text.slice(0, -1).split('\n')) {
      const seq = seqOf(line);
      if (seq !== undefined && seq > last) break; // not told to anybody yet
      bytes += Buffer.byteLength(line) + 1;
      if (seq === undefined || seq < this.#next) continue;
      missed += seq - this.#next;
      this.#next = seq + 1;
      lines.push(line);
    }
    return { lines, next: this.#next, missed, bytes };
  }
}

/** Cuts off what is no whole line at the end. @returns the number of the last line, or `fallback` if there is none */
async function repairTail(path: string, fallback: number): Promise<number> {
  const content = await readFile(path);
  const end = content.lastIndexOf(10) + 1;
  if (end < content.length) await truncate(path, end);
  const lines = content.toString('utf8', 0, end).split('\n');
  return lines.reduce((last, line) => Math.max(last, seqOf(line) ?? 0), fallback);
}

/** The number of a line that this server has written: time and level stand in front of it. */
function seqOf(line: string): number | undefined {
  const match = /^\{"time":"[^"]*","level":"[a-z]+","seq":(\d+),/.exec(line);
  return match ? Number(match[1]) : undefined;
}

function segmentName(firstSeq: number): string {
  return `${String(firstSeq).padStart(16, '0')}.jsonl`;
}
