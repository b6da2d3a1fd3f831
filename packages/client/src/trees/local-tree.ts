import { type BigIntStats, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ClientError } from '../errors.js';
import { localFileError } from '../local-errors.js';
import { nodePlatform } from '../node-platform.js';
import { Turns } from './lanes.js';

/** Something in a local directory. */
export interface LocalEntry {
  readonly path: string;
  /** Below the directory that was read, with `/`. */
  readonly relative: string;
  /** `unreadable`: a file that cannot be looked at, or a directory that cannot be listed. */
  readonly kind: 'file' | 'directory' | 'link' | 'pipe' | 'socket' | 'device' | 'unreadable';
  /** In bytes. */
  readonly size: number;
  /** Time of last change, in nanoseconds since 1970-01-01 UTC. */
  readonly modifiedNs: bigint;
  /** Nine permission bits. */
  readonly mode: number;
  /** Of an unreadable one. */
  readonly error?: ClientError;
}

/** Options of {@link walkLocalTree}. */
export interface WalkOptions {
  readonly signal?: AbortSignal;
  /** Whether an entry is told of, and a directory is looked into. @default all are */
  readonly includes?: (relative: string, isDirectory: boolean) => boolean;
}

/**
 * What is in a directory and below, one directory after the other, each in one piece: first what is no directory, then its directories, in the order
 * of their UTF-8; what is in a directory comes after all that is beside it and in front of it. Links are not followed.
 *
 * @throws the signal's reason
 */
export async function* walkLocalTree(
  root: string,
  options: WalkOptions = {},
): AsyncGenerator<LocalEntry[], void, void> {
  const waiting: { readonly path: string; readonly relative: string }[] = [{ path: root, relative: '' }];
  const turns = new Turns(nodePlatform);
  for (let directory = waiting.pop(); directory; directory = waiting.pop()) {
    const turn = turns.next();
    if (turn) await turn;
    options.signal?.throwIfAborted();
    const entries = entriesOf(directory, options);
    for (let i = entries.length - 1; i >= 0; i--) if (entries[i]!.kind === 'directory') waiting.push(entries[i]!);
    if (entries.length > 0) yield entries;
  }
}

function entriesOf(
  { path, relative: above }: { readonly path: string; readonly relative: string },
  { includes }: WalkOptions,
): LocalEntry[] {
  const files: LocalEntry[] = [];
  const directories: LocalEntry[] = [];
  let names: string[];
  try {
    names = readdirSync(path);
  } catch (error) {
    return [unreadable(path, above, localFileError('read the directory', path, error))];
  }
  for (const name of names.sort(compareUtf8)) {
    const relative = above === '' ? name : `${above}/${name}`;
    const entryPath = join(path, name);
    let entry: LocalEntry;
    try {
      const stats = lstatSync(entryPath, { bigint: true });
      const { size, mtimeNs, mode } = stats;
      const facts = { size: Number(size), modifiedNs: mtimeNs, mode: Number(mode) & 0o777 };
      entry = { path: entryPath, relative, kind: kindOf(stats), ...facts };
    } catch (error) {
      entry = unreadable(entryPath, relative, localFileError('read', entryPath, error));
    }
    const isDirectory = entry.kind === 'directory';
    if (includes?.(relative, isDirectory) === false) continue;
    (isDirectory ? directories : files).push(entry);
  }
  return [...files, ...directories];
}

function kindOf(stats: BigIntStats): LocalEntry['kind'] {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'link';
  if (stats.isFIFO()) return 'pipe';
  return stats.isSocket() ? 'socket' : 'device';
}

function unreadable(path: string, relative: string, error: ClientError): LocalEntry {
  return { path, relative, kind: 'unreadable', size: 0, modifiedNs: 0n, mode: 0, error };
}

/** UTF-16 differs from the order of UTF-8 only where one side has a surrogate: that one is the greater. */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [left, right] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (left === right) continue;
    const [isLeftHigh, isRightHigh] = [(left & 0xf800) === 0xd800, (right & 0xf800) === 0xd800];
    if (isLeftHigh !== isRightHigh) return isLeftHigh ? 1 : -1;
    return left - right;
  }
  return a.length - b.length;
}
