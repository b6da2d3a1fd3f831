import type { DirectoryHandle } from './directory-handle.js';
import { systemCodeOf } from './storage-error.js';

/** What is done on a walk. A call ends before the next one begins. */
export interface TreeVisitor {
  /** In a directory, before its sub-directories. `others` are the names of all its entries that are no directories. */
  enter(directory: DirectoryHandle, others: readonly Buffer[]): Promise<void>;
  /** Whether to leave out a sub-directory of the top. @default no */
  skips?(name: Buffer): boolean;
  /** In the parent, after everything below its sub-directory `name`. Not called for the top. */
  leave?(parent: DirectoryHandle, name: Buffer): Promise<void>;
}

/** Somebody else moved or removed directories during a walk, so that it lost its way. */
export class TreeChangedError extends Error {
  override readonly name = 'TreeChangedError';
}

interface Level {
  readonly name: Buffer;
  /** Names of sub-directories that were not visited yet. */
  readonly subdirectories: Buffer[];
  /** `undefined` while it is let go; it is found again from the nearest level above that is held. */
  directory: DirectoryHandle | undefined;
}

/** The deepest levels, which are held. */
const MAX_NEAR_LEVELS = 32;

/** Levels further up that are held besides, evenly spread, so that the way back to any level is short. */
const MAX_FAR_LEVELS = 32;

/**
 * Visits a directory and everything below, depth first, without following a link and without a path. Neither the stack
 * nor the number of descriptors grows with the depth: about 64 levels are held, and the others are opened again, from
 * the nearest one above that is held, when the walk comes back to them. `top` stays open.
 *
 * @throws {TreeChangedError}; errors of the system; what the visitor throws
 */
export async function walkTree(top: DirectoryHandle, visitor: TreeVisitor): Promise<void> {
  await new TreeWalk(visitor).run(top);
}

class TreeWalk {
  readonly #visitor: TreeVisitor;
  /** From the top, which is never let go, to the directory that is visited. */
  readonly #levels: Level[] = [];
  /** Of the levels far up, those at a multiple of this are held. */
  #stride = 1;

  constructor(visitor: TreeVisitor) {
    this.#visitor = visitor;
  }

  async run(top: DirectoryHandle): Promise<void> {
    try {
      await this.#enter(top, Buffer.alloc(0));
      for (let level = this.#levels.at(-1); level; level = this.#levels.at(-1)) {
        const name = level.subdirectories.pop();
        if (name) await this.#descend(name);
        else await this.#ascend();
      }
    } finally {
      for (const level of this.#levels.slice(1)) await level.directory?.close();
    }
  }

  async #enter(directory: DirectoryHandle, name: Buffer): Promise<void> {
    const subdirectories: Buffer[] = [];
    const others: Buffer[] = [];
    const isTop = this.#levels.length === 0;
    for (const entry of await directory.list()) {
      if (!entry.isDirectory()) others.push(entry.name);
      else if (!isTop || !this.#visitor.skips?.(entry.name)) subdirectories.push(entry.name);
    }
    await this.#visitor.enter(directory, others);
    this.#levels.push({ name, subdirectories, directory });
  }

  async #descend(name: Buffer): Promise<void> {
    const parent = await this.#hold();
    const child = await openIfDirectory(parent, name);
    if (!child) return;
    try {
      await this.#enter(child, name);
    } catch (error) {
      await child.close();
      throw error;
    }
    await this.#letGoAbove(this.#levels.length - 1);
  }

  async #ascend(): Promise<void> {
    const left = this.#levels.pop();
    if (!left || this.#levels.length === 0) return;
    await left.directory?.close();
    if (this.#visitor.leave) await this.#visitor.leave(await this.#hold(), left.name);
  }

  /**
   * The directory of the deepest level, opened again if it was let go. If somebody has put another directory in its
   * place, the walk goes on in that one: it is in the tree as well.
   */
  async #hold(): Promise<DirectoryHandle> {
    const levels = this.#levels;
    let depth = levels.length - 1;
    while (!levels[depth]!.directory) depth -= 1;
    for (; depth < levels.length - 1; depth += 1) {
      const next = levels[depth + 1]!;
      const directory = await openIfDirectory(levels[depth]!.directory!, next.name);
      if (!directory) throw new TreeChangedError('directory is gone');
      next.directory = directory;
      await this.#letGoAbove(depth + 1);
    }
    return levels[depth]!.directory!;
  }

  /** To be called for each level that was opened, so that one at a time falls out of those that are near. */
  async #letGoAbove(depth: number): Promise<void> {
    const far = depth - MAX_NEAR_LEVELS;
    if (far <= 0) return;
    if (far % this.#stride !== 0) await this.#letGo(far);
    if (far / this.#stride <= MAX_FAR_LEVELS) return;
    this.#stride *= 2;
    for (let index = 1; index <= far; index += 1) {
      if (index % this.#stride !== 0) await this.#letGo(index);
    }
  }

  async #letGo(index: number): Promise<void> {
    const level = this.#levels[index]!;
    const { directory } = level;
    level.directory = undefined;
    await directory?.close();
  }
}

/** `undefined` if it is no directory any more: whoever needs to know will find the parent not empty. */
async function openIfDirectory(parent: DirectoryHandle, name: Buffer): Promise<DirectoryHandle | undefined> {
  try {
    return await parent.openChild(name);
  } catch (error) {
    const code = systemCodeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP') return undefined;
    throw error;
  }
}
