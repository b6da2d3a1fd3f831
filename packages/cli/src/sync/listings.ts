import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type LocalEntry, type SluiceClient, walkLocalTree } from '@sluice/client';
import { CommandError } from '../command-error.js';
import { ExitCode } from '../exit-code.js';
import { localFailure } from '../failure.js';
import { isMissing } from '../remote-answer.js';
import { notAFile } from '../transfers/local-tree.js';
import type { Obstacle } from '../transfers/transfer-job.js';
import type { PathFilter } from './path-filter.js';
import type { SyncEntry, SyncListing } from './sync-plan.js';

/** What becomes of symbolic links: nothing, or a file that one leads to is taken as if it lay there. */
export type LinkPolicy = 'skip' | 'follow';

/** A side, and what cannot be synced of it. */
export interface ReadListing extends SyncListing {
  readonly obstacles: readonly Obstacle[];
  /** Whether all of it was seen: else nobody may say what is not there. */
  readonly isComplete: boolean;
}

/** What a listing is made with. */
export interface ListingOptions {
  readonly filter: PathFilter;
  readonly signal: AbortSignal;
}

class ListingBuilder {
  readonly entries = new Map<string, SyncEntry>();
  readonly leftOut = new Set<string>();
  readonly obstacles: Obstacle[] = [];
  isComplete = true;

  failed(source: string, error: Error): void {
    this.obstacles.push({ kind: 'failed', source, error });
    this.isComplete = false;
  }

  skipped(path: string, source: string, error: Error): void {
    this.obstacles.push({ kind: 'skipped', source, error });
    this.leftOut.add(path);
  }
}

/**
 * A local directory. One that is missing is empty.
 *
 * @param mustExist whether it is an error when it is missing
 * @throws {CommandError} exit code 1
 */
export async function listLocal(
  directory: string,
  { filter, signal, links, mustExist }: ListingOptions & { readonly links: LinkPolicy; readonly mustExist: boolean },
): Promise<ReadListing> {
  const listing = new ListingBuilder();
  const found = await stat(directory).catch((error: NodeJS.ErrnoException) => {
    if (mustExist || error.code !== 'ENOENT') throw localFailure('read the directory', directory, error);
  });
  if (found && !found.isDirectory()) {
    throw new CommandError(ExitCode.Failed, `${directory} is not a directory`, { code: 'ERR_NOT_A_DIRECTORY' });
  }
  if (!found) return listing;
  const includes = (path: string, isDirectory: boolean): boolean => {
    if (filter.takes(path, isDirectory)) return true;
    listing.leftOut.add(path);
    return false;
  };
  for await (const entries of walkLocalTree(directory, { signal, includes })) {
    for (const entry of entries) await addLocal(listing, entry, links);
  }
  return listing;
}

async function addLocal(listing: ListingBuilder, entry: LocalEntry, links: LinkPolicy): Promise<void> {
  const { path, relative, kind, size, modifiedNs, error } = entry;
  if (error) listing.failed(path, error);
  else if (kind === 'file') listing.entries.set(relative, { path: relative, kind, size, modifiedNs });
  else if (kind === 'directory') listing.entries.set(relative, { path: relative, kind, size: 0, modifiedNs });
  else {
    const target =
      kind === 'link' && links === 'follow' ? await stat(path, { bigint: true }).catch(() => undefined) : undefined;
    if (target?.isFile()) {
      const facts = { size: Number(target.size), modifiedNs: target.mtimeNs };
      listing.entries.set(relative, { path: relative, kind: 'file', ...facts });
    } else listing.skipped(relative, path, notAFile(entry));
  }
}

/**
 * A directory on the server. One that is missing is empty.
 *
 * @param mustExist whether it is an error when it is missing
 * @param shown what a path is called in messages
 * @throws {ClientError}
 */
export async function listRemote(
  client: SluiceClient,
  directory: string,
  {
    filter,
    signal,
    mustExist,
    shown,
  }: ListingOptions & { readonly mustExist: boolean; readonly shown: (path: string) => string },
): Promise<ReadListing> {
  const listing = new ListingBuilder();
  try {
    for await (const { path, kind, size = 0, modifiedNs, contentDigest, problem, error } of client.listTree(directory, {
      signal,
    })) {
      if (problem === 'unsafe-name') {
        const unsafe = new CommandError(ExitCode.SomeFailed, `${path}: the server sent a name that is not safe here`);
        listing.obstacles.push({ kind: 'refused', source: shown(path), error: unsafe });
        listing.isComplete = false;
      } else if (!filter.reaches(path, kind === 'directory')) listing.leftOut.add(path);
      else if (kind === 'other') {
        listing.skipped(
          path,
          shown(path),
          new CommandError(ExitCode.Failed, `${path}: neither a file nor a directory`),
        );
      } else {
        listing.entries.set(path, {
          path,
          kind,
          size: kind === 'file' ? size : 0,
          ...(modifiedNs !== undefined && { modifiedNs }),
          ...(contentDigest !== undefined && { digest: contentDigest }),
        });
        if (problem !== undefined) {
          const why = error ?? new CommandError(ExitCode.Failed, `${path}: the server cannot list the directory`);
          listing.failed(shown(path), why);
        }
      }
    }
  } catch (error) {
    if (mustExist || !isMissing(error)) throw error;
  }
  return listing;
}

/** The local path of something that is synced. */
export function localPath(directory: string, path: string): string {
  return join(directory, ...path.split('/'));
}
