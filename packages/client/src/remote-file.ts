import { OptionsError } from '@sluice/framing';
import { abortable } from './cancellation.js';
import { ClientError } from './errors.js';
import { FileLink, type FileLinkContext } from './file-link.js';
import type { RemoteFileStatus } from './open-file.js';
import { collect, PIECE_BYTES, ReadAhead } from './read-ahead.js';
import { readableOf, writableOf } from './remote-file-streams.js';
import { SequentialReader } from './sequential-reader.js';
import type { CallOptions } from './transfer.js';

/** Options of `openRemoteFile`. */
export interface OpenRemoteFileOptions extends CallOptions {
  /**
   * `read`: the file must exist. `write`: for reading and writing; one that is missing is made, one that is there keeps its content, and
   * nobody else has it open meanwhile. @default 'read'
   */
  readonly mode?: 'read' | 'write';
  /** How long the server is asked to keep the file open when the connection breaks, in milliseconds, 0 to 2^31 - 1. @default 60_000 */
  readonly keepMs?: number;
  /** Most bytes that are read ahead for one who reads in order, 0 to 1 GiB; 0: none. @default 8_388_608 */
  readonly readAheadBytes?: number;
}

/** Which part of a file a stream is of. */
export interface RangeOptions extends CallOptions {
  /** Where it begins, in bytes. @default 0 */
  readonly offset?: number;
  /** How many bytes at most. @default to the end of the file */
  readonly length?: number;
}

/** Options of `seek`. */
export interface SeekOptions extends CallOptions {
  /** What the offset counts from. @default 'start' */
  readonly from?: 'start' | 'position' | 'end';
}

export const DEFAULT_REMOTE_FILE_OPTIONS = { mode: 'read', keepMs: 60_000, readAheadBytes: 8 << 20 } as const;

const MAX_KEEP_MS = 2 ** 31 - 1;
const MAX_READ_AHEAD_BYTES = 1 << 30;

/**
 * A file that is open on the server. Made by `openRemoteFile`.
 *
 * `read`, `write` and `seek` share a position and follow one another, however they are called. `readAt` and `writeAt` have nothing to do with it: any
 * number of them may be under way, and the server answers each when it can. Two that touch the same bytes, one of them writing, take effect in any
 * order: who needs an order waits for the first.
 *
 * A broken connection is replaced, with pauses as for other calls, and the calls that were under way are made again; a write that
 * was done already is done once more, with the same bytes. If the file has changed meanwhile, everything rejects with `ERR_SOURCE_CHANGED`; if the server has
 * not kept it open for writing, with `ERR_CONNECTION_LOST`. An original server keeps nothing, and takes one request after the other.
 *
 * Each call takes a signal, which calls off only that call: a write that is called off may have been done or not.
 */
