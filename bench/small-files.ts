import { randomFillSync } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { TREE_FILE_BYTES } from './contenders/tree-mover.js';
import type { Direction } from './scenarios.js';
import { CONTENT_DIRECTORY, type Scratch } from './scratch.js';

/** The directory that is moved. */
export const TREE = 'tree';
/** Moved once before the clock starts. */
export const WARM_UP_TREE = 'warm-up-tree';
export const WARM_UP_FILES = 1000;
const FILES_IN_A_DIRECTORY = 100;

/** Directories of small files: here, on a server that is downloaded from, and what transfers have left. */
export class SmallFiles implements Disposable {
  readonly scratch: Scratch;
  readonly #directory: string;
  readonly #files: number;

  constructor(scratch: Scratch, files: number) {
    this.scratch = scratch;
    this.#files = files;
    this.#directory = path.join(scratch.directory, 'trees');
    writeTree(this.source(TREE), files);
    writeTree(this.source(WARM_UP_TREE), WARM_UP_FILES);
    scratch.serve(0);
    for (const name of [TREE, WARM_UP_TREE]) {
      cpSync(this.source(name), path.join(scratch.servedRoot, CONTENT_DIRECTORY, name), { recursive: true });
    }
  }

  source(name: string): string {
    return path.join(this.#directory, name);
  }

  /** Root of the server. */
  rootFor(direction: Direction): string {
    return direction === 'upload' ? this.scratch.receivedRoot : this.scratch.servedRoot;
  }

  /** Removes what the transfer before has left. */
  empty(): void {
    this.scratch.empty();
  }

  /** Compares what a transfer left with the source. @throws {Error} when a file is missing, is too much, or differs */
  check(direction: Direction): void {
    const { receivedRoot, fetchedDirectory } = this.scratch;
    const moved =
      direction === 'upload' ? path.join(receivedRoot, CONTENT_DIRECTORY, TREE) : path.join(fetchedDirectory, TREE);
    const names = filesIn(moved);
    if (names.length !== this.#files) throw new Error(`${names.length} files instead of ${this.#files}`);
    for (const name of names) {
      if (!readFileSync(path.join(moved, name)).equals(readFileSync(path.join(this.source(TREE), name)))) {
        throw new Error(`${name} differs from the source`);
      }
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function writeTree(directory: string, files: number): void {
  for (let i = 0; i < files; i++) {
    const place = path.join(directory, `d${Math.floor(i / FILES_IN_A_DIRECTORY)}`);
    if (i % FILES_IN_A_DIRECTORY === 0) mkdirSync(place, { recursive: true });
    writeFileSync(path.join(place, `f${i}`), randomFillSync(Buffer.alloc(TREE_FILE_BYTES)));
  }
}

function filesIn(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(directory, path.join(entry.parentPath, entry.name)));
}
