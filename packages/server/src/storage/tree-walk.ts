import type { DirectoryHandle } from './directory-handle.js';
import { systemCodeOf } from './storage-error.js';

/** What is done on a walk. A call ends before the next one begins. */
export interface TreeVisitor {
  /** In a directory, before its sub-directories. `others` are the names of all its entries that are no directories. */
  enter(directory: DirectoryHandle, key: string, others: readonly Buffer[]): Promise<void>;
  /** In the parent, after everything below its sub-directory `name`. Not called for the top. */
  leave?(parent: DirectoryHandle, name: Buffer): Promise<void>;
}

/** Somebody else moved or removed directories during a walk, so that it lost its way. */
export class TreeChangedError extends Error {
  override readonly name = 'TreeChangedError';
}

interface Level {
  readonly name: Buffer;
  readonly key: string;
  /** Names of sub-directories that were not visited yet. */
  readonly subdirectories: Buffer[];
  /** `undefined` while it is let go; it is found again from the nearest level above that is held. */
  directory: DirectoryHandle | undefined;
}

/** Levels above the deepest one that are kept open, besides the top. */
const MAX_HELD_LEVELS = 48;

/**
 * Visits a directory and everything below, depth first, without following a link and without a path. The stack does
 * not grow with the depth, and never more than about 50 descriptors are held: far up, levels are let go, and walked to again
 * from the top when their turn comes. That costs depth² / 96 openings at worst: 40,000 for 2,000 levels, and peers
 * cannot name more than 128. `top` stays open.
 *
 * @throws {TreeChangedError}; errors of the system; what the visitor throws
 */
export async function walkTree(top: DirectoryHandle, visitor: TreeVisitor): Promise<void> {
  const levels: Level[] = [];
  try {
    levels.push(await enter(top, Buffer.alloc(0), visitor));
    for (let level = levels.at(-1); level; level = levels.at(-1)) {
      const name = level.subdirectories.pop();
      if (name) await descend(levels, name, visitor);
      else await ascend(levels, visitor);
    }
  } finally {
    for (const level of levels.slice(1)) await level.directory?.close();
  }
}

async function enter(directory: DirectoryHandle, name: Buffer, visitor: TreeVisitor): Promise<Level> {
  const key = await directory.readKey();
  const subdirectories: Buffer[] = [];
  const others: Buffer[] = [];
  for (const entry of await directory.list()) (entry.isDirectory() ? subdirectories : others).push(entry.name);
  await visitor.enter(directory, key, others);
  return { name, key, subdirectories, directory };
}

async function descend(levels: Level[], name: Buffer, visitor: TreeVisitor): Promise<void> {
  const parent = await hold(levels);
  const child = await openIfDirectory(parent, name);
  if (!child) return;
  try {
    levels.push(await enter(child, name, visitor));
  } catch (error) {
    await child.close();
    throw error;
  }
  await letGoAbove(levels, levels.length - 1);
}

async function ascend(levels: Level[], visitor: TreeVisitor): Promise<void> {
  const left = levels.pop();
  if (!left || levels.length === 0) return;
  await left.directory?.close();
  if (visitor.leave) await visitor.leave(await hold(levels), left.name);
}

/** The directory of the deepest level, opened again if it was let go. */
async function hold(levels: Level[]): Promise<DirectoryHandle> {
  let depth = levels.length - 1;
  while (!levels[depth]!.directory) depth -= 1; // the top is never let go
  for (; depth < levels.length - 1; depth += 1) {
    const next = levels[depth + 1]!;
    const directory = await openIfDirectory(levels[depth]!.directory!, next.name);
    if (!directory) throw new TreeChangedError('directory is gone');
    next.directory = directory;
    if ((await directory.readKey()) !== next.key) throw new TreeChangedError('directory is another one');
    await letGoAbove(levels, depth + 1);
  }
  return levels[depth]!.directory!;
}

async function letGoAbove(levels: Level[], depth: number): Promise<void> {
  const above = depth - MAX_HELD_LEVELS;
  if (above <= 0) return;
  const level = levels[above]!;
  const directory = level.directory;
  level.directory = undefined;
  await directory?.close();
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