export class RemoteFile implements AsyncDisposable {
  readonly path: string;
  readonly mode: 'read' | 'write';
  readonly #link: FileLink;
  readonly #readAheadBytes: number;
  readonly #reader: SequentialReader;
  readonly #onClosed: () => void;
  /** Writes that are not confirmed. */
  readonly #writes = new Set<Promise<void>>();
  #position = 0;
  /** The last of the calls that share the position. */
  #lastInOrder: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  private constructor(
    link: FileLink,
    path: string,
    mode: 'read' | 'write',
    readAheadBytes: number,
    onClosed: () => void,
  ) {
    this.#link = link;
    this.path = path;
    this.mode = mode;
    this.#readAheadBytes = readAheadBytes;
    this.#reader = new SequentialReader((position, count) => this.#readPiece(position, count), readAheadBytes);
    this.#onClosed = onClosed;
  }

  /** @internal Use `openRemoteFile` of the client. */
  static async open(
    context: FileLinkContext,
    path: string,
    options: Omit<OpenRemoteFileOptions, 'signal'>,
    signal: AbortSignal,
    onClosed: (file: RemoteFile) => void,
  ): Promise<RemoteFile> {
    const { mode, keepMs, readAheadBytes } = { ...DEFAULT_REMOTE_FILE_OPTIONS, ...options };
    if (mode !== 'read' && mode !== 'write')
      throw new OptionsError(`mode is ${String(mode)}; it must be read or write`);
    requireWhole('keepMs', keepMs, MAX_KEEP_MS);
    requireWhole('readAheadBytes', readAheadBytes, MAX_READ_AHEAD_BYTES);
    const link = await FileLink.open(context, { path, mode, keepMs }, signal);
    const file: RemoteFile = new RemoteFile(link, path, mode, readAheadBytes, () => onClosed(file));
    return file;
  }

  /** Where `read` and `write` go on, in bytes; may lie beyond the end. */
  get position(): number {
    return this.#position;
  }

  /** Reads at the position, and moves it. @returns fewer than `count` bytes only at the end of the file; there, none */
  read(count: number, { signal }: CallOptions = {}): Promise<Uint8Array> {
    return this.#inOrder(signal, async () => {
      requireWhole('count', count);
      const data = await this.#reader.read(this.#position, count);
      if (!signal?.aborted) this.#position += data.length;
      return data;
    });
  }

  /** Reads anywhere. @returns fewer than `count` bytes only at the end of the file; there, none */
  readAt(position: number, count: number, { signal }: CallOptions = {}): Promise<Uint8Array> {
    return this.#call(signal, () => {
      requireWhole('position', position);
      requireWhole('count', count);
      return this.#readPiece(position, count);
    });
  }

  /** Writes all of the data at the position, and moves it. They must stay as they are until the promise settles. */
  write(data: Uint8Array, { signal }: CallOptions = {}): Promise<void> {
    return this.#inOrder(signal, async () => {
      await this.#writePieces(this.#position, data);
      if (!signal?.aborted) this.#position += data.length;
    });
  }

  /** Writes all of the data anywhere; what is between the end of the file and them reads as zeros. They must stay as they are until the promise settles. */
  writeAt(position: number, data: Uint8Array, { signal }: CallOptions = {}): Promise<void> {
    return this.#call(signal, () => {
      requireWhole('position', position);
      return this.#writePieces(position, data);
    });
  }

  /**
   * Moves the position.
   *
   * @param offset may be negative, except from the start
   * @returns the new position
   * @throws {OptionsError} `ERR_OPTION_RANGE` when that would be in front of the file
   */
  seek(offset: number, { from = 'start', signal }: SeekOptions = {}): Promise<number> {
    return this.#inOrder(signal, async () => {
      let base = 0;
      if (from === 'position') base = this.#position;
      else if (from === 'end') base = (await this.#link.look()).size;
      requireWhole('the new position', base + offset);
      signal?.throwIfAborted();
      this.#position = base + offset;
      return this.#position;
    });
  }

  /** Cuts the file, or extends it with zeros; a position beyond a shorter end moves there. @param size in bytes */
  truncate(size: number, { signal }: CallOptions = {}): Promise<void> {
    return this.#inOrder(signal, async () => {
      requireWhole('size', size);
      this.#reader.forget();
      await this.#tracked(this.#link.run((file) => file.truncate(size)));
      if (!signal?.aborted) this.#position = Math.min(this.#position, size);
    });
  }

  /**
   * Settles when everything that was written by earlier calls is on the server's disk.
   *
   * @throws {ClientError} `ERR_UNSUPPORTED` by an original server
   */
  sync({ signal }: CallOptions = {}): Promise<void> {
    return this.#call(signal, async () => {
      await Promise.allSettled(this.#writes);
      await this.#link.run((file) => file.sync());
    });
  }

  /** What the server says of the file as it is now. */
  stat({ signal }: CallOptions = {}): Promise<RemoteFileStatus> {
    return this.#call(signal, () => this.#link.look());
  }

  /** A stream of the bytes of a range, read ahead. Does not touch the position. */
  readable({ offset = 0, length = Number.MAX_SAFE_INTEGER, signal }: RangeOptions = {}): ReadableStream<Uint8Array> {
    this.#requireOpen();
    requireWhole('offset', offset);
    requireWhole('length', length);
    const range = {
      position: offset,
      end: Math.min(offset + length, Number.MAX_SAFE_INTEGER),
      maxBytes: this.#readAheadBytes,
    };
    return readableOf((position, count) => this.#readPiece(position, count), range, signal);
  }

  /**
   * A stream into the file from `offset` on; several writes of it are under way at once. Closing it settles when all are done; it does not
   * sync, and leaves the file open and as long as it is. Does not touch the position.
   */
  writable({ offset = 0, signal }: Omit<RangeOptions, 'length'> = {}): WritableStream<Uint8Array> {
    this.#requireOpen();
    requireWhole('offset', offset);
    return writableOf((position, data) => this.#writePieces(position, data), offset, signal);
  }

  /** Waits for writes that are under way, and closes the file; all later calls reject with `ERR_CLOSED`. May be called twice. */
  close({ signal }: CallOptions = {}): Promise<void> {
    this.#closing ??= this.#close();
    return signal ? abortable(signal, this.#closing) : this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @internal Ends it at once, and calls with `reason`. */
  destroy(reason: unknown): void {
    this.#link.destroy(reason);
    this.#closing ??= Promise.resolve();
    this.#onClosed();
  }

  async #close(): Promise<void> {
    try {
      await Promise.allSettled([this.#lastInOrder, ...this.#writes]);
      await this.#link.close();
    } finally {
      this.#onClosed();
    }
  }

  /** A read of any size; a large one in pieces that are under way together. */
  #readPiece(position: number, count: number): Promise<Uint8Array> {
    if (count <= PIECE_BYTES) return this.#link.run((file) => file.readAt(position, count));
    const range = { position, end: position + count, maxBytes: 8 << 20, startBytes: 8 << 20 };
    const ahead = new ReadAhead((at, bytes) => this.#readPiece(at, bytes), range);
    return collect(ahead, count);
  }

  /** A write of any size; a large one in pieces that are under way together. Rejects only when none is under way any more. */
  async #writePieces(position: number, data: Uint8Array): Promise<void> {
    this.#reader.forget();
    const pieces: Promise<void>[] = [];
    for (let at = 0; at < data.length; at += PIECE_BYTES) {
      const piece = data.subarray(at, at + PIECE_BYTES);
      pieces.push(this.#tracked(this.#link.run((file) => file.writeAt(position + at, piece))));
    }
    if (pieces.length === 1) return pieces[0];
    const failed = (await Promise.allSettled(pieces)).find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
  }

  #tracked(writing: Promise<void>): Promise<void> {
    this.#writes.add(writing);
    const onSettled = () => {
      this.#writes.delete(writing);
    };
    writing.then(onSettled, onSettled);
    return writing;
  }

  /** A call that works with the position: when those before it have ended. */
  #inOrder<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    return this.#call(signal, () => {
      const result = this.#lastInOrder.then(() => {
        signal?.throwIfAborted();
        return work();
      });
      this.#lastInOrder = result.catch(() => {});
      return result;
    });
  }

  /** Not an async function: what is called some ten thousand times a second makes no promise more than it needs. */
  #call<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    try {
      this.#requireOpen();
      signal?.throwIfAborted();
      return signal ? abortable(signal, work()) : work();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #requireOpen(): void {
    if (this.#closing) throw new ClientError('ERR_CLOSED', 'the file is closed');
  }
}

/** @throws {OptionsError} `ERR_OPTION_RANGE` */
function requireWhole(name: string, value: number, max = Number.MAX_SAFE_INTEGER): void {
  if (!Number.isInteger(value) || value < 0 || value > max)
    throw new OptionsError(`${name} is ${value}; it must be a whole number from 0 to ${max}`);
}
