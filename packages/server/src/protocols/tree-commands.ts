import {
  decodeListTreeRequest,
  encodeListTreeResponse,
  encodeTreeEntries,
  RequestError,
  ResultCode,
  type WireTreeEntry,
} from '@sluice/wire';
import type { CommandHandler, Request, Session } from '../protocol.js';
import { fileVersionOf, isVersion } from '../storage/content-digests.js';
import { parseDirectoryName } from '../storage/path-name.js';
import type { ListedEntry, TreePlace } from '../storage/tree-part.js';
import type { SharedFiles } from './shared-files.js';

/** Time after which a part of a tree is sent as far as it is, in milliseconds. */
const MAX_WORK_MS = 1000;

/** Length of the paths in a part, in UTF-16 units: with every character escaped they fit into one packet. */
const MAX_PATH_LENGTH = 1 << 20;

/** A part up to this size is sent even while memory is short. */
const SMALL_PART_BYTES = 64 << 10;

/** ListTree. docs/protocol.md, section 17. */
export function treeCommands(session: Session, files: SharedFiles): [string, CommandHandler][] {
  return [['listtree', (request) => listTree(session, files, request)]];
}

async function listTree(session: Session, files: SharedFiles, { command, text }: Request): Promise<void> {
  const { dirName, cursor, limit } = decodeListTreeRequest(text);
  const directory = parseDirectoryName(dirName);
  const after = cursor === undefined ? undefined : decodeCursor(cursor);
  const { tree } = session.principal;
  // Nobody else wants the same part: the queue is there for the order.
  const { text: answer, data } = await files.listings.list(`tree of ${session.id}`, session.gone, async () => {
    const endMs = performance.now() + MAX_WORK_MS;
    const { entries, hasMore } = await tree.listTree(directory, {
      after,
      maxEntries: limit,
      maxPathLength: MAX_PATH_LENGTH,
      isEnough: () => session.gone.aborted || performance.now() > endMs,
      onSkipped: (name) => session.log.info('a name cannot be listed', { name }),
    });
    const listed: WireTreeEntry[] = [];
    for (const entry of entries) listed.push(await wireEntryOf(entry, files));
    const last = entries.at(-1);
    const page = { entries: listed, cursor: hasMore && last ? encodeCursor(last) : undefined };
    return { text: encodeListTreeResponse(command, page), data: encodeTreeEntries(listed) };
  });
  if (data.length > SMALL_PART_BYTES) session.memory.requireRoomToSend(data.length);
  session.reply(answer, data);
}

async function wireEntryOf(
  { path, kind, stats, directoryKey }: ListedEntry,
  { digests }: SharedFiles,
): Promise<WireTreeEntry> {
  if (!stats) return { path: path.join('/'), kind, size: 0, modifiedNs: '0', mode: 0, isUnreadable: true };
  const size = kind === 'file' ? Number(stats.size) : 0;
  const recorded = kind === 'file' ? (await digests.summariesOf(directoryKey)).get(path.at(-1)!) : undefined;
  return {
    path: path.join('/'),
    kind,
    size,
    modifiedNs: `${stats.mtimeNs}`,
    mode: Number(stats.mode & 0o777n),
    ...(recorded && isVersion(recorded, fileVersionOf(stats)) && { digest: recorded.contentDigest }),
  };
}

/** The entry itself, after what it is: the order depends on that. It is compared with names, and never used as one. */
function encodeCursor({ kind, path }: ListedEntry): string {
  return `${kind === 'directory' ? 'd' : 'f'}/${path.join('/')}`;
}

/** @throws {RequestError} code 6 */
function decodeCursor(cursor: string): TreePlace {
  const [kind, ...path] = cursor.split('/');
  if ((kind !== 'd' && kind !== 'f') || path.length === 0 || path.includes(''))
    throw new RequestError(ResultCode.ParameterError, 'Cursor is none of this server');
  return { path, isDirectory: kind === 'd' };
}
