import type { ChunkHash } from '@sluice/files/digests';
import type { LocalDigests } from './matching-prefix.js';

/** A chunk of a file, as it is sent. */
export interface ReadChunk {
  readonly digest: bigint;
  /** The Data packets that carry it; valid until `release`. */
  readonly packets: Uint8Array;
  /** Gives the memory back. */
  release(): void;
}

/** Reads the chunks of a file for one connection. Each has its memory until it is released; there is enough for two at a time. */
export interface ChunkReader {
  /**
   * @param isIdle nothing is being sent meanwhile
   * @throws {ClientError} `ERR_LOCAL_FILE`; `ERR_SOURCE_CHANGED` when the file ends before
   */
  read(position: number, bytes: number, isIdle: boolean): Promise<ReadChunk>;
}

/** A file that is uploaded: open for reading only (C7), and expected to stay as it was when it was opened. */
export interface UploadSource {
  /** For people. */
  readonly path: string;
  /** In bytes, when it was opened. */
  readonly size: number;
  /** Another text for another file, and for another state of this one. */
  readonly sourceId: string;
  /** Whether that is certain: then what the server has of the same `sourceId` need not be compared. */
  readonly isIdentified: boolean;
  /** Time of its last change, in nanoseconds since 1970-01-01 UTC; `undefined` where there is none. */
  readonly modifiedNs: bigint | undefined;
  /** Its nine permission bits; `undefined` where they are not known. */
  readonly mode: number | undefined;
  /** Of its chunks. Rejects with whatever the system says. */
  readonly digests: LocalDigests;
  /** @param hash used for a whole chunk within one tick, so one is enough for all */
  openChunks(hash: ChunkHash): ChunkReader;
  /**
   * Fills the views from `position` on, as soon as may be.
   *
   * @throws {ClientError} `ERR_LOCAL_FILE`; `ERR_SOURCE_CHANGED` when the file ends before the views are full
   */
  read(views: readonly Uint8Array[], position: number, count: number): Promise<void>;
  /** As `read`, in the background. */
  readPooled(views: readonly Uint8Array[], position: number, count: number): Promise<void>;
  /** @throws {ClientError} `ERR_SOURCE_CHANGED` when it is not as it was; `ERR_LOCAL_FILE` */
  requireUnchanged(): Promise<void>;
  /** That it cannot be read. */
  unreadable(cause: unknown): Error;
}

/** Who follows an upload closely. */
export interface UploadObserver {
  /** The server has a place for it. */
  onBegun(uploadId: string): void;
  /** A chunk was read. @throws to end the upload: it is not the one that it must be */
  onRead(chunk: number, digest: bigint): void;
  /** The server has the chunk, or it is on its way. */
  onSettled(chunk: number, digest: bigint): void;
}
