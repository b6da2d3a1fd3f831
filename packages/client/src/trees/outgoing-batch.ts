import {
  BATCH_CONTENT_BYTES,
  type BatchFile,
  Command,
  decodePutFilesResult,
  encodePutFilesRequest,
  encodePutFilesTable,
  type PutFilesRequest,
  type PutFilesResult,
} from '@sluice/wire';
import type { Connection } from '../connection.js';
import { ClientError } from '../errors.js';
import { joined } from '../read-ahead.js';
import type { RemotePath } from '../remote-path.js';
import type { SmallFile } from './small-file.js';

/** Files of one batch: more would make a batch of empty ones take as long as many. */
const MAX_FILES = 1024;

/** Small files that are sent in one packet. Can be sent again. */
export class OutgoingBatch<T> {
  /** What the files are for the caller, in their order. */
  readonly files: T[] = [];
  readonly #contents: Uint8Array;
  readonly #digestOf: (content: Uint8Array) => bigint;
  readonly #directories = new Map<string, number>();
  readonly #entries: BatchFile[] = [];
  #contentBytes = 0;

  /**
   * @param contents memory for the contents, of {@link BATCH_CONTENT_BYTES}
   * @param digestOf XXH64
   */
  constructor(contents: Uint8Array, digestOf: (content: Uint8Array) => bigint) {
    this.#contents = contents;
    this.#digestOf = digestOf;
  }

  /** Memory for the contents of a batch. */
  static memory(): Uint8Array {
    return new Uint8Array(BATCH_CONTENT_BYTES);
  }

  /** What was given to it. */
  get memory(): Uint8Array {
    return this.#contents;
  }

  /** Of the file with that number, in bytes. */
  sizeOf(index: number): number {
    return this.#entries[index]!.size;
  }

  hasRoomFor({ content }: SmallFile): boolean {
    return this.files.length < MAX_FILES && this.#contentBytes + content.length <= this.#contents.length;
  }

  /** Copies the content. @param preserves whether the file keeps its time and permissions */
  add(file: T, { dirName, fileName }: RemotePath, small: SmallFile, preserves: boolean): void {
    const { content, modifiedNs, mode } = small;
    let directory = this.#directories.get(dirName);
    if (directory === undefined) {
      directory = this.#directories.size;
      this.#directories.set(dirName, directory);
    }
    this.files.push(file);
    this.#entries.push({
      directory,
      name: fileName,
      size: content.length,
      digest: this.#digestOf(content),
      ...(preserves && { modifiedNs, mode }),
    });
    this.#contents.set(content, this.#contentBytes);
    this.#contentBytes += content.length;
  }

  /**
   * Sends it and waits for what became of its files.
   *
   * @throws {ClientError} `ERR_REMOTE`, when the server refuses the whole; `ERR_PROTOCOL`; and whatever ends the connection
   */
  async send(connection: Connection, request: Omit<PutFilesRequest, 'dirName'>): Promise<PutFilesResult> {
    const directories = [...this.#directories.keys()];
    const table = encodePutFilesTable(directories, this.#entries);
    const contents = this.#contents.subarray(0, this.#contentBytes);
    const data = joined([table, contents], table.length + contents.length);
    const text = encodePutFilesRequest({ ...request, dirName: '' });
    const answer = await connection.request(Command.PutFiles, text, data);
    const result = decodePutFilesResult(answer.response, answer.data, directories.length, this.files.length);
    if (!result) throw new ClientError('ERR_PROTOCOL', 'the server has answered for another number of files');
    return result;
  }
}
