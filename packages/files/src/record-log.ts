import type { FileHandle } from 'node:fs/promises';
import xxhash from 'xxhash-wasm';
import { diskTurn } from './disk-turns.js';

const hashing = xxhash();

/** In front of each record: u32 length of the payload, u64 checksum; big-endian. */
const HEAD_BYTES = 12;

/** Largest payload of a record, in bytes. */
export const MAX_RECORD_BYTES = 16 << 20;

/** What was found in a log. */
export interface FoundRecords {
  /** Views of the memory that was parsed. */
  readonly records: readonly Uint8Array[];
  /** Where the last good record ends. Whatever is behind that is torn or damaged. */
  readonly goodBytes: number;
}

/** How much of a log is read. */
export interface RecordLogLimits {
  /** Whatever is behind so many bytes counts as damaged. @default 64 MiB */
  readonly maxBytes?: number;
}

/**
 * A file of records that is only ever appended to, and of which a crash can take no more than the end: a record counts when its checksum
 * (XXH64 of length and payload) is right, and when all records in front of it count. The seed of the checksum is where the record stands,
 * so that one which was moved or written twice does not count, and neither do zeros.
 *
 * Does not own the handle. It may be used by several callers at once: what is appended in one tick, or while a write goes on, is written
 * together.
 */
export class RecordLog {
  readonly #handle: FileHandle;
  readonly #h64: Checksum;
  #position: number;
  #queue: Uint8Array[] = [];
  #writing: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  private constructor(handle: FileHandle, position: number, h64: Checksum) {
    this.#handle = handle;
    this.#position = position;
    this.#h64 = h64;
  }

  /**
   * Reads the log, and cuts off what is behind its last good record; what is appended goes there.
   *
   * @param handle open for reading and writing, without append mode
   * @returns also how many bytes were cut off
   * @throws the system's error
   */
  static async open(
    handle: FileHandle,
    { maxBytes = 64 << 20 }: RecordLogLimits = {},
  ): Promise<{ log: RecordLog; records: readonly Uint8Array[]; damagedBytes: number }> {
    const { size } = await handle.stat();
    const bytes = await readFully(handle, Math.min(size, maxBytes));
    const { records, goodBytes } = await parseRecords(bytes);
    if (goodBytes < size) await handle.truncate(goodBytes);
    const { h64Raw } = await hashing;
    return { log: new RecordLog(handle, goodBytes, h64Raw), records, damagedBytes: size - goodBytes };
  }

  /** Bytes of the records that were appended or found. */
  get bytes(): number {
    return this.#position;
  }

  /**
   * Adds a record. The payload may be overwritten when the call has returned.
   *
   * @returns settles when the system has it, which a crash of the process does not undo; rejects with the system's error, and so does
   *   every later call: what a failed write has left is known only when the log is opened again
   */
  append(payload: Uint8Array): Promise<void> {
    if (this.#failure) return Promise.reject(this.#failure.error);
    const record = encodeRecord(payload, this.#position, this.#h64);
    this.#position += record.length;
    this.#queue.push(record);
    this.#writing ??= this.#writeQueue();
    return this.#writing;
  }

  /** Settles when all that was appended before is on the disk. Rejects with the system's error. */
  async sync(): Promise<void> {
    await this.#writing;
    if (this.#failure) throw this.#failure.error;
    await diskTurn(() => this.#handle.datasync());
  }

  /** Settles when no write goes on: then the handle may be closed. Never rejects. */
  async settle(): Promise<void> {
    await this.#writing?.catch(() => {});
  }

  async #writeQueue(): Promise<void> {
    try {
      await Promise.resolve(); // until the end of the tick
      while (this.#queue.length > 0) {
        const bytes = Buffer.concat(this.#queue.splice(0));
        const queued = this.#queue.reduce((sum, record) => sum + record.length, 0);
        await writeFully(this.#handle, bytes, this.#position - queued - bytes.length);
      }
    } catch (error) {
      this.#failure = { error };
      throw error;
    } finally {
      this.#writing = undefined;
    }
  }
}

/** The records of a log, as far as they are good. */
export async function parseRecords(bytes: Uint8Array): Promise<FoundRecords> {
  const { h64Raw } = await hashing;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const records: Uint8Array[] = [];
  let at = 0;
  while (at + HEAD_BYTES <= bytes.length) {
    const length = view.getUint32(at);
    const end = at + HEAD_BYTES + length;
    if (length > MAX_RECORD_BYTES || end > bytes.length) break;
    const payload = bytes.subarray(at + HEAD_BYTES, end);
    if (view.getBigUint64(at + 4) !== checksum(payload, at, h64Raw)) break;
    records.push(payload);
    at = end;
  }
  return { records, goodBytes: at };
}

type Checksum = (bytes: Uint8Array, seed: bigint) => bigint;

function encodeRecord(payload: Uint8Array, position: number, h64: Checksum): Uint8Array {
  if (payload.length > MAX_RECORD_BYTES) throw new RangeError(`a record of ${payload.length} bytes`);
  const record = new Uint8Array(HEAD_BYTES + payload.length);
  const view = new DataView(record.buffer);
  view.setUint32(0, payload.length);
  view.setBigUint64(4, checksum(payload, position, h64));
  record.set(payload, HEAD_BYTES);
  return record;
}

/** The length counts by way of the seed: no two records have the same at one place. */
function checksum(payload: Uint8Array, position: number, h64: Checksum): bigint {
  return h64(payload, (BigInt(payload.length) << 40n) ^ BigInt(position));
}

async function readFully(handle: FileHandle, bytes: number): Promise<Uint8Array> {
  const buffer = new Uint8Array(bytes);
  let got = 0;
  while (got < bytes) {
    const { bytesRead } = await handle.read(buffer, got, bytes - got, got);
    if (bytesRead === 0) break;
    got += bytesRead;
  }
  return buffer.subarray(0, got);
}

async function writeFully(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const at = done;
    const { bytesWritten } = await diskTurn(() => handle.write(bytes, at, bytes.length - at, position + at));
    done += bytesWritten;
  }
}
