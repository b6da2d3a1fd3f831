import { rename, rm, stat } from 'node:fs/promises';
import { type AppendFailure, AppendFile } from './append-file.js';

export interface LogFileOptions {
  /** Length from which on a new file is begun, in bytes; 0 for never. */
  readonly maxBytes: number;
  /** Age from which on a new file is begun, in milliseconds; 0 for never. */
  readonly maxAgeMs: number;
  /** Older files that are kept, as `FILE.1`, `FILE.2` and so on, the newest first. */
  readonly keep: number;
  /** Of lines that wait for the disk. @default 4 MiB */
  readonly maxWaitingBytes?: number;
  readonly onLost: (failure: AppendFailure) => void;
  /** @default Date.now */
  readonly nowMs?: () => number;
}

/** The file that the log is written to, changed for a new one by size and age. */
export class LogFile {
  readonly #path: string;
  readonly #options: LogFileOptions;
  readonly #nowMs: () => number;
  #file!: AppendFile;
  #begunMs = 0;
  #mustReopen = false;

  private constructor(path: string, options: LogFileOptions) {
    this.#path = path;
    this.#options = options;
    this.#nowMs = options.nowMs ?? Date.now;
  }

  /** @throws the system's error */
  static async open(path: string, options: LogFileOptions): Promise<LogFile> {
    const log = new LogFile(path, options);
    const known = await stat(path).catch(() => undefined);
    log.#begunMs = known ? known.birthtimeMs || known.mtimeMs : log.#nowMs();
    const { onLost, maxWaitingBytes } = options;
    log.#file = await AppendFile.open(path, {
      next: (bytes) => log.#next(bytes),
      onLost,
      ...(maxWaitingBytes !== undefined && { maxWaitingBytes }),
    });
    return log;
  }

  append(line: string, seq: number): void {
    this.#file.append(line, seq);
  }

  /** Goes on with the file of that name: another program may have moved the present one away. */
  reopen(): void {
    this.#mustReopen = true;
  }

  settled(): Promise<void> {
    return this.#file.settled();
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #next(bytes: number): Promise<string | undefined> {
    const { maxBytes, maxAgeMs } = this.#options;
    const isLarge = maxBytes > 0 && bytes >= maxBytes;
    const isOld = maxAgeMs > 0 && bytes > 0 && this.#nowMs() - this.#begunMs >= maxAgeMs;
    if (isLarge || isOld) await this.#shift();
    else if (!this.#mustReopen) return undefined;
    this.#mustReopen = false;
    this.#begunMs = this.#nowMs();
    return this.#path;
  }

  async #shift(): Promise<void> {
    const { keep } = this.#options;
    await rm(keep === 0 ? this.#path : `${this.#path}.${keep}`, { force: true });
    for (let index = keep - 1; index >= 0; index -= 1) {
      const from = index === 0 ? this.#path : `${this.#path}.${index}`;
      await rename(from, `${this.#path}.${index + 1}`).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
      });
    }
  }
}
