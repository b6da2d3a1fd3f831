/** Writes a run of bytes, in order. */
export interface ChunkWriter {
  /** Where the next bytes go, in bytes. */
  readonly position: number;
  /** Writes all parts; they may be overwritten after the call. @returns a promise to be waited for before the next call */
  write(parts: readonly Uint8Array[]): void | Promise<void>;
}

/** What the chunks of a download go to, in any order, and what is known of those that it has. */
export interface ChunkStore {
  /** Whether it has nothing to go on with. */
  readonly isFresh: boolean;
  /** Version of the server's file that it is about. */
  readonly version: string | undefined;
  /** Chunks from this one on are not wanted yet. @default all are wanted @throws {ClientError} when nothing can be taken any more */
  readonly endChunk?: number;
  /** To be called when `endChunk` has moved, or throws. */
  onRoom?: () => void;
  /** The server's digest of a chunk, if it was recorded for this version. */
  serverDigest(chunk: number): bigint | undefined;
  /** Says which state of which file it is to become, before anything is written. May be called again for another state. */
  begin(remote: string, version: string, size: number): Promise<void>;
  /** Says that all of it was looked at: chunks that are not kept are not there. */
  allKnown(): void;
  /** Records what the server's file has. */
  addServerDigests(first: number, digests: readonly bigint[]): void;
  /** The digest of what it has of a chunk. @param bytes length of the chunk in the server's file */
  digestOf(chunk: number, bytes: number): Promise<bigint | undefined>;
  /** Records that it has the chunk, which is right. */
  keep(chunk: number, bytes: number, digest: bigint): void;
  /** Records that a chunk will be written over. Nothing may be written to it before `dropsAreSafe` has settled. */
  drop(chunk: number): void;
  dropsAreSafe(): Promise<void>;
  /** Writes the bytes of a chunk that come from elsewhere. */
  write(position: number, bytes: Uint8Array): Promise<void>;
  /** `written` is to be called after each write. */
  writerAt(position: number): ChunkWriter;
  /** Says that so many bytes were written. @returns a promise to be waited for before more come */
  written(bytes: number): void | Promise<void>;
  /** What a caller is told when it cannot be written to. */
  unwritable(cause: unknown): Error;
}
