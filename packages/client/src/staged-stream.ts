import { ChunkHash, contentDigest } from '@sluice/files/digests';
import { DIGEST_CHUNK_BYTES, encodeEndChunkRequest, encodePacket, encodePlaceDataRequest } from '@sluice/wire';
import type { Connection } from './connection.js';
import { dataPackets } from './data-packets.js';
import type { RemotePath } from './remote-path.js';
import { abortUpload, beginUpload, commitUpload } from './staged-requests.js';
import type { SkippedStream, StreamUpload } from './stream-upload.js';
import type { UploadOptions } from './transfer.js';
import type { UploadOutcome } from './upload-outcome.js';
import { PACKET_BYTES } from './upload-slab.js';

/** A stream that is staged on the server, chunk by chunk, until it is complete: nobody ever sees half of it. docs/protocol.md. */
export class StagedStream implements StreamUpload {
  readonly #connection: Connection;
  readonly #hash: ChunkHash;
  readonly #digests: bigint[] = [];
  #bytes = 0;

  private constructor(connection: Connection, hash: ChunkHash) {
    this.#connection = connection;
    this.#hash = hash;
  }

  /** @returns `undefined` when the server cannot stage this file */
  static async open(
    connection: Connection,
    remote: RemotePath,
    { ifExists, durability, whenBusy }: UploadOptions,
  ): Promise<StagedStream | SkippedStream | undefined> {
    const hash = await ChunkHash.create();
    const begun = await beginUpload(connection, { ...remote, ifExists, durability, whenBusy });
    if (begun && begun.uploadId === undefined) return { skipped: begun.nothingToDo === 'newer' ? 'newer' : 'exists' };
    return begun && new StagedStream(connection, hash);
  }

  async write(piece: Uint8Array): Promise<void> {
    const packets: Uint8Array[] = [];
    for (let at = 0; at < piece.length; ) {
      const bytesInChunk = this.#bytes % DIGEST_CHUNK_BYTES;
      if (bytesInChunk === 0) packets.push(encodePacket(encodePlaceDataRequest(this.#bytes)));
      const part = piece.subarray(at, at + DIGEST_CHUNK_BYTES - bytesInChunk);
      this.#hash.update(part);
      packets.push(...dataPackets(part, PACKET_BYTES));
      at += part.length;
      this.#bytes += part.length;
      if (this.#bytes % DIGEST_CHUNK_BYTES === 0) packets.push(this.#endChunk());
    }
    if (packets.length > 0) await this.#connection.send(packets);
  }

  async finish(): Promise<Pick<UploadOutcome, 'durability' | 'digest'>> {
    if (this.#bytes % DIGEST_CHUNK_BYTES !== 0) await this.#connection.send([this.#endChunk()]);
    const digest = await contentDigest(this.#digests);
    return await commitUpload(this.#connection, { fileSize: this.#bytes, digest });
  }

  async abandon(): Promise<void> {
    await abortUpload(this.#connection).catch(() => {}); // a connection that has broken leaves it to the server
  }

  #endChunk(): Uint8Array {
    const digest = this.#hash.end();
    this.#digests.push(digest);
    return encodePacket(encodeEndChunkRequest(digest));
  }
}
