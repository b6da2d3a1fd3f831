import { remoteParent } from '../remote-location.js';

/** A file or a directory of one side. */
export interface SyncEntry {
  /** From the top, with `/`. */
  readonly path: string;
  readonly kind: 'file' | 'directory';
  /** In bytes; 0 for a directory. */
  readonly size: number;
  /** Time of last change, in nanoseconds since 1970-01-01 UTC; missing when the side does not tell. */
  readonly modifiedNs?: bigint;
  /** Content digest, if the side has a record of it. */
  readonly digest?: string;
}

/** What one side has. */
export interface SyncListing {
  /** By path, parents first. Only what is synced. */
  readonly entries: ReadonlyMap<string, SyncEntry>;
  /** What is there and left out on purpose: excluded, links and the like. It stays on the other side, and here. */
  readonly leftOut: ReadonlySet<string>;
}

/** How files are taken for the same. */
export type Comparison = 'size-and-time' | 'size' | 'checksum';

/** What there is to do. */
export interface SyncPlan {
  /** Files that are not there, or differ. */
  readonly transfers: SyncEntry[];
  /** Files of which the content is to be compared. */
  readonly candidates: { readonly source: SyncEntry; readonly target: SyncEntry }[];
  /** Directories to be made, parents first. */
  readonly directories: string[];
  /** What stands in the way of something of another kind: it has to go first. */
  readonly obstacles: SyncEntry[];
  /** What only the target has; a directory stands for all that is in it. */
  readonly deletions: SyncEntry[];
  /** Files that are the same on both sides. */
  readonly unchanged: number;
  /** Whether something of the target is to stay, itself or in it. */
  stays(path: string): boolean;
}

/** Times are kept to the microsecond, and each side may cut off what is below. */
const SAME_TIME_NS = 2000n;

/** Compares two sides. */
export function planSync(source: SyncListing, target: SyncListing, comparison: Comparison): SyncPlan {
  const plan = {
    transfers: [] as SyncEntry[],
    candidates: [] as { source: SyncEntry; target: SyncEntry }[],
    directories: [] as string[],
    obstacles: [] as SyncEntry[],
  };
  let unchanged = 0;
  for (const entry of source.entries.values()) {
    const found = target.entries.get(entry.path);
    if (found && found.kind !== entry.kind) plan.obstacles.push(found);
    if (entry.kind === 'directory') {
      if (found?.kind !== 'directory') plan.directories.push(entry.path);
    } else if (found?.kind !== 'file' || found.size !== entry.size) plan.transfers.push(entry);
    else if (comparison === 'checksum') plan.candidates.push({ source: entry, target: found });
    else if (comparison === 'size' || isSameTime(entry, found)) unchanged += 1;
    else plan.transfers.push(entry);
  }
  const kept = keptPaths(source, target);
  const deletions = deletionsOf(source, target, plan.obstacles, kept);
  return { ...plan, deletions, unchanged, stays: (path) => kept.has(path) };
}

/** What only the target has; not what stays there, and not what something lies in that stays. */
function deletionsOf(
  source: SyncListing,
  target: SyncListing,
  obstacles: readonly SyncEntry[],
  kept: ReadonlySet<string>,
): SyncEntry[] {
  const gone = new Set(obstacles.map(({ path }) => path));
  const deletions: SyncEntry[] = [];
  for (const entry of target.entries.values()) {
    const { path } = entry;
    const goesWithParent = gone.has(remoteParent(path)) && remoteParent(path) !== '';
    if (goesWithParent) gone.add(path);
    else if (!source.entries.has(path) && !kept.has(path) && !isBelow(source.leftOut, path)) {
      deletions.push(entry);
      gone.add(path);
    }
  }
  return deletions;
}

/** What is left out on either side, and the directories that it is in. */
function keptPaths(source: SyncListing, target: SyncListing): ReadonlySet<string> {
  const kept = new Set<string>();
  for (const path of [...source.leftOut, ...target.leftOut]) {
    kept.add(path);
    for (let parent = remoteParent(path); parent !== ''; parent = remoteParent(parent)) kept.add(parent);
  }
  return kept;
}

/** Whether one of the paths is above. */
function isBelow(paths: ReadonlySet<string>, path: string): boolean {
  for (let parent = remoteParent(path); parent !== ''; parent = remoteParent(parent)) {
    if (paths.has(parent)) return true;
  }
  return false;
}

function isSameTime(a: SyncEntry, b: SyncEntry): boolean {
  if (a.modifiedNs === undefined || b.modifiedNs === undefined) return false;
  const difference = a.modifiedNs - b.modifiedNs;
  return difference < SAME_TIME_NS && difference > -SAME_TIME_NS;
}
