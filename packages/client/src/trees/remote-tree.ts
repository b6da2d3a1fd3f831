import {
  Command,
  decodeListTreeResponse,
  encodeListTreeRequest,
  Feature,
  type TreePage,
  type WireTreeEntry,
} from '@sluice/wire';
import type { Connection } from '../connection.js';
import { ClientError } from '../errors.js';
import type { ListEntry } from '../listing.js';
import type { CallOptions } from '../transfer.js';

/** Something below a directory on the server. */
export interface TreeEntry {
  /** From the directory that was listed, with `/`. Made of usable names, unless `problem` says that it is not. */
  readonly path: string;
  readonly kind: 'file' | 'directory' | 'other';
  /** In bytes; files only. */
  readonly size?: number;
  /** When the content was last changed, in nanoseconds since 1970-01-01 UTC. Missing when the server does not say: an original. */
  readonly modifiedNs?: bigint;
  /** Nine permission bits. Missing when the server does not say. */
  readonly mode?: number;
  /** Of a file of which the server has a record that is not out of date; 16 hexadecimal digits. */
  readonly contentDigest?: string;
  /**
   * Why nothing of what is in a directory follows, or why an entry cannot be used.
   *
   * - `unsafe-name`: a name that means another place, or is not one name: no server of ours sends one
   * - `too-deep`: more than 256 directories below one another
   * - `unreadable`: the server cannot list the directory; `error` may say more
   */
  readonly problem?: 'unsafe-name' | 'too-deep' | 'unreadable';
  readonly error?: ClientError;
}

/** Options of a listing of a tree. */
export interface ListTreeOptions extends CallOptions {
  /** Most entries that are asked for at once, 1 to 10,000. @default 10_000 */
  readonly entriesAtOnce?: number;
}

/** What a listing of a tree does with the client that it is of. */
export interface TreeLister {
  /** Uses a connection, with retries. */
  ask<T>(work: (connection: Connection) => Promise<T>): Promise<T>;
  list(path: string): Promise<ListEntry[]>;
}

/** A hostile server can nest without end; no real tree is deeper, and no path of this system can be. */
const MAX_DEPTH = 256;

/** Directories next to one another that are asked for at once. */
const LISTED_AHEAD = 4;

/** Lists all that is below a directory, part by part; with a server that has no such command, directory by directory. */
export async function* listTree(
  lister: TreeLister,
  dirName: string,
  { entriesAtOnce }: ListTreeOptions,
): AsyncGenerator<TreeEntry, void, undefined> {
  let cursor: string | undefined;
  do {
    const request = {
      dirName,
      ...(cursor !== undefined && { cursor }),
      ...(entriesAtOnce !== undefined && { limit: entriesAtOnce }),
    };
    const page = await lister.ask(async (connection): Promise<TreePage | undefined> => {
      if (!connection.supports(Feature.Trees)) return undefined;
      const { response, data } = await connection.request(Command.ListTree, encodeListTreeRequest(request));
      return decodeListTreeResponse(response, data);
    });
    if (!page) {
      if (cursor !== undefined) throw new ClientError('ERR_UNSUPPORTED', 'the server does not list trees any more');
      yield* listByDirectories(lister, dirName, '', 1, await lister.list(dirName));
      return;
    }
    if (page.cursor !== undefined && page.cursor === cursor)
      throw new ClientError('ERR_PROTOCOL', 'the server lists the same part of a tree again');
    cursor = page.cursor;
    for (const entry of page.entries) yield entryOf(entry);
  } while (cursor !== undefined);
}

/**
 * Whether a name that a server sent can be a name on another machine: one component, and not one that means another place. A server may be
 * hostile, and its names may decide which files are written here.
 */
export function isSafeName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !/[/\\\0]/.test(name);
}

function entryOf({ path, kind, size, modifiedNs, mode, digest, isUnreadable }: WireTreeEntry): TreeEntry {
  const names = path.split('/');
  const problem = !names.every(isSafeName) ? 'unsafe-name' : isUnreadable ? 'unreadable' : undefined;
  return {
    path,
    kind,
    ...(kind === 'file' && { size }),
    ...(!isUnreadable && { modifiedNs: BigInt(modifiedNs), mode }),
    ...(digest !== undefined && { contentDigest: digest }),
    ...(problem && { problem }),
  };
}

/** In the order of ListTree. @param depth of these entries: the first is 1 */
async function* listByDirectories(
  lister: TreeLister,
  top: string,
  parent: string,
  depth: number,
  entries: readonly ListEntry[],
): AsyncGenerator<TreeEntry, void, undefined> {
  const below = (name: string): string => joined(parent, name);
  for (const { name, kind, size } of entries) {
    if (kind === 'directory') continue;
    const entry = { path: below(name), kind, ...(size !== undefined && { size }) };
    yield isSafeName(name) ? entry : { ...entry, problem: 'unsafe-name' };
  }
  const directories = entries.filter(({ kind }) => kind === 'directory').map(({ name }) => name);
  const begun: Promise<ListEntry[]>[] = [];
  for (const [index, name] of directories.entries()) {
    const path = below(name);
    if (!isSafeName(name)) yield { path, kind: 'directory', problem: 'unsafe-name' };
    else if (depth > MAX_DEPTH) yield { path, kind: 'directory', problem: 'too-deep' };
    else {
      for (const next of directories.slice(index + begun.length, index + LISTED_AHEAD)) {
        const listed = isSafeName(next) ? lister.list(joined(top, below(next))) : Promise.resolve([]);
        listed.catch(() => {}); // seen when its turn comes
        begun.push(listed);
      }
      yield* listDirectory(lister, top, path, depth + 1, begun[0]!);
    }
    begun.shift();
  }
}

async function* listDirectory(
  lister: TreeLister,
  top: string,
  path: string,
  depth: number,
  listed: Promise<ListEntry[]>,
): AsyncGenerator<TreeEntry, void, undefined> {
  let entries: ListEntry[];
  try {
    entries = await listed;
  } catch (error) {
    if (!(error instanceof ClientError) || error.code !== 'ERR_REMOTE') throw error;
    yield { path, kind: 'directory', problem: 'unreadable', error };
    return;
  }
  yield { path, kind: 'directory' };
  yield* listByDirectories(lister, top, path, depth, entries);
}

function joined(parent: string, name: string): string {
  return parent === '' ? name : `${parent}/${name}`;
}
