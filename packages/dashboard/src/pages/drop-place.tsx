import type { ComponentChildren } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { useDashboard } from '../app/context.js';
import { Icon } from '../components/icon.js';
import { type DroppedEntry, droppedFiles } from '../model/dropped-files.js';
import { counted } from '../model/quantities.js';
import { visibleName } from '../model/remote-names.js';
import type { FileToSend } from '../server-api.js';

interface DropPlaceProps {
  /** The directory that files go to. */
  readonly place: string;
  readonly isOff: boolean;
  readonly onFiles: (files: FileToSend[]) => void;
  readonly children: ComponentChildren;
}

/** Where files and folders can be dropped. */
export function DropPlace({ place, isOff, onFiles, children }: DropPlaceProps) {
  const { toasts } = useDashboard();
  const [isOver, setOver] = useState(false);
  /** Entering a child and leaving its parent come in any order. */
  const depth = useRef(0);
  const hasFiles = (event: DragEvent): boolean => !isOff && (event.dataTransfer?.types.includes('Files') ?? false);

  const take = async (event: DragEvent): Promise<void> => {
    const dropped = await filesOf(event.dataTransfer!, (path) => toasts.failed(`${visibleName(path)} cannot be read.`));
    if (dropped.length > 1) toasts.done(`Sending ${counted(dropped.length, 'file')}.`);
    if (dropped.length === 0) toasts.failed('There is no file in what was dropped.');
    else onFiles(dropped);
  };

  return (
    <section
      class={`drop-place ${isOver ? 'is-over' : ''}`}
      aria-label="Directory, files can be dropped here"
      data-testid="drop-place"
      onDragEnter={(event) => {
        if (!hasFiles(event)) return;
        event.preventDefault();
        depth.current += 1;
        setOver(true);
      }}
      onDragOver={(event) => {
        if (!hasFiles(event)) return;
        event.preventDefault();
        event.dataTransfer!.dropEffect = 'copy';
      }}
      onDragLeave={(event) => {
        if (!hasFiles(event)) return;
        depth.current -= 1;
        if (depth.current <= 0) setOver(false);
      }}
      onDrop={(event) => {
        if (!hasFiles(event)) return;
        event.preventDefault();
        depth.current = 0;
        setOver(false);
        void take(event);
      }}
    >
      {children}
      {isOver && (
        <div class="drop-hint" aria-hidden="true">
          <Icon name="upload" />
          <span>
            Drop to upload to <strong>/{visibleName(place)}</strong>
          </span>
        </div>
      )}
    </section>
  );
}

/** What was dropped, folders walked through. Handles, by which a file is found again after a reload, are asked for in the turn of the event. */
async function filesOf(data: DataTransfer, onUnreadable: (path: string) => void): Promise<FileToSend[]> {
  const items = [...data.items].filter(({ kind }) => kind === 'file');
  const entries = items.map((item) => item.webkitGetAsEntry());
  const handles = items.map((item) => handleOf(item));
  const flat = entries.length === 0 ? [...data.files].map((file) => ({ file, path: file.name })) : [];
  for (const [index, entry] of entries.entries()) {
    const file = items[index]?.getAsFile();
    if (!entry && file) flat.push({ file, path: file.name });
  }
  const found: FileToSend[] = [...flat];
  for (const [index, entry] of entries.entries()) {
    if (!entry) continue;
    const handle = entry.isFile ? await handles[index] : undefined;
    for await (const { file, path } of droppedFiles([entry as DroppedEntry], onUnreadable))
      found.push({ file, path, ...(handle && { handle }) });
  }
  return found;
}

/** Only some browsers have handles, and give them only where a page is trusted. */
async function handleOf(item: DataTransferItem): Promise<FileSystemFileHandle | undefined> {
  if (!('getAsFileSystemHandle' in item)) return undefined;
  try {
    const handle = await (item.getAsFileSystemHandle as () => Promise<FileSystemHandle | null>)();
    return handle?.kind === 'file' ? (handle as FileSystemFileHandle) : undefined;
  } catch {
    return undefined;
  }
}
