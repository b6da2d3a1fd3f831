import { createHash, randomFillSync } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  copyFileSync,
  createReadStream,
  mkdirSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs';
import { stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Direction } from './scenarios.js';

/** Name under which every contender stores and asks for the content; with several connections, `-INDEX` follows. */
export const CONTENT_NAME = 'load.bin';
/** The directory below a server's root that holds the files. */
export const CONTENT_DIRECTORY = 'files';
export const WARM_UP_NAME = 'warm-up.bin';
export const WARM_UP_BYTES = 32 * 1024 ** 2;
const BLOCK_BYTES = 4 * 1024 ** 2;
/** Source, served copy and result exist at once; some room stays for everyone else. */
const FOOTPRINT_FACTOR = 3.5;

/** The temporary directory of one run: source content, what servers serve and receive, what clients fetch. */
export class Scratch implements Disposable {
  readonly directory: string;
  readonly isMemory: boolean;
  readonly sourceFile: string;
  readonly warmUpFile: string;
  /** Root of a server that is downloaded from. */
  readonly servedRoot: string;
  /** Root of a server that is uploaded to; emptied for each transfer. */
  readonly receivedRoot: string;
  /** Where clients put what they download; emptied likewise. */
  readonly fetchedDirectory: string;
  readonly sourceDigest: string;
  /** Where it was to be made; `undefined` when that was left to it. */
  readonly given: string | undefined;
  readonly #sizeBytes: number;

  /** @param given where it is made. @default /dev/shm if there is room, else the system's temporary directory */
  constructor(sizeBytes: number, given?: string) {
    this.#sizeBytes = sizeBytes;
    this.given = given;
    const neededBytes = sizeBytes * FOOTPRINT_FACTOR;
    this.isMemory = given === undefined && hasRoom('/dev/shm', neededBytes);
    const parent = given ?? (this.isMemory ? '/dev/shm' : os.tmpdir());
    if (!this.isMemory && !hasRoom(parent, neededBytes)) {
      throw new Error(
        `neither /dev/shm nor ${parent} has ${Math.ceil(neededBytes / 1e6)} MB free; use a smaller --size`,
      );
    }
    this.directory = mkdtempSync(path.join(parent, 'sluice-bench-'));
    this.sourceFile = path.join(this.directory, 'source', CONTENT_NAME);
    this.warmUpFile = path.join(this.directory, 'source', WARM_UP_NAME);
    this.servedRoot = path.join(this.directory, 'served');
    this.receivedRoot = path.join(this.directory, 'received');
    this.fetchedDirectory = path.join(this.directory, 'fetched');
    try {
      mkdirSync(path.dirname(this.sourceFile));
      if (this.isMemory) this.#touchMemory(neededBytes);
      writeBlocks(this.warmUpFile, WARM_UP_BYTES, randomFillSync);
      this.sourceDigest = writeBlocks(this.sourceFile, sizeBytes, randomFillSync);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Puts the files to be downloaded in place: the whole content, an equal part for each connection, or nothing for 0. */
  serve(connections: number): void {
    removeAll([this.servedRoot, this.receivedRoot, this.fetchedDirectory]);
    if (connections === 0) return;
    const directory = path.join(this.servedRoot, CONTENT_DIRECTORY);
    mkdirSync(directory, { recursive: true });
    copyFileSync(this.warmUpFile, path.join(directory, WARM_UP_NAME));
    const from = openSync(this.sourceFile, 'r');
    for (const name of contentNames(connections)) {
      writeBlocks(path.join(directory, name), this.#sizeBytes / connections, (block) => {
        readSync(from, block);
      });
    }
    closeSync(from);
  }

  /** Makes the places for results anew, so that nothing of the previous transfer is left. */
  empty(): void {
    removeAll([this.receivedRoot, this.fetchedDirectory]);
    mkdirSync(this.fetchedDirectory);
    mkdirSync(path.join(this.receivedRoot, CONTENT_DIRECTORY), { recursive: true });
  }

  /**
   * Compares what a transfer left with the source.
   *
   * @throws {Error} when a file is missing, or size or SHA-256 differ
   */
  async check(direction: Direction, connections: number): Promise<void> {
    const files =
      direction === 'download'
        ? [path.join(this.fetchedDirectory, CONTENT_NAME)]
        : contentNames(connections).map((name) => path.join(this.receivedRoot, CONTENT_DIRECTORY, name));
    const digest = createHash('sha256');
    for (const file of files) {
      const { size } = await stat(file);
      if (size !== this.#sizeBytes / files.length) {
        throw new Error(`${path.basename(file)} has ${size} bytes, expected ${this.#sizeBytes / files.length}`);
      }
      for await (const block of createReadStream(file, { highWaterMark: BLOCK_BYTES })) digest.update(block);
    }
    if (digest.digest('hex') !== this.sourceDigest) throw new Error('the transferred content differs from the source');
  }

  [Symbol.dispose](): void {
    removeAll([this.directory]);
  }

  /** In a virtual machine the first write to memory that was never used can cost several times a later one. */
  #touchMemory(bytes: number): void {
    const file = path.join(this.directory, 'touched');
    writeBlocks(file, bytes, () => {});
    rmSync(file);
  }
}

function removeAll(directories: readonly string[]): void {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
}

export function contentNames(connections: number): string[] {
  if (connections === 1) return [CONTENT_NAME];
  return Array.from({ length: connections }, (_, index) => `${CONTENT_NAME}-${index}`);
}

/** Writes a file block by block; `fill` puts the content into each block. Returns the SHA-256 of the whole. */
function writeBlocks(file: string, bytes: number, fill: (block: Buffer) => void): string {
  const block = Buffer.alloc(BLOCK_BYTES);
  const digest = createHash('sha256');
  const descriptor = openSync(file, 'wx');
  for (let left = bytes; left > 0; left -= BLOCK_BYTES) {
    const part = block.subarray(0, Math.min(left, BLOCK_BYTES));
    fill(part);
    digest.update(part);
    writeSync(descriptor, part);
  }
  closeSync(descriptor);
  return digest.digest('hex');
}

function hasRoom(directory: string, bytes: number): boolean {
  try {
    accessSync(directory, constants.W_OK);
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize > bytes;
  } catch {
    return false;
  }
}
