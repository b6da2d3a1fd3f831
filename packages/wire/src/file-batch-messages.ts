import { type CommandText, type Field, requestText, responseText } from './command-text.js';
import { RequestError } from './errors.js';
import { optionalChoice, requiredDirName } from './keys.js';
import { Command, Key } from './names.js';
import type { Response } from './response.js';
import { ResultCode } from './result-codes.js';
import { IF_EXISTS, type IfExists } from './staged-upload-messages.js';
import type { Durability } from './upload-messages.js';
import { decodeUtf8, encodeUtf8 } from './utf8.js';

/** Most directories, and most files, that one packet of PutFiles or GetFiles names. */
export const MAX_BATCH_ENTRIES = 16_384;

/** Largest file that GetFiles sends, in bytes; larger ones are downloaded one by one. Clients do the same the other way. */
export const MAX_BATCHED_FILE_BYTES = 256 << 10;

/**
 * Contents in one answer to GetFiles, in bytes, at most; clients put as much into one PutFiles. With the table it stays below 1 MiB: buffers of that
 * size are used again by both sides, and several batches are under way at once.
 */
export const BATCH_CONTENT_BYTES = 896 << 10;

/** Bytes of a file in front of its name: the number of its directory, and the length of its name. */
const NAME_HEAD_BYTES = 6;

/** Bytes of what is told about a file besides its name. */
const FACTS_BYTES = 23;

const HAS_MODIFIED = 1;
const HAS_MODE = 2;

/** A file of a batch, by its place in the table of directories and its name there. */
export interface BatchName {
  /** Which one of the table. */
  readonly directory: number;
  /** A bare name. */
  readonly name: string;
}

/** What is told about a file of a batch. */
export interface BatchFacts {
  /** In bytes. */
  readonly size: number;
  /** XXH64, seed 0, of the content. */
  readonly digest: bigint;
  /** Time of last change, in nanoseconds since 1970-01-01 UTC. */
  readonly modifiedNs?: bigint | undefined;
  /** Nine permission bits. */
  readonly mode?: number | undefined;
}

/** A file that is sent whole. */
export interface BatchFile extends BatchName, BatchFacts {}

/** Extension: stores many small files. docs/protocol.md. */
export interface PutFilesRequest {
  /** What the directories of the table are in. */
  readonly dirName: string;
  /** What becomes of a file that has the name. @default 'replace' */
  readonly ifExists?: IfExists | undefined;
  /** At most what the server offers. @default what the server offers */
  readonly durability?: Durability | undefined;
  /** Whether directories of the table that are missing are made, and `dirName` too. @default false */
  readonly makesParents?: boolean | undefined;
}

export function encodePutFilesRequest(request: PutFilesRequest): Uint8Array {
  const fields: Field[] = [[Key.DirName, request.dirName]];
  if (request.ifExists !== undefined) fields.push([Key.IfExists, request.ifExists]);
  if (request.durability !== undefined) fields.push([Key.Durability, request.durability]);
  if (request.makesParents) fields.push([Key.Parents, 'yes']);
  return requestText(Command.PutFiles, fields);
}

/** @throws {RequestError} code 6 */
export function decodePutFilesRequest(text: CommandText): PutFilesRequest {
  return {
    dirName: requiredDirName(text),
    ifExists: optionalChoice(text, Key.IfExists, IF_EXISTS),
    durability: optionalChoice(text, Key.Durability, ['durable', 'memory']),
    makesParents: optionalChoice(text, Key.Parents, ['yes', 'no']) === 'yes',
  };
}

/** The data of PutFiles but for the contents, which follow one behind the other. */
export function encodePutFilesTable(directories: readonly string[], files: readonly BatchFile[]): Uint8Array {
  const writer = new TableWriter();
  writer.directories(directories);
  writer.uint32(files.length);
  for (const file of files) {
    writer.name(file);
    writer.facts(file);
  }
  return writer.bytes();
}

/** What came with a PutFiles. */
export interface PutFilesTable {
  /** Relative to DirName, as the client spelled them; empty for DirName itself. */
  readonly directories: readonly string[];
  readonly files: readonly BatchFile[];
  /** Where the contents begin in the data. */
  readonly contentStart: number;
}

