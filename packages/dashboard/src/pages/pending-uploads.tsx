import { useRef } from 'preact/hooks';
import { useDashboard, useVisit } from '../app/context.js';
import { Button, IconButton } from '../components/button.js';
import { ProgressBar } from '../components/meter.js';
import { Card } from '../components/page.js';
import { formatBytes } from '../model/quantities.js';
import { parentOf, visibleName } from '../model/remote-names.js';
import { dateText } from '../model/time-text.js';
import type { PendingUpload } from '../server-api.js';

/** Uploads of this browser that were broken off, and can go on. Nothing when there are none. */
export function PendingUploads() {
  const { transfers } = useVisit();
  const pending = transfers.pending.value;
  if (pending.length === 0) return null;
  return (
    <Card title="Uploads to go on with" testId="pending-uploads">
      <ul class="own-transfers">
        {pending.map((upload) => (
          <PendingRow key={upload.id} upload={upload} />
        ))}
      </ul>
    </Card>
  );
}

function PendingRow({ upload }: { readonly upload: PendingUpload }) {
  const dashboard = useDashboard();
  const { transfers } = useVisit();
  const picker = useRef<HTMLInputElement>(null);
  const { id, path, name, size, doneBytes, changedAtMs, hasFile } = upload;
  const resume = (file: File | undefined): void => {
    transfers.resume(upload, file, parentOf(path));
    dashboard.toasts.done(`Going on with ${visibleName(name)}.`);
  };
  const forget = async (): Promise<void> => {
    const isSure = await dashboard.questions.confirm({
      title: `Forget the upload of ${visibleName(name)}?`,
      text: `${formatBytes(doneBytes)} of it are on the server. They are removed there after a while.`,
      action: 'Forget it',
      isDangerous: true,
    });
    if (!isSure) return;
    await dashboard.attempt(
      () => transfers.forget(id),
      (text) => `It was not forgotten: ${text}`,
    );
  };
  return (
    <li class="own-transfer" data-testid="pending-upload">
      <div class="own-text">
        <p class="own-title">
          <bdi>{visibleName(name)}</bdi>
          <small class="muted">
            to /<bdi>{visibleName(parentOf(path))}</bdi>
          </small>
        </p>
        <ProgressBar label={`Upload of ${name}`} done={doneBytes} total={size} kind="canceled" />
        <p class="own-state">
          {formatBytes(doneBytes)} of {formatBytes(size)}, broken off {dateText(changedAtMs)}
          {hasFile ? '' : '. Pick the same file again: its digest tells whether it is.'}
        </p>
      </div>
      <div class="own-actions">
        <input
          ref={picker}
          type="file"
          class="sr-only"
          tabIndex={-1}
          aria-label={`The file ${name}`}
          data-testid="pending-file"
          onChange={(event) => {
            const file = event.currentTarget.files?.[0];
            if (file) resume(file);
          }}
        />
        <Button kind="primary" icon="play" onClick={() => (hasFile ? resume(undefined) : picker.current?.click())}>
          {hasFile ? 'Go on' : 'Pick the file'}
        </Button>
        <IconButton icon="trash" label={`Forget the upload of ${name}`} kind="danger" onClick={() => void forget()} />
      </div>
    </li>
  );
}
