import type { BrowserFileToUpload } from './browser-transfers.js';

/**
 * All files of a directory that the user has picked, and of those in it, for `uploadFiles`. Empty directories are left out.
 *
 * @param directory of `showDirectoryPicker`, or of something that was dropped, by `getAsFileSystemHandle` or `webkitGetAsEntry`
 * @param remoteDirectory where its content goes; empty for the root
 */
export async function* filesOfDirectory(
  directory: FileSystemDirectoryHandle | FileSystemDirectoryEntry,
  remoteDirectory: string,
): AsyncGenerator<BrowserFileToUpload, void, void> {
  const entries = 'createReader' in directory ? entriesOf(directory) : directory.values();
  for await (const entry of entries) {
    const target = remoteDirectory === '' ? entry.name : `${remoteDirectory}/${entry.name}`;
    if (isDirectory(entry)) yield* filesOfDirectory(entry, target);
    else yield { source: 'getFile' in entry ? entry : await fileOf(entry as FileSystemFileEntry), target };
  }
}

type Found = FileSystemHandle | FileSystemEntry;

function isDirectory(entry: Found): entry is FileSystemDirectoryHandle | FileSystemDirectoryEntry {
  return 'kind' in entry ? entry.kind === 'directory' : entry.isDirectory;
}

async function* entriesOf(directory: FileSystemDirectoryEntry): AsyncGenerator<FileSystemEntry, void, void> {
  const reader = directory.createReader();
  for (;;) {
    // At most 100 at a time, and none at the end.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return;
    yield* some;
  }
}

function fileOf(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}
