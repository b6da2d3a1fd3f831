import { constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import type { JournaledPartial } from './journaled-partial.js';
import { NewestVersion } from './newest-version.js';
import type { RemoteState } from './range-requests.js';
import { readFully } from './read-fully.js';
import type { RemotePath } from './remote-path.js';
import type { DownloadOptions, DownloadResult } from './transfer.js';
import type { TransferContext } from './transfer-context.js';

/**
 * Downloads in ranges to a path: chunks that are here already, in the partial or in the file that is to be replaced, are not fetched.
 *
 * @throws {ClientError}, or the signal's reason
 */
export async function downloadInRanges(
  context: TransferContext,
  remote: RemotePath,
  partial: JournaledPartial,
  options: DownloadOptions,
): Promise<DownloadResult> {
  const { ifExists, preserve = true, resume } = options;
  const { target } = partial.file;
  if (resume === 'never') await partial.clear();
  const base = resume === 'never' ? undefined : await openBase(target);
  const newest = new NewestVersion({
    context,
    remote,
    partial,
    options,
    readBase: base && ((buffer, position) => readFully(base, buffer, position)),
    wanted: async () => (ifExists === 'newer' ? await newerThan(target) : undefined),
  });
  let state: RemoteState | undefined;
  try {
    state = await newest.fetch();
  } finally {
    await base?.close().catch(() => {}); // nothing was written to it
  }
  if (!state) return { ...newest.result(0), damaged: partial.damaged, skipped: 'newer' };
  await partial.commit({
    size: state.size,
    modifiedNs: preserve ? state.modifiedNs : undefined,
    mode: preserve ? state.mode & ~process.umask() : undefined,
    mayReplace: ifExists !== 'fail',
  });
  return { ...newest.result(state.size), damaged: partial.damaged };
}

/** Times are compared as far as a target can have them: to the microsecond. @returns `undefined` if there is no target */
async function newerThan(path: string): Promise<((state: RemoteState) => boolean) | undefined> {
  const target = await stat(path, { bigint: true }).catch(() => undefined);
  return target && (({ modifiedNs }) => modifiedNs / 1_000n > target.mtimeNs / 1_000n);
}

/** The file that is to be replaced, if there is one with anything in it that can be read. */
async function openBase(target: string): Promise<FileHandle | undefined> {
  const found = await stat(target).catch(() => undefined);
  if (!found?.isFile() || found.size === 0) return undefined; // opening something else may wait, or do something
  return await open(target, constants.O_RDONLY).catch(() => undefined);
}
