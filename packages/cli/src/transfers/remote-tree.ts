import { ClientError, type ListEntry, type SluiceClient } from '@sluice/client';
import { forEachLimited } from '../for-each-limited.js';
import { joinRemote } from '../remote-location.js';
import { isSafeName } from '../safe-name.js';

export interface RemoteEntry extends ListEntry {
  /** Below the directory that was read, with `/`. */
  readonly relative: string;
}

export interface RemoteTree {
  /** Directories before what is in them, siblings as the server lists them. */
  readonly entries: readonly RemoteEntry[];
  /** Entries whose name is not one component, and directories below the deepest that is read: they are in nothing else here. */
  readonly refused: readonly RemoteEntry[];
  /** Directories that could not be listed. */
  readonly failed: readonly { readonly relative: string; readonly error: ClientError }[];
}

export interface RemoteTreeOptions {
  readonly signal: AbortSignal;
  /** Directories that are listed at once. */
  readonly parallel: number;
  /** What is in the directory itself, if it has been listed already. */
  readonly firstLevel?: readonly ListEntry[];
}

/** A hostile server can nest without end; no real tree is deeper, and no path of this system can be. */
const MAX_DEPTH = 256;

/** @throws {ClientError} if the directory itself cannot be listed, or the connection is lost */
export async function readRemoteTree(
  client: SluiceClient,
  path: string,
  { signal, parallel, firstLevel }: RemoteTreeOptions,
): Promise<RemoteTree> {
  const children = new Map<string, readonly ListEntry[]>();
  children.set('', firstLevel ?? (await client.list(path, { signal })));
  const refused: RemoteEntry[] = [];
  const failed: { relative: string; error: ClientError }[] = [];
  let level = [''];
  for (let depth = 1; level.length > 0; depth++) {
    const next: string[] = [];
    for (const parent of level) {
      for (const entry of children.get(parent) ?? []) {
        const relative = joinRemote(parent, entry.name);
        const isTooDeep = depth > MAX_DEPTH && entry.kind === 'directory';
        if (!isSafeName(entry.name) || isTooDeep) refused.push({ ...entry, relative });
        else if (entry.kind === 'directory') next.push(relative);
      }
    }
    await forEachLimited(next, parallel, async (relative) => {
      try {
        children.set(relative, await client.list(joinRemote(path, relative), { signal }));
      } catch (error) {
        if (!(error instanceof ClientError) || error.code !== 'ERR_REMOTE') throw error;
        failed.push({ relative, error });
      }
    });
    level = next;
  }
  return { entries: [...flatten(children, '')], refused, failed };
}

function* flatten(children: ReadonlyMap<string, readonly ListEntry[]>, parent: string): Generator<RemoteEntry> {
  for (const entry of children.get(parent) ?? []) {
    if (!isSafeName(entry.name)) continue;
    const relative = joinRemote(parent, entry.name);
    yield { ...entry, relative };
    if (entry.kind === 'directory') yield* flatten(children, relative);
  }
}
