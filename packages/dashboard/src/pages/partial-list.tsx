import { useEffect, useState } from 'preact/hooks';
import { useDashboard, useVisit } from '../app/context.js';
import { IconButton } from '../components/button.js';
import { EmptyState, Loading } from '../components/empty-state.js';
import { ProgressBar } from '../components/meter.js';
import { PageFrame } from '../components/page.js';
import { counted, formatBytes } from '../model/quantities.js';
import { visibleName } from '../model/remote-names.js';
import { ageText } from '../model/time-text.js';
import { failureText, type ServerPartial } from '../server-api.js';
import { PendingUploads } from './pending-uploads.js';

/** How often they are asked for. */
const READ_MS = 3000;

/** Uploads that are not complete, as the server has them. */
export function PartialList({ kinds }: { readonly kinds: preact.ComponentChildren }) {
  const { api } = useDashboard();
  const [partials, setPartials] = useState<readonly ServerPartial[] | undefined>(undefined);
  const [problem, setProblem] = useState('');
  const read = (signal?: AbortSignal): void => {
    api.partials(signal).then(
      (found) => {
        setPartials(found);
        setProblem('');
      },
      (error: unknown) => {
        if (!signal?.aborted) setProblem(failureText(error));
      },
    );
  };
  useEffect(() => {
    const end = new AbortController();
    read(end.signal);
    const timer = setInterval(() => {
      if (!document.hidden) read(end.signal);
    }, READ_MS);
    return () => {
      clearInterval(timer);
      end.abort();
    };
  }, [api]);
  const bytes = partials?.reduce((sum, { stagedBytes }) => sum + stagedBytes, 0) ?? 0;
  return (
    <PageFrame
      title="Files"
      note={partials && `${counted(partials.length, 'upload')} not complete, ${formatBytes(bytes)}`}
      actions={kinds}
    >
      <PendingUploads />
      {problem && <p class="problem">{problem}</p>}
      {partials === undefined ? (
        problem === '' && <Loading what="Asking which uploads are not complete …" />
      ) : partials.length === 0 ? (
        <EmptyState icon="upload" title="Every upload is complete">
          <p>Uploads that are broken off stay here, so that they can go on; after a week the server removes them.</p>
        </EmptyState>
      ) : (
        <ul class="card own-transfers" data-testid="partials">
          {partials.map((partial) => (
            <PartialRow key={partial.id} partial={partial} onDropped={() => read()} />
          ))}
        </ul>
      )}
    </PageFrame>
  );
}

function PartialRow({ partial, onDropped }: { readonly partial: ServerPartial; readonly onDropped: () => void }) {
  const dashboard = useDashboard();
  const { session } = useVisit();
  const { id, name, user, size, stagedBytes, changedAt, isHeld } = partial;
  const drop = async (): Promise<void> => {
    const isSure = await dashboard.questions.confirm({
      title: `Drop the upload of ${visibleName(name)}?`,
      text: `${formatBytes(stagedBytes)} that ${visibleName(user)} has sent are removed: the upload will have to begin anew.`,
      action: 'Drop it',
      isDangerous: true,
    });
    if (!isSure) return;
    const isDone = await dashboard.attempt(
      () => dashboard.api.dropPartial(id),
      (text) => `It was not dropped: ${text}`,
    );
    if (isDone) onDropped();
  };
  return (
    <li class="own-transfer">
      <div class="own-text">
        <p class="own-title">
          <bdi>{visibleName(name)}</bdi>
          <small class="muted">
            <bdi>{visibleName(user)}</bdi>
          </small>
        </p>
        <ProgressBar
          label={`Upload of ${name}`}
          done={stagedBytes}
          total={size}
          kind={isHeld ? 'running' : 'canceled'}
        />
        <p class="own-state">
          {formatBytes(stagedBytes)}
          {size !== undefined && ` of ${formatBytes(size)}`},{' '}
          {isHeld ? 'a connection is at it' : `nobody is at it, last changed ${ageText(changedAt, Date.now())} ago`}
        </p>
      </div>
      {!isHeld && session.role !== 'read-only' && (
        <div class="own-actions">
          <IconButton icon="trash" label={`Drop the upload of ${name}`} kind="danger" onClick={() => void drop()} />
        </div>
      )}
    </li>
  );
}
