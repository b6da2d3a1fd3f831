import type { Stats } from 'node:fs';
import { type LocalEntry, walkLocalTree } from '@sluice/client';
import { CommandError } from '../command-error.js';
import { ExitCode } from '../exit-code.js';
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

/** Everything below a directory, parents first. Links are not followed: they may lead out of it, or in a circle. */
export async function readLocalTree(path: string, signal: AbortSignal): Promise<LocalTree> {
  const tree: LocalTree = { directories: [], files: [], obstacles: [] };
  for await (const entries of walkLocalTree(path, { signal })) {
    for (const entry of entries) {
      const { path: source, relative, kind, size, error } = entry;
      if (kind === 'file') tree.files.push({ path: source, relative, bytes: size });
      else if (kind === 'directory') tree.directories.push(relative);
      else if (error) tree.obstacles.push({ kind: 'failed', source, error });
      else tree.obstacles.push({ kind: 'skipped', source, error: notAFile(entry) });
    }
  }
  return tree;
}

/** What is said of something that is neither a file nor a directory, and so left out. */
export function notAFile({ path, kind }: Pick<LocalEntry, 'path' | 'kind'>): CommandError {
  const what = kind === 'link' ? 'a symbolic link' : `a ${kind}`;
  return new CommandError(ExitCode.Failed, `${path}: ${what}`, { code: 'ERR_NOT_A_FILE' });
}

/** `a symbolic link`, `a pipe`: what something is that is neither a file nor a directory. */
export function specialKind(entry: Stats): string {
  if (entry.isSymbolicLink()) return 'a symbolic link';
  if (entry.isFIFO()) return 'a pipe';
  if (entry.isSocket()) return 'a socket';
  return 'a device';
}
