import { useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { useDashboard, useVisit } from '../app/context.js';
import { Button } from '../components/button.js';
import { Cell, HeadCell } from '../components/cell.js';
import { EmptyState, Loading } from '../components/empty-state.js';
import { Icon } from '../components/icon.js';
import { PageFrame } from '../components/page.js';
import { SearchField, SelectField } from '../components/search-field.js';
import { Segments } from '../components/segments.js';
import { NARROW, useMedia } from '../components/use-media.js';
import { VirtualList } from '../components/virtual-list.js';
import { counted, formatBytes } from '../model/quantities.js';
import { joinPath, sortEntries, visibleName } from '../model/remote-names.js';
import type { FileEntry, IfExists } from '../server-api.js';
import { Breadcrumbs } from './breadcrumbs.js';
import { DropPlace } from './drop-place.js';
import { askDelete, askNewFolder, askRename } from './file-actions.js';
import { FileDetail } from './file-detail.js';
import { OwnTransferRow } from './own-transfer-row.js';
import { PartialList } from './partial-list.js';
import { PendingUploads } from './pending-uploads.js';
import { pickedFiles } from './picked-files.js';
import { useDirectory } from './use-directory.js';

const KINDS = [
  ['files', 'Files'],
  ['partials', 'Not complete'],
] as const;

/** The files of the server, as this user has them. */
export function FilesPage() {
  const kind = useSignal<'files' | 'partials'>('files');
  const kinds = (
    <Segments
      label="What is shown"
      value={kind.value}
      options={KINDS}
      onChoose={(value) => {
        kind.value = value;
      }}
    />
  );
  return kind.value === 'files' ? <Directory kinds={kinds} /> : <PartialList kinds={kinds} />;
}

const IF_EXISTS: readonly (readonly [IfExists, string])[] = [
  ['replace', 'Replace'],
  ['skip', 'Keep'],
  ['newer', 'Replace older'],
  ['fail', 'Fail'],
];

function Directory({ kinds }: { readonly kinds: preact.ComponentChildren }) {
  const dashboard = useDashboard();
  const { session, transfers } = useVisit();
  const path = dashboard.route.value.path ?? '';
  const directory = useDirectory(path);
  const filter = useSignal('');
  const ifExists = useSignal<IfExists>('replace');
  /** The file or directory of which the detail is open, and those that are ticked, by name. */
  const opened = useSignal<string | undefined>(undefined);
  const ticked = useSignal<ReadonlySet<string>>(new Set());
  const isNarrow = useMedia(NARROW);
  useEffect(() => {
    opened.value = undefined;
    ticked.value = new Set();
    filter.value = '';
  }, [path]);
  const { entries } = directory;
  const rows = useMemo(() => entries && filtered(sortEntries(entries), filter.value), [entries, filter.value]);
  const mayWrite = session.role !== 'read-only';
  const taken = new Set(entries?.map(({ name }) => name));
  const chosen = entries?.filter(({ name }) => ticked.value.has(name)) ?? [];
  const upload = (files: ReturnType<typeof pickedFiles>): void => {
    if (files.length === 0) return;
    const toSend = files.map((each) => ({ ...each, path: joinPath(path, each.path) }));
    transfers.upload(toSend, path, ifExists.value);
  };
  const open = (entry: FileEntry): void => {
    if (entry.kind === 'directory') dashboard.go({ page: 'files', path: joinPath(path, entry.name) });
    else opened.value = entry.name === opened.value ? undefined : entry.name;
  };
  const remove = async (some: readonly FileEntry[]): Promise<void> => {
    if (!(await askDelete(dashboard, path, some))) return;
    ticked.value = new Set();
    opened.value = undefined;
    directory.read();
  };
  const rename = async (entry: FileEntry): Promise<void> => {
    const newName = await askRename(dashboard, path, entry, taken);
    if (newName === undefined) return;
    ticked.value = new Set();
    if (opened.value === entry.name) opened.value = newName;
    directory.read();
  };
  const download = (some: readonly FileEntry[]): void => {
    for (const { name, size } of some.filter(({ kind }) => kind === 'file'))
      transfers.download(joinPath(path, name), size, path);
  };
  const openedEntry = entries?.find(({ name }) => name === opened.value);

  return (
    <div class={`split ${openedEntry ? 'has-detail' : ''}`}>
      <PageFrame title="Files" isFilling note={entries && folderText(entries)} actions={kinds}>
        <Breadcrumbs path={path} />
        <div class="toolbar" role="toolbar" aria-label="Files">
          {chosen.length > 0 ? (
            <>
              <span class="toolbar-text">{chosen.length} chosen</span>
              <Button
                icon="download"
                onClick={() => download(chosen)}
                isDisabled={!chosen.some(({ kind }) => kind === 'file')}
              >
                Download
              </Button>
              {mayWrite && (
                <Button icon="trash" kind="danger" onClick={() => void remove(chosen)}>
                  Delete
                </Button>
              )}
              <Button
                kind="quiet"
                onClick={() => {
                  ticked.value = new Set();
                }}
              >
                Choose none
              </Button>
            </>
          ) : (
            <>
              <SearchField
                label="Filter by name"
                value={filter.value}
                testId="files-filter"
                onInput={(text) => {
                  filter.value = text;
                }}
              />
              {mayWrite && (
                <>
                  <UploadButtons onFiles={upload} />
                  <Button
                    icon="new-folder"
                    onClick={() =>
                      void askNewFolder(dashboard, path, taken).then((isMade) => isMade && directory.read())
                    }
                  >
                    New folder
                  </Button>
                  <SelectField
                    label="If a file is there"
                    value={ifExists.value}
                    options={IF_EXISTS}
                    onChoose={(value) => {
                      ifExists.value = value;
                    }}
                  />
                </>
              )}
            </>
          )}
        </div>
        <PendingUploads />
        <RunningTransfers />
        {directory.problem && <p class="problem">{directory.problem}</p>}
        <DropPlace isOff={!mayWrite} place={path} onFiles={upload}>
          {rows === undefined ? (
            directory.problem === '' && <Loading what="Reading the directory …" />
          ) : rows.length === 0 ? (
            <NoFiles isFiltered={filter.value !== ''} mayWrite={mayWrite} />
          ) : (
            <VirtualList
              class="card list files"
              label={path === '' ? 'Files' : `Files in ${path}`}
              testId="files-list"
              rows={rows}
              rowHeight={isNarrow ? 50 : 40}
              headerHeight={34}
              header={<Heads />}
              keyOf={({ name }) => name}
              selected={opened.value}
              onOpen={open}
              onRowKey={(entry, key) => {
                if (!mayWrite || (key !== 'Delete' && key !== 'F2')) return false;
                void (key === 'F2' ? rename(entry) : remove([entry]));
                return true;
              }}
              renderRow={(entry) => (
                <Cells
                  entry={entry}
                  isTicked={ticked.value.has(entry.name)}
                  onTick={() => {
                    ticked.value = toggled(ticked.value, entry.name);
                  }}
                  onDetail={() => {
                    opened.value = entry.name === opened.value ? undefined : entry.name;
                  }}
                />
              )}
            />
          )}
        </DropPlace>
      </PageFrame>
      {openedEntry && (
        <FileDetail
          key={openedEntry.name}
          directory={path}
          entry={openedEntry}
          onDownload={() => download([openedEntry])}
          onRename={mayWrite ? () => void rename(openedEntry) : undefined}
          onDelete={mayWrite ? () => void remove([openedEntry]) : undefined}
          onClose={() => {
            opened.value = undefined;
          }}
        />
      )}
    </div>
  );
}

function UploadButtons({ onFiles }: { readonly onFiles: (files: ReturnType<typeof pickedFiles>) => void }) {
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const take = (input: HTMLInputElement): void => {
    onFiles(pickedFiles(input.files));
    input.value = ''; // the same ones can be picked again
  };
  return (
    <>
      <input
        ref={files}
        type="file"
        multiple
        class="sr-only"
        tabIndex={-1}
        aria-label="Files to upload"
        data-testid="upload-files"
        onChange={(event) => take(event.currentTarget)}
      />
      <input
        ref={(element) => {
          folder.current = element;
          if (element) element.webkitdirectory = true;
        }}
        type="file"
        class="sr-only"
        tabIndex={-1}
        aria-label="A folder to upload"
        data-testid="upload-folder"
        onChange={(event) => take(event.currentTarget)}
      />
      <Button icon="upload" kind="primary" onClick={() => files.current?.click()}>
        Upload files
      </Button>
      <Button icon="folder" onClick={() => folder.current?.click()}>
        Upload a folder
      </Button>
    </>
  );
}

/** What this page moves now: as long as something does, it is seen here, too. */
function RunningTransfers() {
  const { transfers } = useVisit();
  const running = transfers.list.value.filter(
    ({ state }) => state.value.kind === 'running' || state.value.kind === 'failed',
  );
  if (running.length === 0) return null;
  return (
    <section class="card running" aria-label="Under way" data-testid="running-transfers">
      <ul class="own-transfers">
        {running.slice(0, 3).map((transfer) => (
          <OwnTransferRow key={transfer.id} transfer={transfer} />
        ))}
      </ul>
      {running.length > 3 && (
        <a class="running-more" href="#/transfers">
          {counted(running.length - 3, 'more transfer')}
        </a>
      )}
    </section>
  );
}

function Heads() {
  return (
    <>
      <HeadCell class="f-tick" label="Chosen" />
      <HeadCell class="f-name">Name</HeadCell>
      <HeadCell class="f-size">Size</HeadCell>
      <HeadCell class="f-actions" label="Details" />
    </>
  );
}

interface CellsProps {
  readonly entry: FileEntry;
  readonly isTicked: boolean;
  readonly onTick: () => void;
  readonly onDetail: () => void;
}

function Cells({ entry, isTicked, onTick, onDetail }: CellsProps) {
  const name = visibleName(entry.name);
  return (
    <>
      <Cell class="f-tick">
        <input type="checkbox" aria-label={`Choose ${name}`} checked={isTicked} onChange={onTick} />
      </Cell>
      <Cell class={`f-name f-${entry.kind}`} title={name}>
        <Icon name={entry.kind === 'directory' ? 'folder' : 'file'} />
        <bdi>{name}</bdi>
      </Cell>
      <Cell class="f-size">
        {entry.size === undefined ? <span class="muted">folder</span> : formatBytes(entry.size)}
      </Cell>
      <Cell class="f-actions">
        <button type="button" class="icon-button" aria-label={`Details of ${name}`} title="Details" onClick={onDetail}>
          <Icon name="more" />
        </button>
      </Cell>
    </>
  );
}

function NoFiles({ isFiltered, mayWrite }: { readonly isFiltered: boolean; readonly mayWrite: boolean }) {
  if (isFiltered)
    return (
      <EmptyState icon="search" title="No name fits the filter">
        <p>The filter looks at the names in this directory only.</p>
      </EmptyState>
    );
  return (
    <EmptyState icon="files" title="This directory is empty">
      <p>{mayWrite ? 'Drop files or folders here, or use the buttons above.' : 'Your role lets you read only.'}</p>
    </EmptyState>
  );
}

function folderText(entries: readonly FileEntry[]): string {
  const files = entries.filter(({ kind }) => kind === 'file');
  const bytes = files.reduce((sum, { size = 0 }) => sum + size, 0);
  const folders = entries.length - files.length;
  return `${folders > 0 ? `${counted(folders, 'folder')}, ` : ''}${counted(files.length, 'file')}, ${formatBytes(bytes)}`;
}

function filtered(entries: readonly FileEntry[], filter: string): readonly FileEntry[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return entries;
  return entries.filter(({ name }) => words.every((word) => name.toLowerCase().includes(word)));
}

function toggled(names: ReadonlySet<string>, name: string): ReadonlySet<string> {
  const changed = new Set(names);
  if (!changed.delete(name)) changed.add(name);
  return changed;
}
