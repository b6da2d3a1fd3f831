import { ChunkDigester, type ChunkHash } from '@sluice/files/digests';
import { DIGEST_CHUNK_BYTES } from '@sluice/wire';
import { ClientError } from '../errors.js';
import type { LocalDigests } from '../matching-prefix.js';
import type { ChunkReader, ReadChunk, UploadSource } from '../upload-source.js';
import type { ChunkPacker } from './packed-chunk.js';

/** A file that somebody has picked, or bytes that a page has. */
export class BlobSource implements UploadSource {
  readonly path: string;
  readonly size: number;
  readonly sourceId: string;
  /** Name, size and time of a picked file do not tell it from every other. */
  readonly isIdentified = false;
  readonly mode = undefined;
  readonly modifiedNs: bigint | undefined;
  readonly #blob: Blob;
  readonly #packer: ChunkPacker;
  readonly #spare: ArrayBuffer[] = [];

  /** @param sourceId of an upload that is gone on with; else a new one */
  constructor(blob: Blob, sourceId: string, packer: ChunkPacker) {
    this.#blob = blob;
    this.#packer = packer;
    this.path = nameOf(blob);
    this.size = blob.size;
    this.sourceId = sourceId;
    this.modifiedNs = isFile(blob) ? BigInt(Math.trunc(blob.lastModified)) * 1_000_000n : undefined;
  }

  readonly digests: LocalDigests = ({ position, count, signal }) =>
    digestsOfBlob(this.#blob.slice(position, position + count), signal);

  openChunks(_hash: ChunkHash): ChunkReader {
    return { read: (position, bytes) => this.#pack(position, bytes) };
  }

  read(views: readonly Uint8Array[], position: number, count: number): Promise<void> {
    return this.readPooled(views, position, count);
  }

  async readPooled(views: readonly Uint8Array[], position: number, count: number): Promise<void> {
    const data = await this.#checked(() => this.#blob.slice(position, position + count).arrayBuffer());
    if (data.byteLength < count) throw this.#changed();
    let at = 0;
    for (const view of views) {
      view.set(new Uint8Array(data, at, view.length));
      at += view.length;
    }
  }

  /** A browser does not read on in a file that has changed: its last byte tells. */
  async requireUnchanged(): Promise<void> {
    await this.#checked(() => this.#blob.slice(Math.max(0, this.size - 1)).arrayBuffer());
  }

  unreadable(cause: unknown): ClientError {
    const { name, message } = cause as Partial<Error>;
    if (name === 'NotReadableError' || name === 'NotFoundError') {
      const text = `${this.path} cannot be read any more: it was changed, moved or removed since it was picked`;
      return new ClientError('ERR_SOURCE_CHANGED', text, { cause });
    }
    return new ClientError('ERR_LOCAL_FILE', `cannot read ${this.path}: ${message}`, { cause });
  }

  async #pack(position: number, bytes: number): Promise<ReadChunk> {
    const place = { position, bytes, memory: this.#spare.pop() };
    const packed = await this.#checked(() => this.#packer.pack(this.#blob, place));
    if (!packed) throw this.#changed();
    const { digest, memory, packetBytes } = packed;
    return { digest, packets: new Uint8Array(memory, 0, packetBytes), release: () => this.#spare.push(memory) };
  }

  async #checked<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      throw this.unreadable(error);
    }
  }

  #changed(): ClientError {
    return new ClientError('ERR_SOURCE_CHANGED', `${this.path} changed while it was being uploaded; pick it again`);
  }
}

/** Of the chunks of a blob, 8 bytes each, big-endian. Rejects with the browser's error, or the signal's reason. */
export async function digestsOfBlob(blob: Blob, signal?: AbortSignal): Promise<Uint8Array> {
  const digester = await ChunkDigester.create(DIGEST_CHUNK_BYTES);
  for (let at = 0; at < blob.size; at += DIGEST_CHUNK_BYTES) {
    signal?.throwIfAborted();
    digester.update(new Uint8Array(await blob.slice(at, at + DIGEST_CHUNK_BYTES).arrayBuffer()));
  }
  return digester.digests();
}

/** For people: blobs that are no files have none. */
export function nameOf(blob: Blob): string {
  return isFile(blob) ? blob.name : 'the bytes';
}

export function isFile(blob: Blob): blob is File {
  return 'lastModified' in blob;
}
