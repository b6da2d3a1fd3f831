import {
  decodeDeleteFileRequest,
  decodeDirectoryRequest,
  decodeDirRequest,
  decodeFileListRequest,
  decodeRenameRequest,
  encodeDirResponse,
  encodeFileListResponse,
  MAX_SENT_PACKET_LENGTH,
  RequestError,
  ResultCode,
  responseText,
} from '@sluice/wire';
import { withCodes } from '../answers.js';
import type { CommandHandler, Request, Session } from '../protocol.js';
import type { DirectoryTree } from '../storage/directory-tree.js';
import { parseDirectoryName, parseFileName, pathText } from '../storage/path-name.js';
import { renameEntry } from '../storage/rename-entry.js';
import type { StorageError } from '../storage/storage-error.js';
import type { SharedFiles } from './shared-files.js';

/** A listing up to this size is sent even while memory is short. */
const SMALL_LISTING_BYTES = 64 << 10;

/** Dir and FileList. Specification 6 and 7. */
export function listingCommands(session: Session, { listings }: SharedFiles): [string, CommandHandler][] {
  const onSkipped = (name: string): void => session.log.info('a name cannot be listed', { name });
  const beforeLarge = (): void => requireRoom(session, 2 * SMALL_LISTING_BYTES);
  return [
    [
      'dir',
      async ({ command, text }) => {
        const directory = parseDirectoryName(decodeDirRequest(text));
        const { tree } = session.principal;
        const answer = await listings.listDirectory(
          keyOf(command, tree, directory),
          session.gone,
          async (bounds) =>
            fitting(encodeDirResponse(command, await tree.listDirectories(directory, onSkipped, bounds))),
          beforeLarge,
        );
        sendListing(session, answer);
      },
    ],
    [
      'filelist',
      async ({ command, text }) => {
        const directory = parseDirectoryName(decodeFileListRequest(text));
        const { tree } = session.principal;
        const onFound = (nameBytes: number): void => requireRoom(session, nameBytes);
        const answer = await listings.listDirectory(
          keyOf(command, tree, directory),
          session.gone,
          async (bounds) =>
            fitting(encodeFileListResponse(command, await tree.listFiles(directory, onSkipped, bounds, onFound))),
          beforeLarge,
        );
        sendListing(session, answer);
      },
    ],
  ];
}

/** CreateDir, DeleteDir and DeleteFile: specification 6. Rename: docs/protocol.md, section 17.19. */
export function changingCommands(session: Session, files: SharedFiles): [string, CommandHandler][] {
  const { openFiles, descriptors } = files;
  const { isInUse } = openFiles;
  return [
    [
      'createdir',
      async ({ command, text }) => {
        const { parentDir, dirName } = decodeDirectoryRequest(text);
        const [parent, name] = [parseDirectoryName(parentDir), parseDirectoryName(dirName)];
        session.requireMayChange();
        const { tree } = session.principal;
        const work = descriptors.walk(() => tree.createDirectory(parent, name));
        await withCodes(work, (error) =>
          keepingName(
            error,
            error.code === 'ERR_DIRECTORY_NOT_FOUND' ? ResultCode.DirNotExist : ResultCode.CreateDirError,
          ),
        );
        session.reply(responseText(command, ResultCode.Success));
      },
    ],
    [
      'deletedir',
      async ({ command, text }) => {
        const { parentDir, dirName } = decodeDirectoryRequest(text);
        const [parent, name] = [parseDirectoryName(parentDir), parseDirectoryName(dirName)];
        session.requireMayChange();
        const { tree } = session.principal;
        const work = descriptors.walk(() => tree.removeDirectory(parent, name, isInUse));
        await withCodes(work, (error) =>
          keepingName(error, error.missing === 'parent' ? ResultCode.DirNotExist : ResultCode.DeleteDirError),
        );
        session.log.info('directory removed', { parent: parentDir, directory: dirName });
        session.reply(responseText(command, ResultCode.Success));
      },
    ],
    [
      'deletefile',
      async ({ command, text }) => {
        const { dirName, names } = decodeDeleteFileRequest(text);
        const directory = parseDirectoryName(dirName);
        session.requireMayChange();
        const { tree } = session.principal;
        // Also without a single name, a missing directory is one.
        await descriptors.walk(async () => (await tree.resolve(directory)).close());
        for (const name of names) {
          session.gone.throwIfAborted();
          const fileName = parseFileName(name);
          const work = descriptors.walk(() => tree.removeFile(directory, fileName, isInUse));
          await withCodes(work, (error) => keepingName(error, ResultCode.DeleteFileFailed));
          session.log.info('file removed', { directory: dirName, file: name });
        }
        session.reply(responseText(command, ResultCode.Success));
      },
    ],
    ['rename', (request) => rename(session, files, request)],
  ];
}

async function rename(session: Session, files: SharedFiles, { command, text }: Request): Promise<void> {
  const { dirName, fileName, targetDir, targetName, ifExists } = decodeRenameRequest(text);
  const from = { directory: parseDirectoryName(dirName), name: parseFileName(fileName) };
  const to = { directory: parseDirectoryName(targetDir), name: parseFileName(targetName) };
  session.requireMayChange();
  const { tree } = session.principal;
  using _place = files.descriptors.openFile(); // one directory is held while the other is walked to
  const kind = await files.descriptors.walk(() => renameEntry(files, tree, from, to, ifExists === 'replace'));
  const places = { from: pathText(dirName, fileName), to: pathText(targetDir, targetName) };
  if (kind === 'file') session.log.info('file renamed', places);
  else session.log.info('directory renamed', places);
  session.reply(responseText(command, ResultCode.Success));
}

function sendListing(session: Session, answer: Uint8Array): void {
  requireRoom(session, answer.length);
  session.reply(answer);
}

/** A small one is always sent: whoever looks around must not wait for those who move much. */
function requireRoom(session: Session, bytes: number): void {
  if (bytes > SMALL_LISTING_BYTES) session.memory.requireRoomToSend(bytes);
}

/** Who asks for the same directory with the same command, as spelled, gets the same answer. No component holds a slash. */
function keyOf(command: string, tree: DirectoryTree, directory: readonly string[]): string {
  return `${tree.id}/${command}/${directory.join('/')}`;
}

/** A name that is refused stays code 6, whatever the command. */
function keepingName(error: StorageError, code: number): number {
  return error.code === 'ERR_NAME_INVALID' ? ResultCode.ParameterError : code;
}

/** A listing that no packet can carry is refused whole: a peer must never take a part for all. */
function fitting(text: Uint8Array): Uint8Array {
  if (text.length + 4 > MAX_SENT_PACKET_LENGTH)
    throw new RequestError(ResultCode.UnknownError, 'listing too large for one packet');
  return text;
}
