import type { XXHash } from 'xxhash-wasm';
import { loadXxhash } from './xxhash.js';

/** Digests the chunks of bytes that pass by, as `digestChunks` does those of a file. */
export class ChunkDigester {
  readonly #chunkBytes: number;
  readonly #newHash: () => XXHash<bigint>;
  /** Of the chunks that are full. */
  readonly #digests: bigint[] = [];
  #hash: XXHash<bigint>;
  #bytesInChunk = 0;

  private constructor(chunkBytes: number, newHash: () => XXHash<bigint>) {
    this.#chunkBytes = chunkBytes;
    this.#newHash = newHash;
    this.#hash = newHash();
  }

  /** @param chunkBytes bytes under one digest */
  static async create(chunkBytes: number): Promise<ChunkDigester> {
    const { create64 } = await loadXxhash();
    return new ChunkDigester(chunkBytes, () => create64());
  }

  /** Takes the next bytes. */
  update(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      const count = Math.min(bytes.length - at, this.#chunkBytes - this.#bytesInChunk);
      this.#hash.update(bytes.subarray(at, at + count));
      this.#bytesInChunk += count;
      at += count;
      if (this.#bytesInChunk < this.#chunkBytes) return;
      this.#digests.push(this.#hash.digest());
      this.#hash = this.#newHash();
      this.#bytesInChunk = 0;
    }
  }

  /** The digests of all bytes so far, as `digestChunks` gives them; the last chunk may be shorter. More may follow. */
  digests(): Uint8Array {
    const digests = this.#bytesInChunk === 0 ? this.#digests : [...this.#digests, this.#hash.digest()];
    const bytes = new Uint8Array(digests.length * 8);
    const view = new DataView(bytes.buffer);
    for (const [i, digest] of digests.entries()) view.setBigUint64(i * 8, digest);
    return bytes;
  }
}
