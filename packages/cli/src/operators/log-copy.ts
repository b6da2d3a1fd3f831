import { type FileHandle, open } from 'node:fs/promises';
import { localFailure } from '../failure.js';

const READ_BYTES = 64 << 10;

/** Longest last line that is looked for. */
const MAX_LINE_BYTES = 16 << 20;

/**
 * A file of JSON lines, each with the place in the log behind it as `cursor`. So the file itself says where to go on: whoever writes it may be
 * killed at any time, and half a line at its end is cut off and written again.
 */
export class LogCopy implements AsyncDisposable {
  readonly #handle: FileHandle;
  readonly #path: string;
  /** Behind the last line; `undefined` in an empty file. */
  readonly cursor: string | undefined;

  private constructor(handle: FileHandle, path: string, cursor: string | undefined) {
    this.#handle = handle;
    this.#path = path;
    this.cursor = cursor;
  }

  /** @throws {CommandError} when the file cannot be used, or is no copy of a log */
  static async open(path: string): Promise<LogCopy> {
    let handle: FileHandle;
    try {
      handle = await open(path, 'a+', 0o640);
    } catch (error) {
      throw localFailure('open', path, error);
    }
    try {
      const line = await cutToLastLine(handle);
      return new LogCopy(handle, path, line === undefined ? undefined : cursorOf(line));
    } catch (error) {
      await handle.close();
      throw localFailure('go on with', path, error);
    }
  }

  /** Appends lines with one write. */
  async append(objects: readonly object[]): Promise<void> {
    const bytes = Buffer.from(objects.map((object) => `${JSON.stringify(object)}\n`).join(''));
    try {
      for (let at = 0; at < bytes.length; ) at += (await this.#handle.write(bytes, at)).bytesWritten;
    } catch (error) {
      throw localFailure('write', this.#path, error);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#handle.close();
  }
}

/** Cuts off what is no whole line at the end. @returns the last line; `undefined` if there is none */
async function cutToLastLine(handle: FileHandle): Promise<string | undefined> {
  const { size } = await handle.stat();
  let tail = Buffer.alloc(0);
  for (let start = size; ; ) {
    const from = Math.max(0, start - READ_BYTES);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(start - from), 0, start - from, from);
    tail = Buffer.concat([buffer.subarray(0, bytesRead), tail]);
    start = from;
    const end = tail.lastIndexOf(10);
    const before = end < 0 ? -1 : tail.subarray(0, end).lastIndexOf(10);
    if (start > 0 && before < 0) {
      if (tail.length > MAX_LINE_BYTES) throw new Error('it has a line that is longer than any of a log');
      continue;
    }
    await handle.truncate(start + end + 1);
    return end < 0 ? undefined : tail.toString('utf8', before + 1, end);
  }
}

function cursorOf(line: string): string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new Error('its last line is no JSON: it is no copy that sluice logs has made');
  }
  const cursor = (value as { readonly cursor?: unknown } | null)?.cursor;
  if (typeof cursor !== 'string')
    throw new Error('its last line has no cursor: it is no copy that sluice logs has made');
  return cursor;
}