/** @throws {RequestError} code 6 for data that is not what the table says, to the byte */
export function decodePutFilesTable(data: Uint8Array): PutFilesTable {
  const reader = new TableReader(data);
  const directories = reader.directories();
  const count = reader.count(NAME_HEAD_BYTES + FACTS_BYTES);
  const files: BatchFile[] = [];
  let contentBytes = 0;
  for (let i = 0; i < count; i++) {
    const { directory, name } = reader.name(directories.length);
    const facts = reader.facts();
    if ((facts.mode ?? 0) > 0o777) throw badTable('a mode of more than nine bits');
    contentBytes += facts.size;
    files.push({ directory, name, ...facts });
  }
  if (contentBytes !== data.length - reader.at) throw badTable('the contents are not as long as the table says');
  return { directories, files, contentStart: reader.at };
}

/** What became of a PutFiles. */
export interface PutFilesResult {
  readonly durability: Durability;
  /** Of each directory of the table. */
  readonly directoryCodes: readonly number[];
  /** Of each file. Code 16 also where the client has asked to skip. */
  readonly fileCodes: readonly number[];
}

/** The text; the codes, encoded by {@link encodeBatchCodes}, follow as data. */
export function putFilesResponseText(command: string, durability: Durability): Uint8Array {
  return responseText(command, ResultCode.Success, [[Key.Durability, durability]]);
}

/** Of the directories, then of the files, 4 bytes each. */
export function encodeBatchCodes(directoryCodes: readonly number[], fileCodes: readonly number[]): Uint8Array {
  const writer = new TableWriter();
  for (const code of directoryCodes) writer.uint32(code);
  for (const code of fileCodes) writer.uint32(code);
  return writer.bytes();
}

/** @returns `undefined` when the codes are not as many as was asked for */
export function decodePutFilesResult(
  { text }: Response,
  data: Uint8Array,
  directories: number,
  files: number,
): PutFilesResult | undefined {
  if (data.length !== 4 * (directories + files)) return undefined;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const codes = Array.from({ length: directories + files }, (_, i) => view.getUint32(4 * i));
  return {
    durability: text.first(Key.Durability) === 'durable' ? 'durable' : 'memory',
    directoryCodes: codes.slice(0, directories),
    fileCodes: codes.slice(directories),
  };
}

/** Extension: fetches many small files. The names follow as data. docs/protocol.md. */
export function encodeGetFilesRequest(dirName: string): Uint8Array {
  return requestText(Command.GetFiles, [[Key.DirName, dirName]]);
}

/** @returns DirName @throws {RequestError} code 6 */
export function decodeGetFilesRequest(text: CommandText): string {
  return requiredDirName(text);
}

/** The data of GetFiles. */
export function encodeGetFilesTable(directories: readonly string[], files: readonly BatchName[]): Uint8Array {
  const writer = new TableWriter();
  writer.directories(directories);
  writer.uint32(files.length);
  for (const file of files) writer.name(file);
  return writer.bytes();
}

/** @throws {RequestError} code 6 */
export function decodeGetFilesTable(data: Uint8Array): { directories: readonly string[]; files: readonly BatchName[] } {
  const reader = new TableReader(data);
  const directories = reader.directories();
  const count = reader.count(NAME_HEAD_BYTES);
  const files = Array.from({ length: count }, () => reader.name(directories.length));
  if (reader.at !== data.length) throw badTable('there is more data than the table says');
  return { directories, files };
}

/** A file of an answer to GetFiles. */
export interface FetchedFile {
  /** 19 for one above {@link MAX_BATCHED_FILE_BYTES}. Any but 0: the rest means nothing. */
  readonly code: number;
  readonly facts: BatchFacts;
}

/** The text; the table, by {@link encodeFetchedTable}, and the contents follow as data. @param count files that are answered: the first of those that were asked for */
export function getFilesResponseText(command: string, count: number): Uint8Array {
  return responseText(command, ResultCode.Success, [[Key.Count, count]]);
}

/** The data of an answer to GetFiles but for the contents. */
export function encodeFetchedTable(files: readonly FetchedFile[]): Uint8Array {
  const writer = new TableWriter();
  for (const { code, facts } of files) {
    writer.uint32(code);
    writer.facts(facts);
  }
  return writer.bytes();
}

