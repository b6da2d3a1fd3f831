import { MAX_BATCHED_FILE_BYTES } from '@sluice/wire';
import { ClientError } from '../errors.js';
import type { SmallFile, SmallFiles } from '../trees/small-file.js';
import type { FileToUpload } from '../trees/upload-files.js';
import { isFile, nameOf } from './blob-source.js';
import type { BrowserFileToUpload, PickedSource } from './browser-transfers.js';
import { isPickedFile, openPickedFile } from './picked-file.js';

/** Small files that are being read at once: a browser answers each after a while. */
const FILES_AHEAD = 64;

/** A file that was picked, and is perhaps being read already. */
export interface PrefetchedSource {
  readonly picked: PickedSource;
  /** `undefined` of a large one. */
  readonly small: Promise<SmallFile | undefined>;
}

/** Hands on what has been read ahead. */
export const prefetched: SmallFiles<PrefetchedSource> = { read: ({ small }) => small };

/** The same files, of which some are being read before their turn comes. */
export async function* prefetchedFiles(
  files: Iterable<BrowserFileToUpload> | AsyncIterable<BrowserFileToUpload>,
): AsyncGenerator<FileToUpload<PrefetchedSource>, void, void> {
  const ahead: FileToUpload<PrefetchedSource>[] = [];
  for await (const { source: picked, target } of files) {
    const small = readSmall(picked);
    small.catch(() => {}); // seen when its turn comes
    ahead.push({ source: { picked, small }, target });
    if (ahead.length >= FILES_AHEAD) yield ahead.shift()!;
  }
  yield* ahead;
}

async function readSmall(picked: PickedSource): Promise<SmallFile | undefined> {
  const file = isPickedFile(picked) ? await openPickedFile(picked) : picked;
  if (file.size > MAX_BATCHED_FILE_BYTES) return undefined;
  try {
    const content = new Uint8Array(await file.arrayBuffer());
    return { content, ...(isFile(file) && { modifiedNs: BigInt(Math.trunc(file.lastModified)) * 1_000_000n }) };
  } catch (cause) {
    const { message } = cause as Error;
    throw new ClientError('ERR_LOCAL_FILE', `cannot read ${nameOf(file)}: ${message}`, { cause });
  }
}
