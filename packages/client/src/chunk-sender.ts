import type { ChunkHash } from '@sluice/files/digests';
import {
  ChunkState,
  Command,
  encodeChunkRangeRequest,
  encodeEndChunkRequest,
  encodePacket,
  encodePlaceDataRequest,
} from '@sluice/wire';
import type { ChunkPlan } from './chunk-plan.js';
import type { Connection } from './connection.js';
import type { ChunkReader, UploadSource } from './upload-source.js';

/** What the connections of one upload have in common. */
export interface ChunkSending {
  readonly source: UploadSource;
  readonly plan: ChunkPlan;
  /** Used for a whole chunk within one tick, so one is enough for all. */
  readonly hash: ChunkHash;
  /** Told about each chunk that is read. @throws to end the upload */
  readonly onRead: (chunk: number, digest: bigint) => void;
  /** Told about each chunk that is settled. @param bytesSent 0 when the server had it */
  readonly onSettled: (chunk: number, digest: bigint, bytesSent: number) => void;
}

/** A chunk is read while another one is being sent. */
const SENDS_AT_ONCE = 2;

/** Brings chunks to the server over one connection: reads, digests and compares each, and sends those that the server does not have. */
export class ChunkSender {
  readonly connection: Connection;
  readonly #sending: ChunkSending;
  readonly #reader: ChunkReader;
  readonly #sends = new Set<Promise<void>>();
  /** Chunks that were taken from the plan and are not settled. */
  readonly #open = new Set<number>();

  constructor(connection: Connection, sending: ChunkSending) {
    this.connection = connection;
    this.#sending = sending;
    this.#reader = sending.source.openChunks(sending.hash);
  }

  /**
   * Settles when the plan has no more chunks, and those it had are in the hands of the system.
   *
   * @throws {ClientError} also of the source; chunks that are not settled have been given back to the plan then
   */
  async run(): Promise<void> {
    const { plan } = this.#sending;
    try {
      for (let chunk = plan.take(); chunk !== undefined; chunk = plan.take()) {
        this.#open.add(chunk);
        await this.#bring(chunk);
      }
      await Promise.all(this.#sends);
    } catch (error) {
      for (const chunk of this.#open) plan.giveBack(chunk);
      this.#open.clear();
      throw error;
    }
  }

  async #bring(chunk: number): Promise<void> {
    const { plan, onRead } = this.#sending;
    const { position, bytes } = plan.place(chunk);
    while (this.#sends.size === SENDS_AT_ONCE) await Promise.race(this.#sends);
    const read = await this.#reader.read(position, bytes, this.#sends.size === 0);
    const { digest } = read;
    onRead(chunk, digest);

    const { state, digest: serverDigest } = plan.onServer(chunk);
    if (state !== ChunkState.Missing && serverDigest === digest) {
      read.release();
      if (state === ChunkState.InTarget) await this.connection.send([useTargetPacket(chunk)]);
      this.#settle(chunk, digest, 0);
      return;
    }
    const packets = [placePacket(position), read.packets, endPacket(digest)];
    const send = this.connection.send(packets).then(() => {
      this.#sends.delete(send);
      read.release();
      this.#settle(chunk, digest, bytes);
    });
    this.#sends.add(send);
    send.catch(() => {}); // awaited before the next chunk is read, and at the end
  }

  #settle(chunk: number, digest: bigint, bytesSent: number): void {
    this.#open.delete(chunk);
    this.#sending.plan.settle(chunk, digest);
    this.#sending.onSettled(chunk, digest, bytesSent);
  }
}

function placePacket(position: number): Uint8Array {
  return encodePacket(encodePlaceDataRequest(position));
}

function endPacket(digest: bigint): Uint8Array {
  return encodePacket(encodeEndChunkRequest(digest));
}

function useTargetPacket(chunk: number): Uint8Array {
  return encodePacket(encodeChunkRangeRequest(Command.UseTarget, { first: chunk, count: 1 }));
}
