import { ClientError, type ListEntry, type SluiceClient, type TreeEntry } from '@sluice/client';
import { joinRemote, remoteName, remoteParent } from '../remote-location.js';

export interface RemoteEntry extends ListEntry {
  /** Below the directory that was read, with `/`. */
  readonly relative: string;
}

export interface RemoteTree {
  /** Files and directories. Directories before what is in them, and before the files that they are beside. */
  readonly entries: readonly RemoteEntry[];
  /** Entries whose name is not one component, and directories below the deepest that is read. */
  readonly refused: readonly { readonly relative: string; readonly isUnsafe: boolean }[];
  /** Directories that could not be listed. */
  readonly failed: readonly { readonly relative: string; readonly error: ClientError }[];
}

/** @throws {ClientError} if the directory itself cannot be listed, or the connection is lost */
export async function readRemoteTree(client: SluiceClient, path: string, signal: AbortSignal): Promise<RemoteTree> {
  const children = new Map<string, RemoteEntry[]>();
  const refused: { relative: string; isUnsafe: boolean }[] = [];
  const failed: { relative: string; error: ClientError }[] = [];
  for await (const entry of client.listTree(path, { signal })) {
    const listed = listedEntry(entry);
    if (!listed) continue;
    const isUnsafe = entry.problem === 'unsafe-name';
    if (isUnsafe || entry.problem === 'too-deep') refused.push({ relative: entry.path, isUnsafe });
    if (entry.problem === 'unreadable') failed.push({ relative: entry.path, error: entry.error ?? unreadable() });
    if (isUnsafe) continue;
    const parent = remoteParent(entry.path);
    const siblings = children.get(parent);
    if (siblings) siblings.push(listed);
    else children.set(parent, [listed]);
  }
  return { entries: [...flatten(children, '')], refused, failed };
}

/** @returns `undefined` for what is neither file nor directory */
function listedEntry({ path, kind, size }: TreeEntry): RemoteEntry | undefined {
  if (kind === 'other') return undefined;
  return { name: remoteName(path), kind, ...(size !== undefined && { size }), relative: path };
}

function unreadable(): ClientError {
  return new ClientError('ERR_REMOTE', 'the server cannot read the directory');
}

function* flatten(children: ReadonlyMap<string, readonly RemoteEntry[]>, parent: string): Generator<RemoteEntry> {
  const entries = children.get(parent) ?? [];
  for (const entry of entries) {
    if (entry.kind !== 'directory') continue;
    yield entry;
    yield* flatten(children, joinRemote(parent, entry.name));
  }
  yield* entries.filter(({ kind }) => kind === 'file');
}
