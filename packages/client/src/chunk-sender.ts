import type { ChunkHash } from '@sluice/files';
import {
  ChunkState,
  Command,
  type DataSlab,
  DIGEST_CHUNK_BYTES,
  encodeChunkRangeRequest,
  encodeEndChunkRequest,
  encodePacket,
  encodePlaceDataRequest,
} from '@sluice/wire';
import type { ChunkPlan } from './chunk-plan.js';
import type { Connection } from './connection.js';
import type { SourceFile } from './source-file.js';
import { newUploadSlab } from './upload-slab.js';

/** What the connections of one upload have in common. */
export interface ChunkSending {
  readonly source: SourceFile;
  readonly plan: ChunkPlan;
  /** Used for a whole chunk within one tick, so one is enough for all. */
  readonly hash: ChunkHash;
  /** Told about each chunk that is settled. @param bytesSent 0 when the server had it */
  readonly onSettled: (chunk: number, bytesSent: number) => void;
}

/** A chunk's memory. A chunk is read into one while another one is being sent. */
interface Place {
  readonly slab: DataSlab;
  /** Settles when the memory may be overwritten. */
  sending: Promise<void> | undefined;
}

/** Brings chunks to the server over one connection: reads, digests and compares each, and sends those that the server does not have. */
export class ChunkSender {
  readonly connection: Connection;
  readonly #sending: ChunkSending;
  readonly #places: Place[] = [];
  /** Chunks that were taken from the plan and are not settled. */
  readonly #open = new Set<number>();

  constructor(connection: Connection, sending: ChunkSending) {
    this.connection = connection;
    this.#sending = sending;
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
      await Promise.all(this.#places.map(({ sending }) => sending));
    } catch (error) {
      for (const chunk of this.#open) plan.giveBack(chunk);
      this.#open.clear();
      throw error;
    }
  }

  async #bring(chunk: number): Promise<void> {
    const { plan, source } = this.#sending;
    const { position, bytes } = plan.place(chunk);
    const place = await this.#freePlace(bytes);
    const gaps = place.slab.gapsFor(bytes);
    const isIdle = this.#places.every(({ sending }) => sending === undefined);
    if (isIdle) await source.read(gaps, position, bytes);
    else await source.readPooled(gaps, position, bytes);
    const digest = this.#digestOf(gaps);

    const { state, digest: serverDigest } = plan.onServer(chunk);
    if (state !== ChunkState.Missing && serverDigest === digest) {
      if (state === ChunkState.InTarget) await this.connection.send([useTargetPacket(chunk)]);
      this.#settle(chunk, digest, 0);
      return;
    }
    const packets = [placePacket(position), place.slab.packets(bytes), endPacket(digest)];
    place.sending = this.connection.send(packets).then(() => {
      place.sending = undefined;
      this.#settle(chunk, digest, bytes);
    });
    place.sending.catch(() => {}); // awaited before the memory is used again, and at the end
  }

  /** Memory that nothing is sent from any more. */
  async #freePlace(bytes: number): Promise<Place> {
    const free = this.#places.find(({ sending }) => sending === undefined);
    if (free) return free;
    if (this.#places.length < 2) {
      const isOnly = this.#sending.plan.fileSize <= DIGEST_CHUNK_BYTES;
      const place: Place = { slab: newUploadSlab(isOnly ? bytes : DIGEST_CHUNK_BYTES), sending: undefined };
      this.#places.push(place);
      return place;
    }
    await Promise.race(this.#places.map(({ sending }) => sending));
    return this.#freePlace(bytes);
  }

  #digestOf(gaps: readonly Uint8Array[]): bigint {
    const { hash } = this.#sending;
    for (const gap of gaps) hash.update(gap);
    return hash.end();
  }

  #settle(chunk: number, digest: bigint, bytesSent: number): void {
    this.#open.delete(chunk);
    this.#sending.plan.settle(chunk, digest);
    this.#sending.onSettled(chunk, bytesSent);
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
