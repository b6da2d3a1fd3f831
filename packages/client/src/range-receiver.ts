import type { ChunkHash } from '@sluice/files/digests';
import { DIGEST_CHUNK_BYTES, Key, ProtocolError, parseInteger, type Response } from '@sluice/wire';
import type { ChunkRun } from './chunk-ledger.js';
import type { ChunkStore, ChunkWriter } from './chunk-store.js';
import type { DataReceiver } from './connection.js';
import { ClientError } from './errors.js';
import { joined } from './read-ahead.js';

/** What a receiver tells its lane. */
export interface RangeEvents {
  /** All bytes of a chunk are in the partial, and have this digest. */
  onChunk(chunk: number, digest: bigint): void;
  /** So many more bytes are in the partial. */
  onBytes(bytes: number): void;
  /** All of a run has arrived. */
  onRun(): void;
  /** The connection has ended. */
  onFailure(error: unknown): void;
}

/** A run of chunks that was asked for. */
interface IncomingRun {
  readonly run: ChunkRun;
  /** Behind its last byte. */
  end: number;
  /** Whether the file may end before `end`. */
  mayBeShorter: boolean;
  readonly writer: ChunkWriter;
  /** Up to where bytes have come and were digested. */
  position: number;
  readonly hash: ChunkHash;
  isAnnounced: boolean;
  /** Not yet written. */
  parts: Uint8Array[];
  /** Chunks whose bytes are among `parts`, or were before, and their digests. */
  digests: [chunk: number, digest: bigint][];
}

/** Takes the runs that were asked for on one connection: digests each chunk as it comes, and writes it to its place from the receive buffer. */
export class RangeReceiver implements DataReceiver {
  readonly #partial: ChunkStore;
  readonly #newHash: () => ChunkHash;
  readonly #events: RangeEvents;
  /** In the order in which they were asked for. */
  readonly #runs: IncomingRun[] = [];
  #isAbandoned = false;
  #flushing: Promise<void> | undefined;
  /** What must settle before anything is written. */
  #held: Promise<void> | undefined;

  constructor(partial: ChunkStore, newHash: () => ChunkHash, events: RangeEvents) {
    this.#partial = partial;
    this.#newHash = newHash;
    this.#events = events;
  }

  /** Runs that were asked for and have not arrived. */
  get runs(): number {
    return this.#runs.length;
  }

  /** Bytes that are in the partial of a chunk that is not complete. */
  get begunBytes(): number {
    const [first] = this.#runs;
    if (!first || first.writer.position === first.end) return 0; // the last chunk of a file may be a short one
    return first.writer.position % DIGEST_CHUNK_BYTES;
  }

  /** Says that the first chunks of a file are being asked for whose length is not known. @param ready settles when they may be written */
  expectFirst(chunks: number, ready: Promise<void>): void {
    this.#held = ready;
    this.#expect({ first: 0, end: chunks, begun: undefined }, chunks * DIGEST_CHUNK_BYTES, true);
  }

  /** Says that a run is being asked for. @param end behind its last byte @returns where it begins, in bytes */
  expect(run: ChunkRun, end: number): number {
    return this.#expect(run, end, false);
  }

