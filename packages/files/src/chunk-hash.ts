import type { XXHash } from 'xxhash-wasm';
import { loadXxhash } from './xxhash.js';

/** The XXH64 (seed 0) of bytes that pass by, for one chunk after the other. */
export class ChunkHash {
  readonly #newHash: () => XXHash<bigint>;
  #hash: XXHash<bigint>;

  private constructor(newHash: () => XXHash<bigint>) {
    this.#newHash = newHash;
    this.#hash = newHash();
  }

  static async create(): Promise<ChunkHash> {
    const { create64 } = await loadXxhash();
    return new ChunkHash(() => create64());
  }

  /** @returns what makes as many as are needed, at once */
  static async maker(): Promise<() => ChunkHash> {
    const { create64 } = await loadXxhash();
    return () => new ChunkHash(() => create64());
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  /** The digest of the chunk that ends here; the next one begins. */
  end(): bigint {
    const digest = this.#hash.digest();
    this.#hash = this.#newHash();
    return digest;
  }

  /** The digest of what has come of the chunk, which goes on. */
  soFar(): bigint {
    return this.#hash.digest();
  }

  /** Forgets the chunk that has begun. */
  restart(): void {
    this.#hash = this.#newHash();
  }
}

/** The digest of a file: the XXH64 of the digests of its chunks, 8 bytes each, big-endian, one behind the other. */
export async function contentDigest(chunkDigests: Iterable<bigint>): Promise<bigint> {
  const { create64 } = await loadXxhash();
  const hash = create64();
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  for (const digest of chunkDigests) {
    view.setBigUint64(0, digest);
    hash.update(bytes);
  }
  return hash.digest();
}
