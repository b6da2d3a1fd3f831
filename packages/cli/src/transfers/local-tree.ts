import type { Dirent, Stats } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandError } from '../command-error.js';
import { ExitCode } from '../exit-code.js';
import { localFailure } from '../failure.js';
import type { Obstacle } from './transfer-job.js';

export interface LocalFile {
  readonly path: string;
  /** Below the directory that was read, with `/`. */
  readonly relative: string;
  readonly bytes: number;
}

export interface LocalTree {
  /** Below the directory that was read, parents first; without that directory itself. */
  readonly directories: string[];
  readonly files: LocalFile[];
  readonly obstacles: Obstacle[];
}

/** Everything below a directory, sorted by name. Links are not followed: they may lead out of it, or in a circle. */
export async function readLocalTree(path: string, signal: AbortSignal): Promise<LocalTree> {
  const tree: LocalTree = { directories: [], files: [], obstacles: [] };
  await readInto(tree, path, '', signal);
  return tree;
}

/** `a symbolic link`, `a pipe`: what something is that is neither a file nor a directory. */
export function specialKind(entry: Dirent | Stats): string {
  if (entry.isSymbolicLink()) return 'a symbolic link';
  if (entry.isFIFO()) return 'a pipe';
  if (entry.isSocket()) return 'a socket';
  return 'a device';
}

async function readInto(tree: LocalTree, path: string, relative: string, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  let entries: Dirent[];
  try {
    entries = await readdir(path, { withFileTypes: true });
  } catch (error) {
    tree.obstacles.push({ kind: 'failed', source: path, error: localFailure('read the directory', path, error) });
    return;
  }
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const entryPath = join(path, entry.name);
    const entryRelative = relative === '' ? entry.name : `${relative}/${entry.name}`;
    if (entry.isDirectory()) {
      tree.directories.push(entryRelative);
      await readInto(tree, entryPath, entryRelative, signal);
    } else if (entry.isFile()) {
      await addFile(tree, entryPath, entryRelative);
    } else {
      const error = new CommandError(ExitCode.Failed, `${entryPath}: ${specialKind(entry)}`, {
        code: 'ERR_NOT_A_FILE',
      });
      tree.obstacles.push({ kind: 'skipped', source: entryPath, error });
    }
  }
}

async function addFile(tree: LocalTree, path: string, relative: string): Promise<void> {
  try {
    tree.files.push({ path, relative, bytes: (await lstat(path)).size });
  } catch (error) {
    tree.obstacles.push({ kind: 'failed', source: path, error: localFailure('read', path, error) });
  }
}