  #expect(run: ChunkRun, end: number, mayBeShorter: boolean): number {
    const position = run.first * DIGEST_CHUNK_BYTES + (run.begun?.bytes ?? 0);
    this.#runs.push({
      run,
      end,
      mayBeShorter,
      writer: this.#partial.writerAt(position),
      position,
      hash: run.begun?.hash ?? this.#newHash(),
      isAnnounced: false,
      parts: [],
      digests: [],
    });
    return position;
  }

  onAnnounced(announcement: Response): void {
    if (this.#isAbandoned) return;
    const remaining = parseInteger(announcement.text.first(Key.FileSize) ?? '', 64);
    const next = this.#runs.find(({ isAnnounced }) => !isAnnounced);
    const isInTurn = next && this.#runs.every((run) => !run.isAnnounced || run.position === run.end);
    const wanted = next && BigInt(next.end - next.position);
    const isRight = remaining === wanted || (next?.mayBeShorter && remaining !== undefined && remaining >= 0n);
    if (!isInTurn || !isRight || Number(remaining) > Number(wanted)) {
      throw new ProtocolError('ERR_RESPONSE_INVALID', 'SendFile for something else than what was asked for');
    }
    next.end = next.position + Number(remaining);
    next.isAnnounced = true;
  }

  onData(source: Uint8Array, start: number, end: number): void {
    if (start === end || this.#isAbandoned) return;
    const incoming = this.#runs.findLast(({ isAnnounced }) => isAnnounced);
    if (!incoming || end - start > incoming.end - incoming.position) {
      throw new ProtocolError('ERR_RESPONSE_INVALID', 'more data than announced');
    }
    incoming.parts.push(source.subarray(start, end));
    for (let at = start; at < end; ) {
      const chunk = Math.floor(incoming.position / DIGEST_CHUNK_BYTES);
      const chunkEnd = Math.min(incoming.end, (chunk + 1) * DIGEST_CHUNK_BYTES);
      const count = Math.min(end - at, chunkEnd - incoming.position);
      incoming.hash.update(source.subarray(at, at + count));
      incoming.position += count;
      at += count;
      if (incoming.position < chunkEnd) return;
      incoming.digests.push([chunk, incoming.hash.end()]);
    }
  }

  flush(): void | Promise<void> {
    if (this.#held && this.#runs.some(({ parts }) => parts.length > 0)) {
      this.#keepParts(undefined);
      this.#flushing = this.#held.then(() => {
        this.#held = undefined;
        return this.flush();
      });
      return this.#flushing;
    }
    for (;;) {
      const incoming = this.#runs[0];
      if (!incoming?.isAnnounced) return;
      if (incoming.parts.length > 0) {
        const writing = this.#write(incoming);
        if (writing) {
          this.#keepParts(incoming);
          this.#flushing = writing.then(() => this.flush());
          return this.#flushing;
        }
      }
      if (incoming.writer.position < incoming.end) return;
      this.#runs.shift();
      this.#events.onRun();
    }
  }

  /** Takes nothing any more of what was asked for. */
  abandon(): void {
    this.#runs.length = 0;
    this.#isAbandoned = true;
  }

  /** Settles when nothing is written any more. */
  async settle(): Promise<void> {
    await this.#flushing?.catch(() => {}); // a failure has ended the connection
  }

  onFailure(error: unknown): void {
    this.#events.onFailure(error);
  }

  /** What has not arrived of what was asked for. To be called when nothing comes any more. */
  takeUnfinished(): ChunkRun[] {
    const unfinished = this.#runs.splice(0).filter(({ writer, end }) => writer.position < end);
    return unfinished.map(({ run, position, writer, hash }) => {
      const first = Math.floor(writer.position / DIGEST_CHUNK_BYTES);
      const bytes = writer.position - first * DIGEST_CHUNK_BYTES;
      // What was digested and not written, or the other way round, cannot be gone on with.
      const begun = bytes > 0 && writer.position === position ? { bytes, hash } : undefined;
      return { first: Math.max(first, run.first), end: run.end, begun };
    });
  }

  /** The receive buffer will be used again before what is not `written` by then has been. */
  #keepParts(written: IncomingRun | undefined): void {
    for (const incoming of this.#runs) {
      if (incoming !== written && incoming.parts.length > 0) incoming.parts = [whole(incoming.parts)];
    }
  }

  #write(incoming: IncomingRun): void | Promise<void> {
    const before = incoming.writer.position;
    try {
      const writing = incoming.writer.write(incoming.parts);
      if (!writing) return this.#onWritten(incoming, before);
      return writing.then(
        () => this.#onWritten(incoming, before),
        (error: unknown) => this.#fail(error),
      );
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): never {
    throw error instanceof ClientError ? error : this.#partial.unwritable(error);
  }

  #onWritten(incoming: IncomingRun, before: number): void | Promise<void> {
    const bytes = incoming.writer.position - before;
    incoming.parts = [];
    const marking = this.#partial.written(bytes);
    if (marking) return marking.then(() => this.#tell(incoming, bytes));
    this.#tell(incoming, bytes);
  }

  #tell(incoming: IncomingRun, bytes: number): void {
    this.#events.onBytes(bytes);
    for (const [chunk, digest] of incoming.digests.splice(0)) this.#events.onChunk(chunk, digest);
  }
}

function whole(parts: readonly Uint8Array[]): Uint8Array {
  return joined(
    parts,
    parts.reduce((sum, { length }) => sum + length, 0),
  );
}
