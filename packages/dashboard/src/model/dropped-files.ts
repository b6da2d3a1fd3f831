/** What the browser gives of something that was dropped: a file, or a folder. */
export interface DroppedEntry {
  readonly isFile: boolean;
  readonly isDirectory: boolean;
  readonly name: string;
  file?(onFile: (file: File) => void, onError: (error: unknown) => void): void;
  createReader?(): DroppedReader;
}

export interface DroppedReader {
  readEntries(onEntries: (entries: DroppedEntry[]) => void, onError: (error: unknown) => void): void;
}

/** A file that was dropped, and where it was, with `/`. */
export interface DroppedFile {
  readonly file: File;
  readonly path: string;
}

/** Folders deeper than this are a loop of links. */
const MAX_DEPTH = 256;

/** The files of what was dropped, and of its folders, whatever their depth. What cannot be read is told to `onUnreadable`. */
export async function* droppedFiles(
  entries: readonly DroppedEntry[],
  onUnreadable: (path: string, error: unknown) => void,
  parent = '',
  depth = 0,
): AsyncGenerator<DroppedFile, void, undefined> {
  for (const entry of entries) {
    const path = parent === '' ? entry.name : `${parent}/${entry.name}`;
    try {
      if (entry.isFile) yield { file: await fileOf(entry), path };
      else if (entry.isDirectory && depth < MAX_DEPTH)
        yield* droppedFiles(await childrenOf(entry), onUnreadable, path, depth + 1);
    } catch (error) {
      onUnreadable(path, error);
    }
  }
}

function fileOf(entry: DroppedEntry): Promise<File> {
  return new Promise((resolve, reject) => {
    if (entry.file) entry.file(resolve, reject);
    else reject(new Error('no file'));
  });
}

/** A reader tells a hundred at a time, and nothing at the end. */
async function childrenOf(entry: DroppedEntry): Promise<DroppedEntry[]> {
  const reader = entry.createReader?.();
  const children: DroppedEntry[] = [];
  while (reader) {
    const some = await new Promise<DroppedEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) break;
    children.push(...some);
  }
  return children;
}
