import type { BigIntStats, Dirent } from 'node:fs';
import type { DirectoryHandle } from './directory-handle.js';
import { forEachLimited } from './for-each-limited.js';
import { compareCodePoints, listedName, type OnSkipped, sortByCodePoint } from './listed-name.js';
import { StorageError, storageErrorFrom, systemCodeOf } from './storage-error.js';

/** Something below a directory. */
export interface ListedEntry {
  /** From the directory that is listed. */
  readonly path: readonly string[];
  readonly kind: 'file' | 'directory' | 'other';
  /** `undefined` for a directory that cannot be opened, or is deeper than a peer can name: what is in it is left out. */
  readonly stats: BigIntStats | undefined;
  /** Of the directory that it is in: `dev:ino`. Empty for a directory. */
  readonly directoryKey: string;
}

/** An entry that was listed: what comes behind it is the next part. */
export interface TreePlace {
  readonly path: readonly string[];
  readonly isDirectory: boolean;
}

/** How much of a tree is listed. */
export interface TreePartOptions {
  /** Goes on behind this entry, which need not be there any more. @default from the beginning */
  readonly after?: TreePlace | undefined;
  readonly maxEntries: number;
  /** Length of all paths together, in UTF-16 units; one that goes beyond it is the last. */
  readonly maxPathLength: number;
  /** Asked between entries: whether it is enough. There is one entry at least, if there is any. */
  readonly isEnough: () => boolean;
  readonly onSkipped?: OnSkipped;
}

/** A part of a tree, in order. */
export interface TreePart {
  readonly entries: readonly ListedEntry[];
  /** Whether more may come behind them. */
  readonly hasMore: boolean;
}

interface TreeReaderOptions extends TreePartOptions {
  readonly open: (below: readonly string[]) => Promise<DirectoryHandle>;
  readonly isServerRoot: boolean;
}

const MAX_STATS_AT_ONCE = 64;

/**
 * Lists what is below a directory: in each directory first what is no directory, by name, then each directory, by name, with what is in it
 * directly behind it. Names that no peer can address are left out, and so is what is gone when it is looked at; no link is followed. One
 * directory is open at a time, and the names of the directories on the way to it are in memory. The tree may change between two parts: what is
 * there all the time is listed once.
 *
 * @param top is closed
 * @throws {StorageError} when the top cannot be read
 */
export async function readTreePart(top: DirectoryHandle, options: TreeReaderOptions): Promise<TreePart> {
  const reader = new TreeReader(options);
  const hasMore = !(await reader.readAll([], top, options.after?.path));
  return { entries: reader.entries, hasMore };
}

class TreeReader {
  readonly entries: ListedEntry[] = [];
  readonly #options: TreeReaderOptions;
  #pathLength = 0;

  constructor(options: TreeReaderOptions) {
    this.#options = options;
  }

  /** @param after behind this in the directory. @returns whether it came to the end */
  async readAll(path: readonly string[], directory: DirectoryHandle, after?: readonly string[]): Promise<boolean> {
    const { others, directories } = await this.#list(path, directory, after);
    if (others === undefined) return false;
    for (const name of directories) {
      // The one that the place before is in, or is: it has been listed.
      const isBegun = name === after?.[0] && (after.length > 1 || this.#options.after?.isDirectory === true);
      const child = [...path, name];
      const rest = isBegun && after.length > 1 ? after.slice(1) : undefined;
      if (!(await this.#readDirectory(child, isBegun, rest))) return false;
    }
    return true;
  }

  /** Lists what is no directory, and closes the directory. @returns `others` is `undefined` when there was no room for all of them */
  async #list(
    path: readonly string[],
    directory: DirectoryHandle,
    after: readonly string[] | undefined,
  ): Promise<{ others: readonly string[] | undefined; directories: readonly string[] }> {
    await using held = directory;
    try {
      const { others, directories } = this.#namesOf(await held.list(), path, after);
      const directoryKey = await held.readKey();
      for (let at = 0; at < others.length; ) {
        if (this.#isFull) return { others: undefined, directories };
        const names = others.slice(
          at,
          at + Math.min(MAX_STATS_AT_ONCE, this.#options.maxEntries - this.entries.length),
        );
        at += names.length;
        if (!(await this.#addOthers(held, path, names, directoryKey))) return { others: undefined, directories };
      }
      return { others, directories };
    } catch (error) {
      throw storageErrorFrom(error, 'directory');
    }
  }

  /** @returns whether there was room for all of them */
  async #addOthers(
    directory: DirectoryHandle,
    path: readonly string[],
    names: readonly string[],
    directoryKey: string,
  ): Promise<boolean> {
    const found = new Map<string, BigIntStats>();
    await forEachLimited(names, MAX_STATS_AT_ONCE, async (name) => {
      const stats = await directory.statExactly(name).catch(undefinedIfMissing);
      if (stats && !stats.isDirectory()) found.set(name, stats);
    });
    for (const name of names) {
      const stats = found.get(name);
      if (!stats) continue;
      if (this.#isFull) return false;
      this.#add({ path: [...path, name], kind: stats.isFile() ? 'file' : 'other', stats, directoryKey });
    }
    return true;
  }

  /** What is behind a place, sorted. */
  #namesOf(
    entries: readonly Dirent<Buffer>[],
    path: readonly string[],
    after: readonly string[] | undefined,
  ): { others: string[]; directories: string[] } {
    const others: string[] = [];
    const directories: string[] = [];
    const [from] = after ?? [];
    const isInDirectory = after !== undefined && (after.length > 1 || this.#options.after?.isDirectory === true);
    for (const entry of entries) {
      const name = listedName(entry.name, this.#options.isServerRoot && path.length === 0, this.#options.onSkipped);
      if (name === undefined) continue;
      const order = from === undefined ? 1 : compareCodePoints(name, from);
      if (entry.isDirectory()) {
        if (!isInDirectory || order >= 0) directories.push(name);
      } else if (!isInDirectory && order > 0) others.push(name);
    }
    return { others: sortByCodePoint(others), directories: sortByCodePoint(directories) };
  }

  /** @param isListed whether the directory itself has been. @returns whether it came to the end */
  async #readDirectory(path: readonly string[], isListed: boolean, after?: readonly string[]): Promise<boolean> {
    if (!isListed && this.#isFull) return false;
    let directory: DirectoryHandle;
    let stats: BigIntStats;
    try {
      directory = await this.#options.open(path);
    } catch (error) {
      if (error instanceof StorageError && isGone(error)) return true;
      if (!isListed) this.#add({ path, kind: 'directory', stats: undefined, directoryKey: '' });
      return true;
    }
    try {
      stats = await directory.statExactly('.');
    } catch (error) {
      await directory.close();
      throw storageErrorFrom(error, 'directory');
    }
    if (!isListed) this.#add({ path, kind: 'directory', stats, directoryKey: '' });
    return await this.readAll(path, directory, after);
  }

  #add(entry: ListedEntry): void {
    this.entries.push(entry);
    for (const component of entry.path) this.#pathLength += component.length + 1;
  }

  get #isFull(): boolean {
    const { maxEntries, maxPathLength, isEnough } = this.#options;
    if (this.entries.length === 0) return false;
    return this.entries.length >= maxEntries || this.#pathLength >= maxPathLength || isEnough();
  }
}

function isGone({ code }: StorageError): boolean {
  return code === 'ERR_DIRECTORY_NOT_FOUND' || code === 'ERR_NOT_A_DIRECTORY';
}

function undefinedIfMissing(error: unknown): undefined {
  if (systemCodeOf(error) !== 'ENOENT') throw error;
}
