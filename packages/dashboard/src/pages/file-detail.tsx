import { useEffect, useRef, useState } from 'preact/hooks';
import { useDashboard } from '../app/context.js';
import { Button, IconButton } from '../components/button.js';
import { ProgressBar } from '../components/meter.js';
import { counted, formatBytes } from '../model/quantities.js';
import { joinPath, visibleName } from '../model/remote-names.js';
import { dateText } from '../model/time-text.js';
import {
  type FileEntry,
  type FileStatus,
  failureText,
  type TransferProgress,
  type Verification,
} from '../server-api.js';

interface FileDetailProps {
  readonly directory: string;
  readonly entry: FileEntry;
  readonly onDownload: () => void;
  readonly onRename: (() => void) | undefined;
  readonly onDelete: (() => void) | undefined;
  readonly onClose: () => void;
}

/** What the server knows of a file or directory, and what can be done with it. */
export function FileDetail({ directory, entry, onDownload, onRename, onDelete, onClose }: FileDetailProps) {
  const { api } = useDashboard();
  const path = joinPath(directory, entry.name);
  const [status, setStatus] = useState<FileStatus | undefined>(undefined);
  const [problem, setProblem] = useState('');
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    heading.current?.focus();
    const end = new AbortController();
    api.status(path, end.signal).then(setStatus, (error: unknown) => {
      if (!end.signal.aborted) setProblem(failureText(error));
    });
    return () => end.abort();
  }, [api, path]);
  const isFile = entry.kind === 'file';
  return (
    <aside
      class="detail"
      aria-label={`Details of ${entry.name}`}
      data-testid="file-detail"
      onKeyDown={(event) => {
        if (event.key === 'Escape') onClose();
      }}
    >
      <header class="detail-head">
        <h2 ref={heading} tabIndex={-1}>
          <bdi>{visibleName(entry.name)}</bdi>
        </h2>
        <IconButton icon="close" label="Close" onClick={onClose} />
      </header>
      <div class="detail-actions">
        {isFile && (
          <Button icon="download" kind="primary" onClick={onDownload} testId="download">
            Download
          </Button>
        )}
        {onRename && (
          <Button icon="rename" onClick={onRename} testId="rename">
            Rename
          </Button>
        )}
        {onDelete && (
          <Button icon="trash" kind="danger" onClick={onDelete} testId="delete">
            Delete
          </Button>
        )}
      </div>
      {problem && <p class="problem">{problem}</p>}
      <dl class="facts">
        <div>
          <dt>Path</dt>
          <dd class="path">
            /<bdi>{visibleName(path)}</bdi>
          </dd>
        </div>
        <div>
          <dt>Kind</dt>
          <dd>{isFile ? 'file' : 'folder'}</dd>
        </div>
        {isFile && (
          <div>
            <dt>Size</dt>
            <dd>
              {formatBytes(status?.size ?? entry.size ?? 0)} ({counted(status?.size ?? entry.size ?? 0, 'byte')})
            </dd>
          </div>
        )}
        {status?.modifiedMs !== undefined && (
          <div>
            <dt>Changed</dt>
            <dd>{dateText(status.modifiedMs)}</dd>
          </div>
        )}
        {status?.mode !== undefined && (
          <div>
            <dt>Permissions</dt>
            <dd>
              <code>{status.mode.toString(8).padStart(3, '0')}</code>
            </dd>
          </div>
        )}
        {isFile && status && (
          <div>
            <dt>Digest</dt>
            <dd>{status.contentDigest ? <code>{status.contentDigest}</code> : 'not recorded yet'}</dd>
          </div>
        )}
      </dl>
      {isFile && <Verifier path={path} />}
    </aside>
  );
}

/** Has the server read the file from its disk, and compare it with its record. */
function Verifier({ path }: { readonly path: string }) {
  const { api } = useDashboard();
  const [progress, setProgress] = useState<TransferProgress | undefined>(undefined);
  const [result, setResult] = useState<Verification | undefined>(undefined);
  const [problem, setProblem] = useState('');
  const end = useRef<AbortController | undefined>(undefined);
  useEffect(() => () => end.current?.abort(), []);
  const verify = async (): Promise<void> => {
    const running = new AbortController();
    end.current = running;
    setProblem('');
    setResult(undefined);
    setProgress({ doneBytes: 0, resumedBytes: 0 });
    try {
      setResult(await api.verify(path, { signal: running.signal, onProgress: setProgress }));
    } catch (error) {
      if (!running.signal.aborted) setProblem(failureText(error));
    } finally {
      if (!running.signal.aborted) setProgress(undefined);
    }
  };
  return (
    <section class="verifier" aria-label="Verification">
      <h3>Verification</h3>
      {progress ? (
        <>
          <ProgressBar label="Verifying" done={progress.doneBytes} total={progress.totalBytes} />
          <p class="muted">
            {formatBytes(progress.doneBytes)}
            {progress.totalBytes !== undefined && ` of ${formatBytes(progress.totalBytes)}`} read from the server's disk
          </p>
        </>
      ) : (
        <Button icon="verify" onClick={() => void verify()} testId="verify">
          Verify
        </Button>
      )}
      <p role="status" class={`verdict ${result ? `verdict-${result.state}` : ''}`} data-testid="verdict">
        {result && verdictText(result)}
      </p>
      {problem && <p class="problem">{problem}</p>}
    </section>
  );
}

function verdictText({ state, contentDigest, damagedChunks, chunkBytes }: Verification): string {
  switch (state) {
    case 'intact':
      return `Intact: it is what the server has recorded of it. Digest ${contentDigest}.`;
    case 'damaged':
      return `Damaged, although nobody has changed it: ${counted(damagedChunks.length, 'chunk')} of ${formatBytes(chunkBytes)}, at ${places(damagedChunks, chunkBytes)}. Upload it again, or take it from a backup.`;
    case 'unrecorded':
      return `Nothing was recorded of it. Now it is: the next verification will tell. Digest ${contentDigest}.`;
    case 'changed':
      return `Somebody has changed it since it was recorded. Now it is recorded as it is. Digest ${contentDigest}.`;
  }
}

const MAX_PLACES = 5;

function places(chunks: readonly number[], chunkBytes: number): string {
  const some = chunks.slice(0, MAX_PLACES).map((chunk) => formatBytes(chunk * chunkBytes));
  return `${some.join(', ')}${chunks.length > MAX_PLACES ? ' and further on' : ''}`;
}