/** @returns `undefined` for data that is not what the table says, to the byte, and for a mode of more than nine bits */
export function decodeFetchedTable(
  data: Uint8Array,
  count: number,
): { files: readonly FetchedFile[]; contentStart: number } | undefined {
  if (count > MAX_BATCH_ENTRIES || data.length < count * (4 + FACTS_BYTES)) return undefined;
  const reader = new TableReader(data);
  const files: FetchedFile[] = [];
  for (let i = 0; i < count; i++) files.push({ code: reader.uint32(), facts: reader.facts() });
  const contentBytes = files.reduce((sum, { facts }) => sum + facts.size, 0);
  if (files.some(({ facts }) => (facts.mode ?? 0) > 0o777)) return undefined;
  return contentBytes === data.length - reader.at ? { files, contentStart: reader.at } : undefined;
}

/** Numbers are big-endian, as in digests. */
class TableWriter {
  #target = new Uint8Array(4096);
  #view = new DataView(this.#target.buffer);
  #at = 0;

  bytes(): Uint8Array {
    return this.#target.subarray(0, this.#at);
  }

  uint32(value: number): void {
    this.#need(4);
    this.#view.setUint32(this.#at, value);
    this.#at += 4;
  }

  directories(names: readonly string[]): void {
    this.uint32(names.length);
    for (const name of names) this.#text(name);
  }

  name({ directory, name }: BatchName): void {
    this.uint32(directory);
    this.#text(name);
  }

  facts({ size, digest, modifiedNs, mode }: BatchFacts): void {
    this.#need(FACTS_BYTES);
    const [view, at] = [this.#view, this.#at];
    view.setUint8(at, (modifiedNs === undefined ? 0 : HAS_MODIFIED) | (mode === undefined ? 0 : HAS_MODE));
    view.setUint16(at + 1, mode ?? 0);
    view.setBigInt64(at + 3, modifiedNs ?? 0n);
    view.setUint32(at + 11, size);
    view.setBigUint64(at + 15, digest);
    this.#at += FACTS_BYTES;
  }

  #text(text: string): void {
    const bytes = encodeUtf8(text);
    if (bytes.length > 0xffff) throw new RangeError(`name of ${bytes.length} bytes`);
    this.#need(2 + bytes.length);
    this.#view.setUint16(this.#at, bytes.length);
    this.#target.set(bytes, this.#at + 2);
    this.#at += 2 + bytes.length;
  }

  #need(bytes: number): void {
    if (this.#at + bytes <= this.#target.length) return;
    const grown = new Uint8Array(2 * (this.#at + bytes));
    grown.set(this.bytes());
    this.#target = grown;
    this.#view = new DataView(grown.buffer);
  }
}

/** Reads what a peer has sent: every length is checked before it is used. */
class TableReader {
  at = 0;
  readonly #data: Uint8Array;
  readonly #view: DataView;

  constructor(data: Uint8Array) {
    this.#data = data;
    this.#view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  }

  uint32(): number {
    this.#require(4);
    this.at += 4;
    return this.#view.getUint32(this.at - 4);
  }

  /** @param entryBytes that each entry has at least: no more are believed in than there is data for */
  count(entryBytes: number): number {
    const count = this.uint32();
    if (count > MAX_BATCH_ENTRIES) throw badTable(`a table of more than ${MAX_BATCH_ENTRIES} entries`);
    this.#require(count * entryBytes);
    return count;
  }

  directories(): string[] {
    const count = this.count(2);
    return Array.from({ length: count }, () => this.#text());
  }

  name(directories: number): BatchName {
    const directory = this.uint32();
    if (directory >= directories) throw badTable('a directory that is not in the table');
    return { directory, name: this.#text() };
  }

  facts(): BatchFacts {
    this.#require(FACTS_BYTES);
    const [view, at] = [this.#view, this.at];
    this.at += FACTS_BYTES;
    const flags = view.getUint8(at);
    const mode = view.getUint16(at + 1);
    return {
      size: view.getUint32(at + 11),
      digest: view.getBigUint64(at + 15),
      modifiedNs: flags & HAS_MODIFIED ? view.getBigInt64(at + 3) : undefined,
      mode: flags & HAS_MODE ? mode : undefined,
    };
  }

  #text(): string {
    this.#require(2);
    const length = this.#view.getUint16(this.at);
    this.at += 2;
    this.#require(length);
    this.at += length;
    return decodeUtf8(this.#data, this.at - length, this.at);
  }

  #require(bytes: number): void {
    if (bytes > this.#data.length - this.at) throw badTable('the table is cut off');
  }
}

function badTable(message: string): RequestError {
  return new RequestError(ResultCode.ParameterError, message);
}
