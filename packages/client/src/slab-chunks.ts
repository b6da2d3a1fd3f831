import type { ChunkHash } from '@sluice/files/digests';
import { type DataSlab, DIGEST_CHUNK_BYTES } from '@sluice/wire';
import { newUploadSlab } from './upload-slab.js';
import type { ChunkReader, ReadChunk, UploadSource } from './upload-source.js';

/** Reads chunks into memory in which their packets stand ready. A chunk is read into one slab while another one is being sent. */
export class SlabChunks implements ChunkReader {
  readonly #source: UploadSource;
  readonly #hash: ChunkHash;
  readonly #free: DataSlab[] = [];

  constructor(source: UploadSource, hash: ChunkHash) {
    this.#source = source;
    this.#hash = hash;
  }

  async read(position: number, bytes: number, isIdle: boolean): Promise<ReadChunk> {
    const isOnly = this.#source.size <= DIGEST_CHUNK_BYTES;
    const slab = this.#free.pop() ?? newUploadSlab(isOnly ? bytes : DIGEST_CHUNK_BYTES);
    const gaps = slab.gapsFor(bytes);
    if (isIdle) await this.#source.read(gaps, position, bytes);
    else await this.#source.readPooled(gaps, position, bytes);
    for (const gap of gaps) this.#hash.update(gap);
    const digest = this.#hash.end();
    return { digest, packets: slab.packets(bytes), release: () => this.#free.push(slab) };
  }
}
