import { type FileHandle, open } from 'node:fs/promises';
import { diskTurn } from '@sluice/files';

/** Text that waits for the disk, unless told otherwise; what comes above it is lost, and counted. */
const MAX_WAITING_BYTES = 4 << 20;

/** Most bytes of one write: between two, the file may be changed for another. */
const MAX_BATCH_BYTES = 256 << 10;

/** Why lines are lost; the system's code, like ENOSPC. */
export interface AppendFailure {
  readonly code: string;
  /** Lost by it, and before. */
  readonly lostLines: number;
}

export interface AppendFileOptions {
  /**
   * Asked before each write, with the length of the file and the number of the first line to be written: the path of the file to go on
   * with, or nothing to stay. It may move the present one away.
   */
  readonly next: (bytes: number, firstSeq: number) => Promise<string | undefined>;
  /** Told the number of the last line that the system has taken. */
  readonly onWritten?: (seq: number) => void;
  /** Told of lines that are lost. */
  readonly onLost: (failure: AppendFailure) => void;
  /** Of text that waits for the disk. @default 4 MiB */
  readonly maxWaitingBytes?: number;
}

interface WaitingLine {
  readonly text: string;
  readonly bytes: number;
  readonly seq: number;
}

/**
 * A file to whose end lines are written, in order, in the background: whoever logs never waits for the disk. What cannot be written is lost
 * and counted; the next line tries again.
 */
export class AppendFile {
  readonly #options: AppendFileOptions;
  #handle: FileHandle;
  #waiting: WaitingLine[] = [];
  #waitingBytes = 0;
  #writing: Promise<void> | undefined;
  #bytes: number;
  #lostLines = 0;

  private constructor(handle: FileHandle, bytes: number, options: AppendFileOptions) {
    this.#handle = handle;
    this.#bytes = bytes;
    this.#options = options;
  }

  /** @throws the system's error */
  static async open(path: string, options: AppendFileOptions): Promise<AppendFile> {
    const handle = await openToAppend(path);
    try {
      return new AppendFile(handle, (await handle.stat()).size, options);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** @param line without a line end @param seq its number: larger than those before */
  append(line: string, seq: number): void {
    const bytes = Buffer.byteLength(line) + 1;
    if (this.#waitingBytes + bytes > (this.#options.maxWaitingBytes ?? MAX_WAITING_BYTES)) {
      this.#lose(1, 'the disk is too slow');
      return;
    }
    this.#waiting.push({ text: `${line}\n`, bytes, seq });
    this.#waitingBytes += bytes;
    this.#writing ??= this.#write();
  }

  /** Ends when all that was appended so far is written or lost. */
  async settled(): Promise<void> {
    while (this.#writing) await this.#writing;
  }

  async close(): Promise<void> {
    await this.settled();
    await this.#handle.close();
  }

  async #write(): Promise<void> {
    await null; // all lines of a tick in one call
    while (this.#waiting.length > 0) {
      const batch = this.#takeBatch();
      try {
        const path = await this.#options.next(this.#bytes, batch[0]!.seq);
        if (path !== undefined) await this.#changeTo(path);
        const bytes = Buffer.from(batch.map(({ text }) => text).join(''));
        await this.#writeAll(bytes);
        this.#bytes += bytes.length;
        this.#options.onWritten?.(batch.at(-1)!.seq);
      } catch (error) {
        // Half a line may be there: cut off, or the next one would be glued to it.
        await this.#handle.truncate(this.#bytes).catch(() => {});
        this.#lose(batch.length, (error as NodeJS.ErrnoException).code ?? 'unknown');
      }
    }
    this.#writing = undefined;
  }

  #takeBatch(): WaitingLine[] {
    let bytes = 0;
    let count = 0;
    for (const line of this.#waiting) {
      if (count > 0 && bytes + line.bytes > MAX_BATCH_BYTES) break;
      bytes += line.bytes;
      count += 1;
    }
    this.#waitingBytes -= bytes;
    const batch = this.#waiting.slice(0, count);
    this.#waiting = this.#waiting.slice(count);
    return batch;
  }

  async #changeTo(path: string): Promise<void> {
    const handle = await openToAppend(path);
    const { size } = await handle.stat();
    await this.#handle.close().catch(() => {});
    this.#handle = handle;
    this.#bytes = size;
  }

  async #writeAll(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const from = at;
      at += (await diskTurn(() => this.#handle.write(bytes, from))).bytesWritten;
    }
  }

  #lose(lines: number, code: string): void {
    this.#lostLines += lines;
    this.#options.onLost({ code, lostLines: this.#lostLines });
  }
}

function openToAppend(path: string): Promise<FileHandle> {
  return open(path, 'a', 0o640);
}
