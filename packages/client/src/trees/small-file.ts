/** A small file, read whole. */
export interface SmallFile {
  /** Valid until the next file is read. */
  readonly content: Uint8Array;
  /** Missing where it is not known. */
  readonly modifiedNs?: bigint;
  /** Nine permission bits. Missing where they are not known. */
  readonly mode?: number;
}

/** Reads small files whole. */
export interface SmallFiles<Source> {
  /**
   * @returns `undefined` for a file that is too large; a promise when it takes its time
   * @throws {ClientError} `ERR_LOCAL_FILE`; `ERR_SOURCE_CHANGED`
   */
  read(source: Source): SmallFile | undefined | Promise<SmallFile | undefined>;
}
